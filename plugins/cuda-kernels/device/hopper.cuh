// The instructions of sm_90a that C++ has no name for: barriers in shared memory,
// copies of tiles (TMA), products of warpgroups on tensor cores (wgmma), and registers
// that pass from one warpgroup to another. Before it stand hone.cuh, BF16 and ptx.cuh.
//
// A tile in shared memory is blocks of rows of 128 bytes, 64 numbers of 16 bits, each
// block at a multiple of 1024 bytes and swizzled (cuda.Swizzle128): the 16-byte chunk c
// of row r lies at chunk c ^ (r & 7). So TMA writes it, and so wgmma reads it.
#line 9 "hopper.cuh"

// A TensorMap is a parameter, const __grid_constant__ TensorMap: Queue.TensorMap.
struct alignas(64) TensorMap { u64 words[16]; };

// Barriers (mbarrier), 8 bytes of shared memory at a multiple of 8. A phase of one ends
// once `count` arrivals and all bytes that were expected are there; then the next
// begins. A wait for a parity returns once the phase of that parity has ended: 0 for
// the first, and at once for 1 on a new barrier.
__device__ __forceinline__ void barrier_init(u32 barrier, u32 count) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}
// barriers_made is for the thread that made them, before the block's __syncthreads.
__device__ __forceinline__ void barriers_made() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
__device__ __forceinline__ void barrier_arrive(u32 barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
// barrier_expect arrives, and has the phase wait for so many bytes of copies.
__device__ __forceinline__ void barrier_expect(u32 barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
__device__ __forceinline__ void barrier_wait(u32 barrier, u32 parity) {
    asm volatile("{\n.reg .pred done;\n"
                 "again%=: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
                 "@!done bra again%=;\n}" ::"r"(barrier), "r"(parity) : "memory");
}

// A Turn counts through the places of a ring of tiles: which it is, and which
// phase of its barriers.
template <int PLACES> struct Turn {
    u32 place = 0, parity = 0;
    __device__ __forceinline__ void next() {
        if (++place == PLACES) {
            place = 0;
            parity ^= 1;
        }
    }
};

// A cluster is blocks that run at once and reach each other's shared memory; block_rank
// is a block's number in its own. All threads of all of its blocks call cluster_sync: at
// the start, before a barrier is used from another block, and before they end.
__device__ __forceinline__ u32 block_rank() {
    u32 rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}
__device__ __forceinline__ void cluster_sync() { asm volatile("barrier.cluster.arrive;\nbarrier.cluster.wait;" ::: "memory"); }
// barrier_arrive_at arrives at the same barrier of a block of the cluster. It says that
// copies may overwrite what products have read; what threads wrote it does not publish:
// that would be .release.cluster, which waits for all of memory.
__device__ __forceinline__ void barrier_arrive_at(u32 barrier, u32 rank) {
    asm volatile("{\n.reg .u32 there;\nmapa.shared::cluster.u32 there, %0, %1;\n"
                 "mbarrier.arrive.shared::cluster.b64 _, [there];\n}" ::"r"(barrier), "r"(rank) : "memory");
}

// A named barrier, 1 to 15, of so many threads, a multiple of 32: group_sync arrives
// and waits, group_arrive only arrives.
__device__ __forceinline__ void group_sync(u32 id, u32 threads) { asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory"); }
__device__ __forceinline__ void group_arrive(u32 id, u32 threads) { asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory"); }

// elect is true in one thread of a warp, all of whose threads ask. What starts copies
// is under it: under a comparison of threadIdx, ptxas loops around each.
__device__ __forceinline__ bool elect() {
    u32 one;
    asm volatile("{\n.reg .pred p;\nelect.sync _|p, 0xffffffff;\nselp.u32 %0, 1, 0, p;\n}" : "=r"(one));
    return one != 0;
}

// take_registers and give_registers set how many registers a thread of the calling
// warpgroup has: 24 to 240 in steps of 8, together no more than at the start.
template <int N> __device__ __forceinline__ void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N)); }
template <int N> __device__ __forceinline__ void give_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N)); }

