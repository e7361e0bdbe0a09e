// d [M, N] = Σ p·q + p2·q2 (+ d), for Hopper. Of up to TERMS products the p are [M, K], with
// a K of each its own, and p2 is [M, RANK]; q and q2 are [N, K] and [N, RANK], used
// transposed, or with DOWN 1 [K, N] and [RANK, N]. With SCALED 1 each column of the sum is
// multiplied by a factor, [N] in float32, before it is rounded or added.
//
// FLOPs 2·M·N·(ΣK + RANK); bytes 2·(M·ΣK + N·ΣK + M·N) at least. Measured on an H200, with a
// rank of 16, M = 8192: 770 TFLOP/s at 4096 x 4096, 777 at 14336 x 4096, 797 at 4096 x
// 14336 (N x K), where cuBLASLt's product alone reaches 780, 675 to 780, and 690 to 800.
//
// A cluster of two blocks has 256 x 256 of d, each half of its rows, and goes from tile
// to tile. One thread of each block fetches [128, 64] of p for its own and half of q's
// [256, 64] for both blocks; its two other warpgroups have 64 rows each, and store a tile
// while the next one's numbers arrive.
#line 15 "product.cu"

enum {
    ROWS = 128, COLUMNS = 256, DEPTH = 64, // a block's tile, and a step along K
    BLOCK = 64 * 128,                      // bytes of 64 rows of 64 numbers
    P_BYTES = ROWS * DEPTH * 2, Q_BYTES = COLUMNS * DEPTH * 2, STAGE_BYTES = P_BYTES + Q_BYTES,
    OUT_BYTES = 64 * COLUMNS * 2, // of a warpgroup
    FACTOR_BYTES = SCALED ? COLUMNS * 4 : 0, // likewise
    SECOND = (RANK + DEPTH - 1) / DEPTH, // steps of p2·q2
    BOTH = 3, // blocks of a cluster
};

// A Place is where a cluster's tile begins. Tiles follow each other down TILES_DOWN of
// them, then on to the next columns, so that those at work share p and q in L2.
struct Place { int row, column; };
__device__ __forceinline__ Place place(int tile, int down, int across) {
    int first = tile / (TILES_DOWN * across) * TILES_DOWN, high = min(TILES_DOWN, down - first), in = tile - first * across;
    return {(first + in % high) * 2 * ROWS, in / high * COLUMNS};
}

// The maps of the large products' operands, and how many steps along K each has.
struct Maps { TensorMap of[TERMS]; };
struct Steps { int of[TERMS]; };

// last is the stage before that of a turn.
__device__ __forceinline__ u32 last(const Turn<STAGES> &turn) { return turn.place == 0 ? STAGES - 1 : turn.place - 1; }

// step adds a warpgroup's product of a stage, of `count` times 16 numbers of depth.
template <int COUNT> __device__ __forceinline__ void step(float (&sums)[128], u32 p, u32 q, int add) {
    products_begin();
#pragma unroll
    for (int j = 0; j < COUNT; j++) {
#if DOWN
        product<0, 1>(sums, rows_operand(p) + 2 * j, columns_operand(q, BLOCK) + 128 * j, add | j);
#else
        product(sums, rows_operand(p) + 2 * j, rows_operand(q) + 2 * j, add | j);
#endif
    }
    products_commit();
    products_wait<1>();
}

// scale multiplies a thread's numbers of 16 columns by the factors of its two of the first
// eight and of the last.
__device__ __forceinline__ void scale(float *v, const Vec<float, 2> &first, const Vec<float, 2> &last) {
#pragma unroll
    for (int i = 0; i < 4; i++) v[i] *= first.v[i % 2], v[4 + i] *= last.v[i % 2];
}

