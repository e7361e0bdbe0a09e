#include "hone.cuh"

typedef TYPE T;

// dot_parts: parts[p, c] = Σ x[t, c]·y[t, c] / by[c] over the rows of part p, 0 where by[c]
// or norm[c] is; x and y [rows, COLUMNS].
//
// Reads x and y once: 2·sizeof(T) bytes and 2 FLOPs a number.
extern "C" __global__ void __launch_bounds__(256)
    dot_parts(float *parts, const T *x, const T *y, const float *by, const float *norm, i64 rows, i64 share) {
    __shared__ float sums[DOWN][ACROSS * VEC];
    int across = threadIdx.x % ACROSS, down = threadIdx.x / ACROSS;
    i64 c = (i64(blockIdx.x) * ACROSS + across) * VEC;
    i64 from = i64(blockIdx.y) * share, to = min(from + share, rows);
    float sum[VEC] = {};
    if (c < COLUMNS) {
#pragma unroll 4
        for (i64 t = from + down; t < to; t += DOWN) {
            float a[VEC], b[VEC];
            load_floats(x + t * COLUMNS + c, a);
            load_floats(y + t * COLUMNS + c, b);
#pragma unroll
            for (int i = 0; i < VEC; i++) sum[i] += a[i] * b[i];
        }
    }
#pragma unroll
    for (int i = 0; i < VEC; i++) sums[down][across * VEC + i] = sum[i];
    __syncthreads();
    i64 first = i64(blockIdx.x) * ACROSS * VEC;
    for (int i = threadIdx.x; i < ACROSS * VEC; i += 256) {
        if (first + i >= COLUMNS) break;
        float total = 0.0f, divisor = by[first + i];
        for (int d = 0; d < DOWN; d++) total += sums[d][i];
        parts[i64(blockIdx.y) * COLUMNS + first + i] = divisor != 0.0f && norm[first + i] != 0.0f ? total / divisor : 0.0f;
    }
}
