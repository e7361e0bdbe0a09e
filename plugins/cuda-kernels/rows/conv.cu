#include "hone.cuh"

typedef TYPE T;

// The short causal depthwise convolution and its gradient by x; x, y [rows, WIDTH],
// weight [WIDTH, KERNEL]:
//
//   forward   y[t]  = bias + Σ_k weight[·, k] · x[t − (KERNEL−1) + k]   from document start on
//   backward  dx[t] = Σ_s weight[·, KERNEL−1−s] · dy[t + s]             before document end
//
// Both are a window of KERNEL rows that slides down, up to t or from t on. A thread
// has VEC columns and STEPS tiles of TILE rows; the rows of a tile are read at once,
// and what the next tile needs of them is kept. Moves 2·sizeof(T)·(1 + (KERNEL−1) /
// (2·STEPS·TILE)) bytes and does 2·KERNEL FLOPs a number.
#if KERNEL <= 8

struct Window {
    Vec<T, VEC> rows[TILE + KERNEL - 1];
};

__device__ __forceinline__ Vec<T, VEC> row_at(const T *x, i64 t, i64 rows, int c) {
    Vec<T, VEC> v = {};
    if (t >= 0 && t < rows) v = load<VEC>(x + t * WIDTH + c);
    return v;
}

template <bool BACKWARD>
__device__ __forceinline__ void slide(T *y, const T *x, const float *weight, const float *bias, const int *border,
                                      i64 rows, int accumulate) {
    constexpr int pieces = WIDTH / VEC;
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 first = at / pieces * (TILE * STEPS);
    if (first >= rows) return;
    int c = int(at % pieces) * VEC;
    float w[VEC * KERNEL], b[VEC];
#pragma unroll
    for (int i = 0; i < VEC * KERNEL; i += PER_LOAD) {
        float part[PER_LOAD];
        load_floats(weight + i64(c) * KERNEL + i, part);
#pragma unroll
        for (int j = 0; j < PER_LOAD; j++) w[i + j] = part[j];
    }
#pragma unroll
    for (int j = 0; j < VEC; j++) b[j] = bias ? bias[c + j] : 0.0f;

    Window window;
    i64 base = BACKWARD ? first : first - (KERNEL - 1);
#pragma unroll
    for (int i = 0; i < KERNEL - 1; i++) window.rows[i] = row_at(x, base + i, rows, c);
#pragma unroll 1
    for (int step = 0; step < STEPS && first + step * TILE < rows; step++) {
        i64 top = first + step * TILE;
#pragma unroll
        for (int i = 0; i < TILE; i++)
            window.rows[KERNEL - 1 + i] = row_at(x, base + step * TILE + KERNEL - 1 + i, rows, c);
        // How many rows of the document the window may have: those up to t or from t on.
        int reaches[TILE];
#pragma unroll
        for (int r = 0; r < TILE; r++) {
            i64 t = min(top + r, rows - 1);
            reaches[r] = int(BACKWARD ? border[t] - t : t - border[t] + 1);
        }
#pragma unroll
        for (int r = 0; r < TILE; r++) {
            i64 t = top + r;
            if (t >= rows) continue;
            int reach = reaches[r];
            float sum[VEC];
#pragma unroll
            for (int j = 0; j < VEC; j++) sum[j] = b[j];
#pragma unroll
            for (int k = 0; k < KERNEL; k++) {
                if ((BACKWARD ? k : KERNEL - 1 - k) >= reach) continue;
#pragma unroll
                for (int j = 0; j < VEC; j++)
                    sum[j] += w[j * KERNEL + (BACKWARD ? KERNEL - 1 - k : k)] * to_float(window.rows[r + k].v[j]);
            }
            T *to = y + t * WIDTH + c;
            if (accumulate) {
                float old[VEC];
                load_floats(to, old);
#pragma unroll
                for (int j = 0; j < VEC; j++) sum[j] += old[j];
            }
            store_floats(to, sum);
        }
#pragma unroll
        for (int i = 0; i < KERNEL - 1; i++) window.rows[i] = window.rows[TILE + i];
    }
}

#else

// A long kernel: a thread has VEC columns of one row and reads the window anew.
template <bool BACKWARD>
__device__ __forceinline__ void slide(T *y, const T *x, const float *weight, const float *bias, const int *border,
                                      i64 rows, int accumulate) {
    constexpr int pieces = WIDTH / VEC;
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 t = at / pieces;
    if (t >= rows) return;
    int c = int(at % pieces) * VEC;
    float sum[VEC], a[VEC];
#pragma unroll
    for (int j = 0; j < VEC; j++) sum[j] = bias ? bias[c + j] : 0.0f;
    int reach = min(KERNEL, int(BACKWARD ? border[t] - t : t - border[t] + 1));
#pragma unroll 1
    for (int d = 0; d < reach; d++) {
        load_floats(x + (BACKWARD ? t + d : t - d) * WIDTH + c, a);
#pragma unroll
        for (int j = 0; j < VEC; j++) sum[j] += weight[i64(c + j) * KERNEL + KERNEL - 1 - d] * a[j];
    }
    T *to = y + t * WIDTH + c;
    if (accumulate) {
        load_floats(to, a);
#pragma unroll
        for (int j = 0; j < VEC; j++) sum[j] += a[j];
    }
    store_floats(to, sum);
}

#endif

extern "C" __global__ void __launch_bounds__(256)
    forward(T *y, const T *x, const float *weight, const float *bias, const int *start, i64 rows) {
    slide<false>(y, x, weight, bias, start, rows, 0);
}

extern "C" __global__ void __launch_bounds__(256)
    backward(T *dx, const T *dy, const float *weight, const int *end, i64 rows, int accumulate) {
    slide<true>(dx, dy, weight, nullptr, end, rows, accumulate);
}
