// What tests hopper.cuh: products of one tile that TMA reads and writes.
#include "hone.cuh"

typedef TYPE T;

// One warpgroup computes c [64, COLUMNS] = A·B with K = 128, through shared memory. a is
// [64, K], or [K, 64] where A_DOWN is 1; b is [COLUMNS, K], or [K, COLUMNS] where B_DOWN is 1; each is
// two or more blocks of 64 numbers a row. c goes by way of a tile to a tensor.
extern "C" __global__ void __launch_bounds__(128)
product_of_tiles(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, const __grid_constant__ TensorMap c, int registers) {
    extern __shared__ u8 pool[];
    u32 base = (shared_address(pool) + 1023) & ~1023;
    constexpr int a_block = (A_DOWN ? 128 : 64) * 128, b_block = (B_DOWN ? 128 : COLUMNS) * 128;
    constexpr int a_blocks = A_DOWN ? 1 : 2, b_blocks = B_DOWN ? COLUMNS / 64 : 2;
    u32 a_tile = base, b_tile = a_tile + a_blocks * a_block, c_tile = b_tile + b_blocks * b_block, barrier = c_tile + COLUMNS / 64 * 8192;
    if (threadIdx.x == 0) {
        barrier_init(barrier, 1);
        barriers_made();
    }
    __syncthreads();
    if (threadIdx.x < 32 && elect()) {
        prefetch_map(c);
        barrier_expect(barrier, a_blocks * a_block + b_blocks * b_block);
        tile_load(a_tile, a, 0, 0, 0, barrier);
        for (int i = 0; i < b_blocks; i++) tile_load(b_tile + i * b_block, b, 64 * i, 0, barrier);
    }
    barrier_wait(barrier, 0);
    float d[COLUMNS / 2];
    u64 left = A_DOWN ? columns_operand(a_tile, a_block) : rows_operand(a_tile);
    u64 right = B_DOWN ? columns_operand(b_tile, b_block) : rows_operand(b_tile);
#if !A_DOWN
    u32 x[8][4];
    if (registers) {
        int lane = threadIdx.x & 31, row = threadIdx.x / 32 * 16 + (lane & 15);
        for (int s = 0; s < 8; s++) ldmatrix(x[s], a_tile + s / 4 * a_block + row * 128 + (((s % 4 * 2 + (lane >> 4)) ^ (row & 7)) << 4));
        settle(d);
        settle(x);
        products_begin();
#pragma unroll
        for (int s = 0; s < 8; s++) product<B_DOWN>(d, x[s], right + (B_DOWN ? 128 * s : s / 4 * (b_block >> 4) + s % 4 * 2), s);
    } else
#endif
    {
        settle(d);
        products_begin();
#pragma unroll
        for (int s = 0; s < 8; s++)
            product<A_DOWN, B_DOWN>(d, left + (A_DOWN ? 128 * s : s / 4 * (a_block >> 4) + s % 4 * 2),
                                 right + (B_DOWN ? 128 * s : s / 4 * (b_block >> 4) + s % 4 * 2), s);
    }
    products_commit();
    products_wait<0>();
    settle(d);
    int lane = threadIdx.x & 31, row = threadIdx.x / 32 * 16 + (lane & 15);
#pragma unroll
    for (int n = 0; n < COLUMNS / 16; n++) {
        u32 at = c_tile + n / 4 * 8192 + row * 128 + (((n % 4 * 2 + (lane >> 4)) ^ (row & 7)) << 4);
        store_matrices(at, pack2(d[8 * n], d[8 * n + 1]), pack2(d[8 * n + 2], d[8 * n + 3]), pack2(d[8 * n + 4], d[8 * n + 5]), pack2(d[8 * n + 6], d[8 * n + 7]));
    }
    tile_written();
    group_sync(1, 128);
    if (threadIdx.x < 32 && elect()) {
        for (int i = 0; i < COLUMNS / 64; i++) tile_store(c, 64 * i, 0, c_tile + i * 8192);
        stores_commit();
        stores_read<0>();
    }
}
