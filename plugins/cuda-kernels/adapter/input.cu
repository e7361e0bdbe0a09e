// What adapters on one input x [rows, WIDTH] take from it, in one pass over it each way.
// The matrices A of all of them lie one behind the other, RANK rows together:
//
//   h [rows, RANK] = scale · x · aᵀ     a [RANK, WIDTH]
//   da [RANK, WIDTH] += dᵀ · x          d [rows, RANK]
//
// Blocks leave shares of both, of some columns of x or of some of its rows; finish_down
// and finish_gradient add them up in their order.
//
// With DROPS each of ADAPTERS adapters, of RANK/ADAPTERS, has dropout of its own: x is m∘x for
// it, m being 0 or 1 by the counters of sdk/graph/dropout, and the factor of what is kept is
// left to scale and factor. As m∘(d·a) cannot be part of a product that has no m, gradient
// adds factor times that to dx [rows, WIDTH] as well, by the masks that it has.
//
// FLOPs 2·rows·WIDTH·RANK each; bytes 2·rows·WIDTH. Bound by memory. On an H200, whose copies
// reach 4.3 TB/s, 8,192 rows: with a WIDTH of 4096 and a RANK of 48 2.1 TB/s, both ways;
// with 14336 and 16 3.2 and 3.1, launches of both kernels included.
//
// With DROPS there are some 44 instructions more for each number and adapter, and dx is read and
// written, 6·rows·WIDTH bytes backward: bound by the masks. With a WIDTH of 4096 1.3 TB/s
// forward and 1.8 backward for one adapter, a third and 0.6 of that for three.
//
// Before it stand hone.cuh, BF16, ptx.cuh, passes.cuh and masks.cuh; Defined are TYPE, WIDTH,
// RANK, DROPS, ADAPTERS, ROWS, and BLOCKS, which a multiprocessor has at a time, and the stages
// of both kernels.
#line 27 "input.cu"

typedef TYPE T;

enum {
    EIGHTS = RANK / 8, PAIRS = (EIGHTS + 1) / 2, OWN = EIGHTS / ADAPTERS, // of ranks; an adapter's
    MASKS = DROPS ? ADAPTERS : 1,

    // down: a tile of x is [HIGH, DEPTH], a warp has 32 rows of it.
    HIGH = 128, DEPTH = 64, DOWN_WARPS = HIGH / 32, DEEP = DEPTH + 8, // numbers from row to row, without bank conflicts
    X_BYTES = HIGH * DEEP * 2, A_BYTES = 16 * PAIRS * DEEP * 2, DOWN_BYTES = X_BYTES + A_BYTES,

    // gradient: a tile of x is [ROWS, COLUMNS], a warp has 32 columns of it.
    COLUMNS = 128, WARPS = COLUMNS / 32, LINE = COLUMNS + 8, SHORT = 16 * PAIRS + 8,
    TILE_BYTES = ROWS * LINE * 2, D_BYTES = ROWS * SHORT * 2, // of x or dx; of d
    D_AT = (1 + DROPS) * TILE_BYTES, IDS_AT = D_AT + D_BYTES, GRADIENT_BYTES = IDS_AT + DROPS * ROWS * 8,
};

#if DROPS
enum { CHUNKS = (OWN + 1) / 2 }; // of 16 of an adapter's ranks
#define MASK_PARAMETERS , const int *sample, const int *position, const u32 *keys, u32 threshold
#define MASK_ARGUMENTS , sample, position, keys, threshold
#define DX_PARAMETERS , T *dx
#define DX_ARGUMENTS , dx
#define LIFT_PARAMETERS , const T *a, float factor
#else
#define MASK_PARAMETERS
#define MASK_ARGUMENTS
#define DX_PARAMETERS
#define DX_ARGUMENTS
#define LIFT_PARAMETERS
#endif

// mask_of is the mask of eight of the ranks.
__device__ constexpr int mask_of(int eighth) { return DROPS ? eighth / OWN : 0; }

// fetch_down starts the copies of a tile of x and of a.
__device__ __forceinline__ void fetch_down(u32 stage, const T *x, const T *a, int row, int column, int rows) {
    fetch_tile<HIGH, DEPTH, DEEP, 32 * DOWN_WARPS>(stage, x, WIDTH, row, column, rows, WIDTH);
    fetch_tile<RANK, DEPTH, DEEP, 32 * DOWN_WARPS>(stage + X_BYTES, a, WIDTH, 0, column, RANK, WIDTH);
}

