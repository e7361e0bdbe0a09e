// What an adapter's backward pass takes from dy [rows, WIDTH], in one pass over it:
//
//   d [rows, RANK] = scale · dy · b         b [WIDTH, RANK], h [rows, RANK]
//   db [WIDTH, RANK] += dyᵀ · h
//
// share has each block go down some rows of 512 columns and leave its share of both
// sums; finish adds the shares up in their order.
//
// FLOPs 4·rows·WIDTH·RANK; bytes 2·rows·WIDTH, and 4·RANK/512 of that, written and read,
// for the shares of d. Bound by memory: on an H200, whose copies reach some 4 TB/s, with a RANK
// of 16 and 8,192 rows 1.8 TB/s of 4096 columns, 2.4 of 8192, 2.7 of 14336.
//
// Before it stand hone.cuh, BF16, ptx.cuh and passes.cuh; Defined are TYPE, WIDTH, RANK,
// STAGES and BLOCKS, which a multiprocessor has at a time.
#line 16 "backward.cu"

typedef TYPE T;

enum {
    ROWS = 32, COLUMNS = 512, WARPS = 8, OWN = COLUMNS / WARPS, // of a tile; columns of a warp
    LINE = COLUMNS + 8, SHORT = RANK + 8,                       // numbers from row to row, without bank conflicts
    TILE_BYTES = ROWS * LINE * 2, STAGE_BYTES = TILE_BYTES + ROWS * SHORT * 2,
    EIGHTS = RANK / 8, PAIRS = (EIGHTS + 1) / 2, // of ranks
};

// fetch starts the copies of a tile of dy and of h.
__device__ __forceinline__ void fetch(u32 stage, const T *dy, const T *h, int hStride, int row, int column, int rows) {
    fetch_tile<ROWS, COLUMNS, LINE, 32 * WARPS>(stage, dy, WIDTH, row, column, rows, WIDTH);
    fetch_tile<ROWS, RANK, SHORT, 32 * WARPS>(stage + TILE_BYTES, h, hStride, row, 0, rows, RANK);
}

// share: block (x, y) has columns 512·x on, and rows from y·span on. Rows of h lie hStride
// numbers apart. dShares is [gridDim.x, rows, RANK], dbShares [gridDim.y, WIDTH, RANK].
extern "C" __global__ void __launch_bounds__(32 * WARPS, BLOCKS)
share(const T *dy, const T *b, const T *h, float *dShares, float *dbShares, int rows, int hStride, int span) {
    extern __shared__ char memory[];
    auto &parts = *reinterpret_cast<float (*)[WARPS][ROWS][RANK]>(memory); // of d, a warp's each
    u32 stages = shared_address(memory) + sizeof(parts);
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    int column = blockIdx.x * COLUMNS, own = column + warp * OWN;
    int first = blockIdx.y * span, end = min(rows, first + span), tiles = (end - first + ROWS - 1) / ROWS;

#pragma unroll
    for (int i = 0; i < STAGES - 1; i++) {
        if (i < tiles) fetch(stages + i * STAGE_BYTES, dy, h, hStride, first + i * ROWS, column, end);
        commit();
    }

    // b's rows of this warp's columns, as operands B: 16 columns of dy for each k.
    u32 factor[OWN / 16][EIGHTS][2];
#pragma unroll
    for (int k = 0; k < OWN / 16; k++)
#pragma unroll
        for (int n = 0; n < EIGHTS; n++)
#pragma unroll
            for (int j = 0; j < 2; j++) {
                int c = own + k * 16 + j * 8 + 2 * t;
                u32 low = c < WIDTH ? reinterpret_cast<const u16 *>(b)[i64(c) * RANK + n * 8 + g] : 0;
                u32 high = c + 1 < WIDTH ? reinterpret_cast<const u16 *>(b)[i64(c + 1) * RANK + n * 8 + g] : 0;
                factor[k][n][j] = low | high << 16;
            }

    float sums[OWN / 16][EIGHTS][4] = {};
    for (int tile = 0; tile < tiles; tile++) {
        wait<STAGES - 2>();
        __syncthreads();
        int ahead = tile + STAGES - 1;
        if (ahead < tiles) fetch(stages + ahead % STAGES * STAGE_BYTES, dy, h, hStride, first + ahead * ROWS, column, end);
        commit();
        u32 at = stages + tile % STAGES * STAGE_BYTES, mine = at + warp * OWN * 2;

        float d[ROWS / 16][EIGHTS][4] = {};
#pragma unroll
        for (int k = 0; k < ROWS / 16; k++) {
            u32 right[PAIRS][4];
#pragma unroll
            for (int n = 0; n < PAIRS; n++) ldmatrix_transposed(right[n], at + TILE_BYTES + lane_a<SHORT>() + (k * 16 * SHORT + n * 16) * 2);
#pragma unroll
            for (int m = 0; m < OWN / 16; m++) {
                u32 left[4];
                ldmatrix_transposed(left, mine + lane_b<LINE>() + (k * 16 * LINE + m * 16) * 2);
#pragma unroll
                for (int n = 0; n < EIGHTS; n++) mma(sums[m][n], left, right[n / 2][n % 2 * 2], right[n / 2][n % 2 * 2 + 1]);
                ldmatrix(left, mine + lane_a<LINE>() + (k * 16 * LINE + m * 16) * 2);
#pragma unroll
                for (int n = 0; n < EIGHTS; n++) mma(d[k][n], left, factor[m][n][0], factor[m][n][1]);
            }
        }
#pragma unroll
        for (int m = 0; m < ROWS / 16; m++)
#pragma unroll
            for (int n = 0; n < EIGHTS; n++)
#pragma unroll
                for (int i = 0; i < 4; i += 2)
                    *reinterpret_cast<float2 *>(&parts[warp][m * 16 + g + i * 4][n * 8 + 2 * t]) = make_float2(d[m][n][i], d[m][n][i + 1]);
        __syncthreads();
        int row = first + tile * ROWS;
        for (int i = threadIdx.x; i < ROWS * RANK; i += 32 * WARPS) {
            float sum = 0;
#pragma unroll
            for (int w = 0; w < WARPS; w++) sum += parts[w][i / RANK][i % RANK];
            if (row + i / RANK < end) dShares[(i64(blockIdx.x) * rows + row) * RANK + i] = sum;
        }
    }
#pragma unroll
    for (int m = 0; m < OWN / 16; m++)
#pragma unroll
        for (int n = 0; n < EIGHTS; n++)
#pragma unroll
            for (int i = 0; i < 4; i += 2) {
                int c = own + m * 16 + g + i * 4;
                if (c < WIDTH)
                    *reinterpret_cast<float2 *>(dbShares + (i64(blockIdx.y) * WIDTH + c) * RANK + n * 8 + 2 * t) = make_float2(sums[m][n][i], sums[m][n][i + 1]);
            }
}

// finish has each thread add up the shares of four numbers of d, whose rows lie dStride
// numbers apart, or of db.
extern "C" __global__ void __launch_bounds__(256)
finish(const float *dShares, const float *dbShares, T *d, float *db, float scale, int rows, int dStride, int dCount, int dbCount) {
    i64 i = (i64(blockIdx.x) * 256 + threadIdx.x) * 4, ofD = i64(rows) * RANK, ofB = i64(WIDTH) * RANK;
    if (i < ofD) store_total(d + i / RANK * dStride + i % RANK, scale, dShares, i, ofD, dCount);
    else if (i - ofD < ofB) add_total(db, 1.0f, dbShares, i - ofD, ofB, dbCount);
}