// meet waits for a warpgroup. A named barrier whose number is no constant would claim all.
__device__ __forceinline__ void meet(int half) {
    if (half) group_sync(2, 128);
    else group_sync(1, 128);
}

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
product_of_linear(const __grid_constant__ Maps p, const __grid_constant__ Maps q, const __grid_constant__ TensorMap p2,
                  const __grid_constant__ TensorMap q2, const __grid_constant__ TensorMap d, const __grid_constant__ Steps each, int M, int N,
                  int steps, int second, int add
#if SCALED
                  , const float *factor
#endif
                  ) {
    extern __shared__ char memory[];
    u32 stages = (shared_address(memory) + 1023) & ~1023u, outs = stages + STAGES * STAGE_BYTES;
    u32 full = outs + 2 * OUT_BYTES + 2 * FACTOR_BYTES, empty = full + 8 * STAGES, added = empty + 8 * STAGES;
    int group = threadIdx.x / 128, thread = threadIdx.x % 128, rank = block_rank();
    if (threadIdx.x == 0) {
        for (int i = 0; i < STAGES; i++) {
            barrier_init(full + 8 * i, 1);
            barrier_init(empty + 8 * i, 4); // two warpgroups of both blocks
        }
        barrier_init(added, 1);
        barrier_init(added + 8, 1);
        barriers_made();
    }
    cluster_sync();

    int down = (M + 2 * ROWS - 1) / (2 * ROWS), across = (N + COLUMNS - 1) / COLUMNS, tiles = down * across;
    Turn<STAGES> turn;
    if (group == 0) {
        give_registers<40>();
        if (threadIdx.x < 32 && elect()) {
            for (int tile = blockIdx.x / 2; tile < tiles; tile += gridDim.x / 2) {
                Place at = place(tile, down, across);
                int row = at.row + rank * ROWS, column = at.column + rank * (COLUMNS / 2);
                auto fetch = [&](const TensorMap &left, const TensorMap &right, int count) {
                    for (int k = 0; k < count * DEPTH; k += DEPTH) {
                        u32 to = stages + turn.place * STAGE_BYTES, half = to + P_BYTES + rank * (Q_BYTES / 2), barrier = full + 8 * turn.place;
                        barrier_wait(empty + 8 * turn.place, turn.parity ^ 1);
                        barrier_expect(barrier, STAGE_BYTES);
                        tile_load(to, left, k, row, barrier);
#if DOWN
                        tile_load_to(BOTH, half, right, column, k, barrier);
                        tile_load_to(BOTH, half + BLOCK, right, column + 64, k, barrier);
#else
                        tile_load_to(BOTH, half, right, k, column, barrier);
#endif
                        turn.next();
                    }
                };
                for (int i = 0; i < TERMS; i++) fetch(p.of[i], q.of[i], each.of[i]);
                fetch(p2, q2, second ? SECOND : 0);
            }
        }
    } else {
        take_registers<232>();
        int half = group - 1, lane = thread % 32, line = thread / 32 * 16 + (lane & 15); // where this lane's part of 16 rows lies
        u32 out = outs + half * OUT_BYTES, mine = out + line * 128, arrived = added + 8 * half, parity = 0;
        float sums[128];
        // The first product of a tile overwrites them; without a value before it, NVRTC
        // 12.1 runs products one by one.
#pragma unroll
        for (int i = 0; i < 128; i++) sums[i] = 0;
        for (int tile = blockIdx.x / 2; tile < tiles; tile += gridDim.x / 2) {
            Place at = place(tile, down, across);
            int row = at.row + rank * ROWS + half * 64;
            if (thread == 0) {
                stores_read<0>(); // of the last tile
                if (add) {
                    barrier_expect(arrived, OUT_BYTES);
                    for (int j = 0; j < COLUMNS / 64; j++) tile_load(out + j * BLOCK, d, at.column + 64 * j, row, arrived);
                }
            }
#if SCALED
            // Since they all met, nobody reads those of the last tile. They arrive during the products.
            u32 factors = outs + 2 * OUT_BYTES + half * FACTOR_BYTES;
            for (int i = thread; i < COLUMNS; i += 128) {
                bool there = at.column + i < N;
                copy4(factors + 4 * i, there ? factor + at.column + i : factor, there ? 4 : 0);
            }
            commit();
#endif
            settle(sums);
            for (int i = 0; i < steps; i++) {
                u32 from = stages + turn.place * STAGE_BYTES;
                barrier_wait(full + 8 * turn.place, turn.parity);
                step<4>(sums, from + half * BLOCK, from + P_BYTES, i);
                if (i > 0 && thread < 2) barrier_arrive_at(empty + 8 * last(turn), thread);
                turn.next();
            }
#if RANK
            if (second) {
#pragma unroll
                for (int i = 0; i < SECOND; i++) {
                    u32 from = stages + turn.place * STAGE_BYTES;
                    barrier_wait(full + 8 * turn.place, turn.parity);
                    if (i < SECOND - 1) step<4>(sums, from + half * BLOCK, from + P_BYTES, 1);
                    else step<(RANK - (SECOND - 1) * DEPTH + 15) / 16>(sums, from + half * BLOCK, from + P_BYTES, 1);
                    if (thread < 2) barrier_arrive_at(empty + 8 * last(turn), thread);
                    turn.next();
                }
            }
#endif
            products_wait<0>();
            settle(sums);
            if (thread < 2) barrier_arrive_at(empty + 8 * last(turn), thread);
            if (add) {
                barrier_wait(arrived, parity);
                parity ^= 1;
            } else if (!SCALED) {
                meet(half); // after stores_read
            }
#if SCALED
            wait<0>();
            meet(half); // after stores_read, and the copies that the others wait for
            const char *scales = memory + (factors - shared_address(memory)) + lane % 4 * 8;
#endif
#pragma unroll
            for (int j = 0; j < COLUMNS / 16; j++) {
                u32 to = mine + j / 4 * BLOCK + (((j % 4 * 2 + (lane >> 4)) ^ (line & 7)) << 4);
                float *v = sums + 8 * j;
#if SCALED
                scale(v, load<2>(reinterpret_cast<const float *>(scales + 64 * j)), load<2>(reinterpret_cast<const float *>(scales + 64 * j + 32)));
#endif
                if (add) {
                    u32 old[4];
                    ldmatrix(old, to);
#pragma unroll
                    for (int i = 0; i < 4; i++) v[2 * i] += unpack(old[i], 0), v[2 * i + 1] += unpack(old[i], 1);
                }
                store_matrices(to, pack2(v[0], v[1]), pack2(v[2], v[3]), pack2(v[4], v[5]), pack2(v[6], v[7]));
            }
            tile_written();
            meet(half);
            if (thread == 0) {
                for (int j = 0; j < COLUMNS / 64; j++)
                    if (row < M && at.column + 64 * j < N) tile_store(d, at.column + 64 * j, row, out + j * BLOCK);
                stores_commit();
            }
        }
        if (thread == 0) stores_read<0>();
    }
    __syncwarp();
    cluster_sync(); // the other block may still arrive here
}
