// What adapters on one input x [rows, WIDTH] take from it, in one pass over it each way.
// The matrices A of all of them lie one behind the other, RANK rows together:
//
//   h [rows, RANK] = scale · x · aᵀ     a [RANK, WIDTH]
//   da [RANK, WIDTH] += dᵀ · x          d [rows, RANK]
//
// Blocks leave shares of both, of some columns of x or of some of its rows; finish_down
// and finish_gradient add them up in their order.
//
// FLOPs 2·rows·WIDTH·RANK each; bytes 2·rows·WIDTH. Bound by memory. On an H200, whose copies
// reach some 4 TB/s, 8,192 rows: with a WIDTH of 4096 and a RANK of 48 2.1 TB/s, both ways;
// with 14336 and 16 3.2 and 3.1, launches of both kernels included.
//
// Before it stand hone.cuh, BF16, ptx.cuh and passes.cuh; Defined are TYPE, WIDTH, RANK,
// and BLOCKS, which a multiprocessor has at a time, and the stages of both kernels.
#line 17 "input.cu"

typedef TYPE T;

enum {
    EIGHTS = RANK / 8, PAIRS = (EIGHTS + 1) / 2, // of ranks

    // down: a tile of x is [HIGH, DEPTH], a warp has 32 rows of it.
    HIGH = 128, DEPTH = 64, DOWN_WARPS = HIGH / 32, DEEP = DEPTH + 8, // numbers from row to row, without bank conflicts
    X_BYTES = HIGH * DEEP * 2, A_BYTES = 16 * PAIRS * DEEP * 2, DOWN_BYTES = X_BYTES + A_BYTES,

    // gradient: a tile of x is [ROWS, COLUMNS], a warp has 32 columns of it.
    ROWS = 64, COLUMNS = 128, WARPS = COLUMNS / 32, LINE = COLUMNS + 8, SHORT = 16 * PAIRS + 8,
    TILE_BYTES = ROWS * LINE * 2, GRADIENT_BYTES = TILE_BYTES + ROWS * SHORT * 2,
};

// fetch_down starts the copies of a tile of x and of a.
__device__ __forceinline__ void fetch_down(u32 stage, const T *x, const T *a, int row, int column, int rows) {
    fetch_tile<HIGH, DEPTH, DEEP, 32 * DOWN_WARPS>(stage, x, WIDTH, row, column, rows, WIDTH);
    fetch_tile<RANK, DEPTH, DEEP, 32 * DOWN_WARPS>(stage + X_BYTES, a, WIDTH, 0, column, RANK, WIDTH);
}

// down: block (x, y) has rows 128·x on, and columns from y·span on. shares is
// [gridDim.y, rows, RANK].
extern "C" __global__ void __launch_bounds__(32 * DOWN_WARPS, BLOCKS)
down(const T *x, const T *a, float *shares, int rows, int span) {
    extern __shared__ char memory[];
    u32 stages = shared_address(memory);
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    int row = blockIdx.x * HIGH, first = blockIdx.y * span, tiles = (min(WIDTH, first + span) - first + DEPTH - 1) / DEPTH;
    float sums[2][EIGHTS][4] = {};
#pragma unroll
    for (int i = 0; i < DOWN_STAGES - 1; i++) {
        if (i < tiles) fetch_down(stages + i * DOWN_BYTES, x, a, row, first + i * DEPTH, rows);
        commit();
    }
    for (int tile = 0; tile < tiles; tile++) {
        wait<DOWN_STAGES - 2>();
        __syncthreads();
        int ahead = tile + DOWN_STAGES - 1;
        if (ahead < tiles) fetch_down(stages + ahead % DOWN_STAGES * DOWN_BYTES, x, a, row, first + ahead * DEPTH, rows);
        commit();
        u32 at = stages + tile % DOWN_STAGES * DOWN_BYTES;
#pragma unroll
        for (int k = 0; k < DEPTH / 16; k++) {
            u32 left[2][4];
#pragma unroll
            for (int m = 0; m < 2; m++) ldmatrix(left[m], at + lane_a<DEEP>() + ((warp * 32 + m * 16) * DEEP + k * 16) * 2);
#pragma unroll
            for (int n = 0; n < PAIRS; n++) {
                u32 right[4];
                ldmatrix(right, at + X_BYTES + lane_b<DEEP>() + (n * 16 * DEEP + k * 16) * 2);
#pragma unroll
                for (int m = 0; m < 2; m++) {
                    mma(sums[m][2 * n], left[m], right[0], right[1]);
                    if (2 * n + 1 < EIGHTS) mma(sums[m][2 * n + 1], left[m], right[2], right[3]);
                }
            }
        }
    }
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < EIGHTS; n++)
#pragma unroll
            for (int i = 0; i < 4; i += 2) {
                int r = row + warp * 32 + m * 16 + g + i * 4;
                if (r < rows)
                    *reinterpret_cast<float2 *>(shares + (i64(blockIdx.y) * rows + r) * RANK + n * 8 + 2 * t) = make_float2(sums[m][n][i], sums[m][n][i + 1]);
            }
}

