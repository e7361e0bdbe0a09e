// What the backward pass of adapters takes from the gradients dy [rows, width] of what their
// linears give, in one pass over each: for one adapter, or for up to four of one rank whose
// linears have one input,
//
//   d [rows, RANK] = scale · dy · b         b [width, RANK], h [rows, RANK]
//   db [width, RANK] += dyᵀ · h
//
// the parts of h and d beside each other. share has each block go down some rows of 512
// columns and leave its share of both sums; finish adds the shares up in their order.
//
// FLOPs 4·rows·width·RANK; bytes 2·rows·width, and 4·RANK/512 of that, written and read,
// for the shares of d. Bound by memory: on an H200, whose copies reach 4.3 TB/s, with a RANK
// of 16 and 8,192 rows 1.9 TB/s of 4096 columns, 2.7 of 14336; 2.1 of 4096, 1024 and 1024
// together, 3.0 of twice 14336.
//
// Before it stand hone.cuh, BF16, ptx.cuh and passes.cuh; Defined are TYPE, ADAPTERS, WIDTHS
// (of each, four in all), RANK, STAGES and BLOCKS, which a multiprocessor has at a time.
#line 19 "backward.cu"

typedef TYPE T;

enum {
    ROWS = 32, COLUMNS = 512, WARPS = 8, OWN = COLUMNS / WARPS, // of a tile; columns of a warp
    LINE = COLUMNS + 8, SHORT = RANK + 8,                       // numbers from row to row, without bank conflicts
    TILE_BYTES = ROWS * LINE * 2, STAGE_BYTES = TILE_BYTES + ROWS * SHORT * 2,
    EIGHTS = RANK / 8, PAIRS = (EIGHTS + 1) / 2, // of ranks
};

// A Place is where a block, or a number, is among the adapters: which one, what lies before it
// of their blocks of columns and of their widths, and its width.
struct Place { int adapter, blocks, before, width; };

__device__ constexpr int width_of(int i) {
    constexpr int widths[] = {WIDTHS};
    return widths[i];
}
__device__ constexpr int blocks_of(int i) { return (width_of(i) + COLUMNS - 1) / COLUMNS; }
__device__ constexpr int all_widths() {
    int sum = 0;
    for (int i = 0; i < ADAPTERS; i++) sum += width_of(i);
    return sum;
}

// place is that of a block, or of a column among all of them.
template <bool OF_BLOCKS> __device__ __forceinline__ Place place(int at) {
    Place p = {0, 0, 0, width_of(0)};
#pragma unroll
    for (int i = 0; i + 1 < ADAPTERS; i++)
        if (p.adapter == i && at >= (OF_BLOCKS ? p.blocks + blocks_of(i) : p.before + width_of(i)))
            p = {i + 1, p.blocks + blocks_of(i), p.before + width_of(i), width_of(i + 1)};
    return p;
}

// of is the adapter's of four pointers.
template <typename P> __device__ __forceinline__ P *of(int adapter, P *a, P *b, P *c, P *d) {
    if (ADAPTERS > 1 && adapter == 1) return b;
    if (ADAPTERS > 2 && adapter == 2) return c;
    return ADAPTERS > 3 && adapter == 3 ? d : a;
}

// fetch starts the copies of a tile of dy and of h.
__device__ __forceinline__ void fetch(u32 stage, const T *dy, int width, const T *h, int hStride, int row, int column, int rows) {
    fetch_tile<ROWS, COLUMNS, LINE, 32 * WARPS>(stage, dy, width, row, column, rows, width);
    fetch_tile<ROWS, RANK, SHORT, 32 * WARPS>(stage + TILE_BYTES, h, hStride, row, 0, rows, RANK);
}

