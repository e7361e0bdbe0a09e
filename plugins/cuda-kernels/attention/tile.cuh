// Tiles in shared memory and products of them on tensor cores, for sm_80 and later.
//
// A tile is rows of 16-bit numbers, padded to STRIDE = width + 8 with a width that
// is a multiple of PAD, 16 or 32: eight rows then begin in different banks, so ldmatrix has no
// conflicts, and each address is a lane's own plus a constant.
#line 7 "tile.cuh"

#define KEY_COLUMNS ((KEY_WIDTH + PAD - 1) / PAD * PAD)
#define VALUE_COLUMNS ((VALUE_WIDTH + PAD - 1) / PAD * PAD)
#define KEY_STRIDE (KEY_COLUMNS + 8)
#define VALUE_STRIDE (VALUE_COLUMNS + 8)

// load_tile starts the copy of ROWS rows, from row on, of a head's columns, with
// zeros for rows that are not below limit and columns that are not below WIDTH.
// A copy of no bytes reads nothing, so its address need not exist.
//
// Threads stand in rows of as many as divide a tile's row, so that all copies of
// one are apart by constants.
template <int ROWS, int WIDTH, int COLUMNS, int THREADS>
__device__ __forceinline__ void load_tile(u32 to, const T *from, int pitch, int row, int limit) {
    constexpr int chunks = COLUMNS / 8, across = chunks & -chunks, step = THREADS / across, stride = COLUMNS + 8;
    int r = threadIdx.x / across, c = threadIdx.x % across * 8, left = limit - row - r;
    const T *p = from + i64(row + r) * pitch + c;
    to += (r * stride + c) * 2;
#pragma unroll
    for (int i = 0; i < ROWS; i += step)
#pragma unroll
        for (int j = 0; j < COLUMNS; j += across * 8) {
            if (i + step > ROWS && r + i >= ROWS) continue;
            copy16(to + (i * stride + j) * 2, p + i64(i) * pitch + j, i < left && c + j < WIDTH ? 16 : 0);
        }
}

// add_rows: c += A·Bᵀ, A of 16·MT rows and B of 8·NT, both of STEPS·16 columns.
template <int MT, int NT, int STEPS, int STRIDE>
__device__ __forceinline__ void add_rows(float (&c)[MT][NT][4], u32 a, u32 b) {
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
        u32 x[MT][4];
#pragma unroll
        for (int m = 0; m < MT; m++) ldmatrix(x[m], a + (m * 16 * STRIDE + s * 16) * 2);
#pragma unroll
        for (int n = 0; n < NT; n += 2) {
            u32 y[4];
            ldmatrix(y, b + (n * 8 * STRIDE + s * 16) * 2);
#pragma unroll
            for (int m = 0; m < MT; m++) {
                mma(c[m][n], x[m], y[0], y[1]);
                mma(c[m][n + 1], x[m], y[2], y[3]);
            }
        }
    }
}

// add_columns: c += round(A)·B, A the result of a product of 16·MT rows and
// 16·STEPS columns, B of as many rows and 8·NT columns. A result has the layout of
// an operand A, so it stays in registers.
template <int MT, int NT, int STEPS, int STRIDE>
__device__ __forceinline__ void add_columns(float (&c)[MT][NT][4], const float (&a)[MT][2 * STEPS][4], u32 b) {
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
        u32 x[MT][4];
#pragma unroll
        for (int m = 0; m < MT; m++)
#pragma unroll
            for (int r = 0; r < 4; r++) {
                const float(&pair)[4] = a[m][2 * s + (r >> 1)];
                x[m][r] = pack2(pair[2 * (r & 1)], pair[2 * (r & 1) + 1]);
            }
#pragma unroll
        for (int n = 0; n < NT; n += 2) {
            u32 y[4];
            ldmatrix_transposed(y, b + (s * 16 * STRIDE + n * 8) * 2);
#pragma unroll
            for (int m = 0; m < MT; m++) {
                mma(c[m][n], x[m], y[0], y[1]);
                mma(c[m][n + 1], x[m], y[2], y[3]);
            }
        }
    }
}

template <int MT, int NT> __device__ __forceinline__ void clear(float (&c)[MT][NT][4]) {
#pragma unroll
    for (int m = 0; m < MT; m++)
#pragma unroll
        for (int n = 0; n < NT; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) c[m][n][i] = 0.0f;
}

template <int MT, int NT> __device__ __forceinline__ void prepare_all(float (&s)[MT][NT][4]) {
    if constexpr (PREPARED) {
#pragma unroll
        for (int m = 0; m < MT; m++)
#pragma unroll
            for (int n = 0; n < NT; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) s[m][n][i] = prepare(s[m][n][i]);
    }
}

// write_rows writes the rows of a product times a factor, or adds it to what is
// there: 16·MT rows from row on that are below limit, columns from `column` on
// that are below WIDTH.
template <int WIDTH, int MT, int NT>
__device__ __forceinline__ void write_rows(T *to, int pitch, int row, int limit, const float (&c)[MT][NT][4], float factor, bool add, int column = 0) {
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int m = 0; m < MT; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int r = row + m * 16 + half * 8 + (lane >> 2);
            if (r >= limit) continue;
            T *p = to + i64(r) * pitch + column + (lane & 3) * 2;
#pragma unroll
            for (int n = 0; n < NT; n++) {
                if (column + n * 8 >= WIDTH) continue;
                store_pair(p + n * 8, c[m][n][2 * half] * factor, c[m][n][2 * half + 1] * factor, add);
            }
        }
}