// tile_load starts the copy of a map's tile, whose first number has these coordinates,
// the innermost first, and tells the barrier of its bytes: all of the tile's, those
// outside of the tensor too.
__device__ __forceinline__ void tile_load(u32 to, const TensorMap &map, int x, int y, u32 barrier) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(to), "l"(&map),
                 "r"(x), "r"(y), "r"(barrier) : "memory");
}
__device__ __forceinline__ void tile_load(u32 to, const TensorMap &map, int x, int y, int z, u32 barrier) {
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];" ::"r"(to), "l"(&map),
                 "r"(x), "r"(y), "r"(z), "r"(barrier) : "memory");
}
// tile_load_to copies a tile to the same place in several blocks of the cluster, by the
// bits of `blocks`, and tells the same barrier in each.
__device__ __forceinline__ void tile_load_to(u16 blocks, u32 to, const TensorMap &map, int x, int y, u32 barrier) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%2, %3}], [%4], %5;" ::"r"(to),
                 "l"(&map), "r"(x), "r"(y), "r"(barrier), "h"(blocks) : "memory");
}
// bytes_load starts a copy of bytes that follow each other: addresses and the number
// are multiples of 16.
__device__ __forceinline__ void bytes_load(u32 to, const void *from, u32 bytes, u32 barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to), "l"(from), "r"(bytes),
                 "r"(barrier) : "memory");
}
// tile_store starts the copy of a tile to memory. The threads that wrote the tile each
// call tile_written, then meet at a barrier; one thread stores, and calls stores_commit,
// and stores_read before the tile is written again or the block ends.
__device__ __forceinline__ void tile_written() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
__device__ __forceinline__ void tile_store(const TensorMap &map, int x, int y, u32 from) {
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3];" ::"l"(&map), "r"(x), "r"(y), "r"(from) : "memory");
}
__device__ __forceinline__ void tile_store(const TensorMap &map, int x, int y, int z, u32 from) {
    asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%1, %2, %3}], [%4];" ::"l"(&map), "r"(x), "r"(y), "r"(z), "r"(from) : "memory");
}
__device__ __forceinline__ void stores_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
// stores_read waits until at most N of the thread's groups of stores still read shared memory.
template <int N> __device__ __forceinline__ void stores_read() { asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(N) : "memory"); }
__device__ __forceinline__ void prefetch_map(const TensorMap &map) { asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory"); }

// store_matrices writes four matrices of 8x8 numbers of 16 bits: lane 8j+i gives where
// row i of matrix j goes, and r[j] is as mma's operands are.
__device__ __forceinline__ void store_matrices(u32 to, u32 a, u32 b, u32 c, u32 d) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(a), "r"(b), "r"(c), "r"(d) : "memory");
}
__device__ __forceinline__ void store_matrices_transposed(u32 to, u32 a, u32 b, u32 c, u32 d) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(a), "r"(b), "r"(c), "r"(d) : "memory");
}

// Operands of wgmma in shared memory. rows_operand: an operand whose K numbers follow
// each other in a row; 16 further on in K is +2, up to 64, where the next block begins.
// 64 rows further down is +512. columns_operand: one whose K goes down the rows, its M
// or N along them, in blocks of 64 that are block_bytes apart; 16 further in K is +128.
#define SWIZZLED (u64(1) << 62 | u64(64) << 32) // 128 bytes; 8 rows are 1024 bytes
__device__ __forceinline__ u64 rows_operand(u32 at) { return SWIZZLED | u64(1) << 16 | (at & 0x3ffff) >> 4; }
__device__ __forceinline__ u64 columns_operand(u32 at, u32 block_bytes) { return SWIZZLED | u64(block_bytes >> 4) << 16 | (at & 0x3ffff) >> 4; }

// The order of products: products_begin before the first and after other code has
// touched registers of theirs; products_commit ends a group; products_wait waits until
// at most N groups are under way. Until then the registers are left alone. settle tells
// that to the compiler, which may otherwise write registers after products_begin, or
// read them before products_wait: it is called before the one and after the other.
__device__ __forceinline__ void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N> __device__ __forceinline__ void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory"); }
template <int N> __device__ __forceinline__ void settle(float (&d)[N]) {
#pragma unroll
    for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i])::"memory");
}
template <int N> __device__ __forceinline__ void settle(u32 (&a)[N][4]) {
#pragma unroll
    for (int i = 0; i < 4 * N; i++) asm volatile("" : "+r"(a[i / 4][i % 4])::"memory");
}