extern "C" __global__ void __launch_bounds__(256)
finish_down(const float *shares, T *h, float scale, int rows, int count) {
    i64 i = (i64(blockIdx.x) * 256 + threadIdx.x) * 4, all = i64(rows) * RANK;
    if (i < all) store_total(h + i, scale, shares, i, all, count);
}

// fetch starts the copies of a tile of x and of d.
__device__ __forceinline__ void fetch(u32 stage, const T *x, const T *d, int row, int column, int rows) {
    fetch_tile<ROWS, COLUMNS, LINE, 32 * WARPS>(stage, x, WIDTH, row, column, rows, WIDTH);
    fetch_tile<ROWS, RANK, SHORT, 32 * WARPS>(stage + TILE_BYTES, d, RANK, row, 0, rows, RANK);
}

// gradient: block (x, y) has columns 128·x on, and rows from y·span on. shares is
// [gridDim.y, RANK, WIDTH].
extern "C" __global__ void __launch_bounds__(32 * WARPS, BLOCKS)
gradient(const T *x, const T *d, float *shares, int rows, int span) {
    extern __shared__ char memory[];
    u32 stages = shared_address(memory);
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    int column = blockIdx.x * COLUMNS, own = column + warp * 32;
    int first = blockIdx.y * span, end = min(rows, first + span), tiles = (end - first + ROWS - 1) / ROWS;
    float sums[2][EIGHTS][4] = {};
#pragma unroll
    for (int i = 0; i < STAGES - 1; i++) {
        if (i < tiles) fetch(stages + i * GRADIENT_BYTES, x, d, first + i * ROWS, column, end);
        commit();
    }
    for (int tile = 0; tile < tiles; tile++) {
        wait<STAGES - 2>();
        __syncthreads();
        int ahead = tile + STAGES - 1;
        if (ahead < tiles) fetch(stages + ahead % STAGES * GRADIENT_BYTES, x, d, first + ahead * ROWS, column, end);
        commit();
        u32 at = stages + tile % STAGES * GRADIENT_BYTES;
#pragma unroll
        for (int k = 0; k < ROWS / 16; k++) {
            u32 left[2][4];
#pragma unroll
            for (int m = 0; m < 2; m++) ldmatrix_transposed(left[m], at + lane_b<LINE>() + (k * 16 * LINE + warp * 32 + m * 16) * 2);
#pragma unroll
            for (int n = 0; n < PAIRS; n++) {
                u32 right[4];
                ldmatrix_transposed(right, at + TILE_BYTES + lane_a<SHORT>() + (k * 16 * SHORT + n * 16) * 2);
#pragma unroll
                for (int m = 0; m < 2; m++) {
                    mma(sums[m][2 * n], left[m], right[0], right[1]);
                    if (2 * n + 1 < EIGHTS) mma(sums[m][2 * n + 1], left[m], right[2], right[3]);
                }
            }
        }
    }
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < EIGHTS; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int c = own + m * 16 + g + i / 2 * 8;
                if (c < WIDTH) shares[(i64(blockIdx.y) * RANK + n * 8 + 2 * t + i % 2) * WIDTH + c] = sums[m][n][i];
            }
}

extern "C" __global__ void __launch_bounds__(256)
finish_gradient(const float *shares, float *da, int count) {
    i64 i = (i64(blockIdx.x) * 256 + threadIdx.x) * 4, all = i64(WIDTH) * RANK;
    if (i < all) add_total(da, shares, i, all, count);
}