// share: block (x, y) has 512 columns, the x-th of all adapters', and rows from y·span on. Rows
// of h lie hStride numbers apart. dShares is [gridDim.x, rows, RANK], dbShares [gridDim.y, all
// widths, RANK].
extern "C" __global__ void __launch_bounds__(32 * WARPS, BLOCKS)
share(const T *dy0, const T *dy1, const T *dy2, const T *dy3, const T *b0, const T *b1, const T *b2, const T *b3, const T *h, float *dShares, float *dbShares,
      int rows, int hStride, int span) {
    extern __shared__ char memory[];
    auto &parts = *reinterpret_cast<float (*)[WARPS][ROWS][RANK]>(memory); // of d, a warp's each
    u32 stages = shared_address(memory) + sizeof(parts);
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    Place mine = place<true>(blockIdx.x);
    const T *dy = of(mine.adapter, dy0, dy1, dy2, dy3), *b = of(mine.adapter, b0, b1, b2, b3);
    h += mine.adapter * RANK;
    int width = mine.width, column = (blockIdx.x - mine.blocks) * COLUMNS, own = column + warp * OWN;
    int first = blockIdx.y * span, end = min(rows, first + span), tiles = (end - first + ROWS - 1) / ROWS;

#pragma unroll
    for (int i = 0; i < STAGES - 1; i++) {
        if (i < tiles) fetch(stages + i * STAGE_BYTES, dy, width, h, hStride, first + i * ROWS, column, end);
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
                u32 low = c < width ? reinterpret_cast<const u16 *>(b)[i64(c) * RANK + n * 8 + g] : 0;
                u32 high = c + 1 < width ? reinterpret_cast<const u16 *>(b)[i64(c + 1) * RANK + n * 8 + g] : 0;
                factor[k][n][j] = low | high << 16;
            }

    float sums[OWN / 16][EIGHTS][4] = {};
    for (int tile = 0; tile < tiles; tile++) {
        wait<STAGES - 2>();
        __syncthreads();
        int ahead = tile + STAGES - 1;
        if (ahead < tiles) fetch(stages + ahead % STAGES * STAGE_BYTES, dy, width, h, hStride, first + ahead * ROWS, column, end);
        commit();
        u32 at = stages + tile % STAGES * STAGE_BYTES, columns = at + warp * OWN * 2;

        float d[ROWS / 16][EIGHTS][4] = {};
#pragma unroll
        for (int k = 0; k < ROWS / 16; k++) {
            u32 right[PAIRS][4];
#pragma unroll
            for (int n = 0; n < PAIRS; n++) ldmatrix_transposed(right[n], at + TILE_BYTES + lane_a<SHORT>() + (k * 16 * SHORT + n * 16) * 2);
#pragma unroll
            for (int m = 0; m < OWN / 16; m++) {
                u32 left[4];
                ldmatrix_transposed(left, columns + lane_b<LINE>() + (k * 16 * LINE + m * 16) * 2);
#pragma unroll
                for (int n = 0; n < EIGHTS; n++) mma(sums[m][n], left, right[n / 2][n % 2 * 2], right[n / 2][n % 2 * 2 + 1]);
                ldmatrix(left, columns + lane_a<LINE>() + (k * 16 * LINE + m * 16) * 2);
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
                if (c < width)
                    *reinterpret_cast<float2 *>(dbShares + (i64(blockIdx.y) * all_widths() + mine.before + c) * RANK + n * 8 + 2 * t) = make_float2(sums[m][n][i], sums[m][n][i + 1]);
            }
}

// finish has each thread add up the shares of four numbers of d, whose rows lie dStride
// numbers apart, or of db.
extern "C" __global__ void __launch_bounds__(256)
finish(const float *dShares, const float *dbShares, T *d, float *db0, float *db1, float *db2, float *db3, float scale, int rows, int dStride, int spans) {
    i64 i = (i64(blockIdx.x) * 256 + threadIdx.x) * 4, each = i64(rows) * RANK, all = i64(all_widths()) * RANK;
    if (i < ADAPTERS * each) {
        int adapter = 0, before = 0; // blocks of columns
#pragma unroll
        for (int k = 0; k + 1 < ADAPTERS; k++)
            if (adapter == k && i >= each) i -= each, before += blocks_of(k), adapter++;
        int count = blocks_of(0);
#pragma unroll
        for (int k = 1; k < ADAPTERS; k++)
            if (adapter == k) count = blocks_of(k);
        store_total(d + i / RANK * dStride + adapter * RANK + i % RANK, scale, dShares + before * each, i, each, count);
        return;
    }
    i -= ADAPTERS * each;
    if (i >= all) return;
    Place at = place<false>(int(i / RANK));
    add_total(of(at.adapter, db0, db1, db2, db3) - i64(at.before) * RANK, 1.0f, dbShares, i, all, spans);
}