#if BF16
#define WGMMA_TYPES ".f32.bf16.bf16 {"
#else
#define WGMMA_TYPES ".f32.f16.f16 {"
#endif

// product: d = A·B, or d += A·B where `add`, 64 rows by N columns by 16: number i of a
// thread, g = lane/4 and t = lane%4 of warp w, is row 16w + g + 8·(i/2%2) and column
// 8·(i/4) + 2t + i%2. A is an operand in shared memory, or in registers as mma has it
// for rows 16w on. A or B is of columns_operand where its flag is 1.
#define TEN(x) "%" #x "0,%" #x "1,%" #x "2,%" #x "3,%" #x "4,%" #x "5,%" #x "6,%" #x "7,%" #x "8,%" #x "9,"
#define TENS_30 TEN() TEN(1) TEN(2)
#define TENS_60 TENS_30 TEN(3) TEN(4) TEN(5)
#define TENS_90 TENS_60 TEN(6) TEN(7) TEN(8)
#define TENS_120 TENS_90 TEN(9) TEN(10) TEN(11)
#define FOUR(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define SIXTEEN(i) FOUR(i), FOUR(i + 4), FOUR(i + 8), FOUR(i + 12)
#define THIRTY_TWO(i) SIXTEEN(i), SIXTEEN(i + 16)
#define NUMBERS_16 SIXTEEN(0)
#define NUMBERS_32 THIRTY_TWO(0)
#define NUMBERS_64 NUMBERS_32, THIRTY_TWO(32)
#define NUMBERS_96 NUMBERS_64, THIRTY_TWO(64)
#define NUMBERS_128 NUMBERS_96, THIRTY_TWO(96)
// The numbers that follow a size's list are those of the operands behind it.
#define PRODUCT(N, COUNT, LIST, OPERANDS, P0, P1, P2, P3, P4, P5, P6)                                                                              \
    template <int DOWN_A = 0, int DOWN_B = 0> __device__ __forceinline__ void product(float (&d)[COUNT], u64 a, u64 b, int add) {                    \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #P2 ", 0;\nwgmma.mma_async.sync.aligned.m64n" #N "k16" WGMMA_TYPES LIST                  \
                     "}, %" #P0 ", %" #P1 ", p, 1, 1, %" #P3 ", %" #P4 ";\n}"                                                                     \
                     : OPERANDS : "l"(a), "l"(b), "r"(add), "n"(DOWN_A), "n"(DOWN_B) : "memory");                                                    \
    }                                                                                                                                              \
    template <int DOWN_B = 0> __device__ __forceinline__ void product(float (&d)[COUNT], const u32 (&a)[4], u64 b, int add) {                      \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #P5 ", 0;\nwgmma.mma_async.sync.aligned.m64n" #N "k16" WGMMA_TYPES LIST                  \
                     "}, {%" #P0 ", %" #P1 ", %" #P2 ", %" #P3 "}, %" #P4 ", p, 1, 1, %" #P6 ";\n}"                                               \
                     : OPERANDS : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add), "n"(DOWN_B) : "memory");                           \
    }
PRODUCT(32, 16, TEN() "%10,%11,%12,%13,%14,%15", NUMBERS_16, 16, 17, 18, 19, 20, 21, 22)
PRODUCT(64, 32, TENS_30 "%30,%31", NUMBERS_32, 32, 33, 34, 35, 36, 37, 38)
PRODUCT(128, 64, TENS_60 "%60,%61,%62,%63", NUMBERS_64, 64, 65, 66, 67, 68, 69, 70)
PRODUCT(192, 96, TENS_90 "%90,%91,%92,%93,%94,%95", NUMBERS_96, 96, 97, 98, 99, 100, 101, 102)
PRODUCT(256, 128, TENS_120 "%120,%121,%122,%123,%124,%125,%126,%127", NUMBERS_128, 128, 129, 130, 131, 132, 133, 134)
#undef PRODUCT