// down: block (x, y) has rows 128·x on, and columns from y·span on. shares is
// [gridDim.y, rows, RANK].
extern "C" __global__ void __launch_bounds__(32 * DOWN_WARPS, BLOCKS)
down(const T *x, const T *a, float *shares, int rows, int span MASK_PARAMETERS) {
    extern __shared__ char memory[];
    u32 stages = shared_address(memory);
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    int row = blockIdx.x * HIGH, first = blockIdx.y * span, tiles = (min(WIDTH, first + span) - first + DEPTH - 1) / DEPTH;
    float sums[2][EIGHTS][4] = {};
#if DROPS
    int who[2], where[2]; // of the rows whose numbers this lane decides
#pragma unroll
    for (int m = 0; m < 2; m++) {
        int r = min(rows - 1, row + warp * 32 + m * 16 + own_row());
        who[m] = sample[r], where[m] = position[r];
    }
#endif
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
            u32 kept[MASKS][2][4];
#pragma unroll
            for (int i = 0; i < MASKS; i++)
#pragma unroll
                for (int m = 0; m < 2; m++) {
#if DROPS
                    mask_rows(kept[i][m], who[m], where[m], first + tile * DEPTH + k * 16, keys + 2 * i, threshold);
                    keep(kept[i][m], left[m]);
#else
                    copy(kept[i][m], left[m]);
#endif
                }
#pragma unroll
            for (int n = 0; n < PAIRS; n++) {
                u32 right[4];
                ldmatrix(right, at + X_BYTES + lane_b<DEEP>() + (n * 16 * DEEP + k * 16) * 2);
#pragma unroll
                for (int m = 0; m < 2; m++) {
                    mma(sums[m][2 * n], kept[mask_of(2 * n)][m], right[0], right[1]);
                    if (2 * n + 1 < EIGHTS) mma(sums[m][2 * n + 1], kept[mask_of(2 * n + 1)][m], right[2], right[3]);
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

// fetch starts the copies of a tile of x and of d, and with DROPS of dx and of what the rows
// are.
__device__ __forceinline__ void fetch(u32 stage, const T *x, const T *d, int row, int column, int rows DX_PARAMETERS MASK_PARAMETERS) {
    fetch_tile<ROWS, COLUMNS, LINE, 32 * WARPS>(stage, x, WIDTH, row, column, rows, WIDTH);
    fetch_tile<ROWS, RANK, SHORT, 32 * WARPS>(stage + D_AT, d, RANK, row, 0, rows, RANK);
#if DROPS
    if (dx) fetch_tile<ROWS, COLUMNS, LINE, 32 * WARPS>(stage + TILE_BYTES, dx, WIDTH, row, column, rows, WIDTH);
    if (threadIdx.x < 2 * ROWS) {
        int r = threadIdx.x % ROWS;
        const int *from = threadIdx.x < ROWS ? sample : position;
        copy4(stage + IDS_AT + threadIdx.x * 4, row + r < rows ? from + row + r : from, row + r < rows ? 4 : 0);
    }
#endif
}

#if DROPS
// add_lifted adds Σ factor·m∘(d·a) to this warp's 16 columns from `column` of 16 rows of a
// tile of dx: lifted is a of the columns by adapter, kept their masks, d and dx where the
// lane's operands lie.
__device__ __forceinline__ void add_lifted(u32 dx, u32 d, const u32 (&lifted)[ADAPTERS][CHUNKS][4], const u32 (&masks)[ADAPTERS][4], float factor) {
    float sum[8] = {};
#pragma unroll
    for (int i = 0; i < ADAPTERS; i++) {
        float p[2][4] = {}; // of rows 0 to 7 and 8 to 15, by columns
#pragma unroll
        for (int c = 0; c < CHUNKS; c++) {
            u32 right[4];
            ldmatrix(right, d + lane_b<SHORT>() + (i * OWN * 8 + c * 16) * 2);
            mma(p[0], lifted[i][c], right[0], right[1]);
            mma(p[1], lifted[i][c], right[2], right[3]);
        }
#pragma unroll
        for (int j = 0; j < 8; j++) sum[j] += masks[i][j / 2] >> j % 2 * 16 & 1 ? p[j / 4][j % 4] : 0.0f;
    }
    u32 old[4];
    ldmatrix_transposed(old, dx + lane_b<LINE>());
    __syncwarp(); // what another lane has read is written from here on
    u32 to = dx + (threadIdx.x % 4 * 2 * LINE + threadIdx.x % 32 / 4) * 2;
#pragma unroll
    for (int j = 0; j < 8; j += 2) {
        u32 pair = pack2(unpack(old[j / 2], 0) + factor * sum[j], unpack(old[j / 2], 1) + factor * sum[j + 1]);
        u32 at = to + (j / 4 * 8 * LINE + j / 2 % 2 * 8) * 2; // (row 2t, column g), or 8 further
        store_shared(at, u16(pair));
        store_shared(at + LINE * 2, u16(pair >> 16));
    }
}

// send_dx writes what this warp has of a tile of dx.
__device__ __forceinline__ void send_dx(u32 tile, T *dx, int row, int column, int rows) {
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, c = warp * 32 + lane % 4 * 8;
    __syncwarp();
#pragma unroll
    for (int r = lane / 4; r < ROWS; r += 8) {
        u32 v[4];
        load_shared(v, tile + (r * LINE + c) * 2);
        if (row + r < rows && column + c < WIDTH) store(reinterpret_cast<u32 *>(dx + i64(row + r) * WIDTH + column + c), Vec<u32, 4>{v[0], v[1], v[2], v[3]});
    }
}
#endif

// gradient: block (x, y) has columns 128·x on, and rows from y·span on. shares is
// [gridDim.y, RANK, WIDTH]. dx may be null.
extern "C" __global__ void __launch_bounds__(32 * WARPS, BLOCKS)
gradient(const T *x, const T *d, float *shares, int rows, int span DX_PARAMETERS LIFT_PARAMETERS MASK_PARAMETERS) {
    extern __shared__ char memory[];
    u32 stages = shared_address(memory);
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    int column = blockIdx.x * COLUMNS, own = column + warp * 32;
    int first = blockIdx.y * span, end = min(rows, first + span), tiles = (end - first + ROWS - 1) / ROWS;
    float sums[2][EIGHTS][4] = {};
#if DROPS
    // d's rows end before those of its tiles, where operands of 16 numbers do not.
    for (int i = threadIdx.x; i < STAGES * ROWS * (SHORT - RANK); i += 32 * WARPS)
        store_shared(stages + i / (ROWS * (SHORT - RANK)) * GRADIENT_BYTES + D_AT + (i / (SHORT - RANK) % ROWS * SHORT + RANK + i % (SHORT - RANK)) * 2, u16(0));
    u32 lifted[2][ADAPTERS][CHUNKS][4];
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int i = 0; i < ADAPTERS; i++)
#pragma unroll
            for (int c = 0; c < CHUNKS; c++)
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    int k = c * 16 + j / 2 * 8 + 2 * t, to = own + m * 16 + g + j % 2 * 8; // of the adapter's rank; a column
                    const u16 *from = reinterpret_cast<const u16 *>(a) + i64(i * OWN * 8 + k) * WIDTH + to;
                    lifted[m][i][c][j] = k < OWN * 8 && to < WIDTH ? from[0] | u32(from[WIDTH]) << 16 : 0;
                }
#endif
#pragma unroll
    for (int i = 0; i < STAGES - 1; i++) {
        if (i < tiles) fetch(stages + i * GRADIENT_BYTES, x, d, first + i * ROWS, column, end DX_ARGUMENTS MASK_ARGUMENTS);
        commit();
    }
    for (int tile = 0; tile < tiles; tile++) {
        wait<STAGES - 2>();
        __syncthreads();
        int ahead = tile + STAGES - 1;
        if (ahead < tiles) fetch(stages + ahead % STAGES * GRADIENT_BYTES, x, d, first + ahead * ROWS, column, end DX_ARGUMENTS MASK_ARGUMENTS);
        commit();
        u32 at = stages + tile % STAGES * GRADIENT_BYTES;
#pragma unroll
        for (int k = 0; k < ROWS / 16; k++) {
            u32 kept[MASKS][2][4];
#pragma unroll
            for (int m = 0; m < 2; m++) {
                u32 left[4], corner = (k * 16 * LINE + warp * 32 + m * 16) * 2;
                ldmatrix_transposed(left, at + corner + lane_b<LINE>());
#if DROPS
                u32 masks[ADAPTERS][4], who = load_shared(at + IDS_AT + (k * 16 + own_column_row()) * 4),
                                        where = load_shared(at + IDS_AT + (ROWS + k * 16 + own_column_row()) * 4);
#pragma unroll
                for (int i = 0; i < ADAPTERS; i++) {
                    mask_columns(masks[i], who, where, own + m * 16, keys + 2 * i, threshold);
                    copy(kept[i][m], masks[i]);
                    keep(kept[i][m], left);
                }
                if (dx) add_lifted(at + TILE_BYTES + corner, at + D_AT + k * 16 * SHORT * 2, lifted[m], masks, factor);
#else
                copy(kept[0][m], left);
#endif
            }
#pragma unroll
            for (int n = 0; n < PAIRS; n++) {
                u32 right[4];
                ldmatrix_transposed(right, at + D_AT + lane_a<SHORT>() + (k * 16 * SHORT + n * 16) * 2);
#pragma unroll
                for (int m = 0; m < 2; m++) {
                    mma(sums[m][2 * n], kept[mask_of(2 * n)][m], right[0], right[1]);
                    if (2 * n + 1 < EIGHTS) mma(sums[m][2 * n + 1], kept[mask_of(2 * n + 1)][m], right[2], right[3]);
                }
            }
        }
#if DROPS
        if (dx) send_dx(at + TILE_BYTES, dx, first + tile * ROWS, column, end);
#endif
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
finish_gradient(const float *shares, float *da, float factor, int count) {
    i64 i = (i64(blockIdx.x) * 256 + threadIdx.x) * 4, all = i64(WIDTH) * RANK;
    if (i < all) add_total(da, factor, shares, i, all, count);
}
