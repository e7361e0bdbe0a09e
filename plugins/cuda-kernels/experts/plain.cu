// The products of product.cu without tensor cores, by the same names: for float32.
//
// A block has 64 by 64 numbers of the result, a thread 4 by 4 of them; 16 numbers of
// the sum are in shared memory at a time.
#line 6 "plain.cu"

#define SIDE 64
#define DEEP 16

struct Shared { float a[DEEP][SIDE + 4], b[DEEP][SIDE + 4]; };

__device__ __forceinline__ float at(const T *x, i64 row, int width, int column) { return to_float(x[row * width + column]); }

// add_product: acc += the product of what is in shared memory.
__device__ __forceinline__ void add_product(const Shared &m, float (&acc)[4][4]) {
    int tx = (threadIdx.x & 15) * 4, ty = (threadIdx.x >> 4) * 4;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < DEEP; k++) {
        Vec<float, 4> a = load<4>(&m.a[k][ty]), b = load<4>(&m.b[k][tx]);
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) acc[i][j] += a.v[i] * b.v[j];
    }
    __syncthreads();
}

#if PASS != SUMS_PASS

#define COLUMN_BLOCKS ((WIDTH + SIDE - 1) / SIDE)

// add: acc += x·Wᵀ or x·W for the rows of a run, x [·, DEPTH_].
template <int DEPTH_, int SHARE>
__device__ __forceinline__ void add(Shared &m, float (&acc)[4][4], const T *x, const T *w, Run run, const int *order, int n0) {
    w += i64(run.expert) * DEPTH_ * WIDTH;
    for (int k0 = 0; k0 < DEPTH_; k0 += DEEP) {
        for (int i = threadIdx.x; i < SIDE * DEEP; i += 256) {
            int k = i % DEEP, r = i / DEEP;
            m.a[k][r] = r < run.count && k0 + k < DEPTH_ ? at(x, order[run.first + r] / SHARE, DEPTH_, k0 + k) : 0.0f;
#if PASS == ROWS_PASS
            m.b[k][r] = n0 + r < WIDTH && k0 + k < DEPTH_ ? at(w, n0 + r, DEPTH_, k0 + k) : 0.0f;
#else
            k = i / SIDE, r = i % SIDE;
            m.b[k][r] = n0 + r < WIDTH && k0 + k < DEPTH_ ? at(w, k0 + k, WIDTH, n0 + r) : 0.0f;
#endif
        }
        add_product(m, acc);
    }
}

extern "C" __global__ void __launch_bounds__(256)
product(T *y, const T *x, const T *w, const T *x2, const T *w2, const float *bias, const int *order, const int *offsets, const int *tiles, float factor, int adds) {
    __shared__ Shared m;
    Run run = tile_run(tiles, offsets, blockIdx.x / COLUMN_BLOCKS, SIDE);
    if (run.expert < 0) return;
    int n0 = blockIdx.x % COLUMN_BLOCKS * SIDE, tx = (threadIdx.x & 15) * 4, ty = (threadIdx.x >> 4) * 4;
    float acc[4][4] = {};
    add<DEPTH, X_SHARE>(m, acc, x, w, run, order, n0);
#if DEPTH2 > 0
    if (x2) add<DEPTH2, 1>(m, acc, x2, w2, run, order, n0);
#endif
#pragma unroll
    for (int i = 0; i < 4; i++) {
        if (ty + i >= run.count) break;
        T *to = y + i64(order[run.first + ty + i]) * WIDTH;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            int n = n0 + tx + j;
            if (n >= WIDTH) break;
            float v = acc[i][j] * factor + (bias ? bias[i64(run.expert) * WIDTH + n] : 0.0f);
            to[n] = from_float<T>(adds ? v + to_float(to[n]) : v);
        }
    }
}

#else

#define ROW_BLOCKS ((HEIGHT + SIDE - 1) / SIDE)
#define COLUMN_BLOCKS ((WIDTH + SIDE - 1) / SIDE)

extern "C" __global__ void __launch_bounds__(256)
outer(float *d, const T *p, const T *q, const int *order, const int *offsets, float factor) {
    __shared__ Shared m;
    int expert = blockIdx.x / (ROW_BLOCKS * COLUMN_BLOCKS), block = blockIdx.x % (ROW_BLOCKS * COLUMN_BLOCKS);
    int m0 = block / COLUMN_BLOCKS * SIDE, n0 = block % COLUMN_BLOCKS * SIDE;
    int first = offsets[expert], end = offsets[expert + 1], tx = (threadIdx.x & 15) * 4, ty = (threadIdx.x >> 4) * 4;
    if (first == end) return;
    float acc[4][4] = {};
    for (int s0 = first; s0 < end; s0 += DEEP) {
        for (int i = threadIdx.x; i < SIDE * DEEP; i += 256) {
            int k = i / SIDE, c = i % SIDE, slot = s0 + k < end ? order[s0 + k] : -1;
            m.a[k][c] = slot >= 0 && m0 + c < HEIGHT ? at(p, slot / P_SHARE, HEIGHT, m0 + c) : 0.0f;
            m.b[k][c] = slot >= 0 && n0 + c < WIDTH ? at(q, slot / Q_SHARE, WIDTH, n0 + c) : 0.0f;
        }
        add_product(m, acc);
    }
    d += expert * i64(STRIDE_E);
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            int row = m0 + ty + i, column = n0 + tx + j;
            if (row < HEIGHT && column < WIDTH) d[row * i64(STRIDE_M) + column * i64(STRIDE_N)] += acc[i][j] * factor;
        }
}
#endif
