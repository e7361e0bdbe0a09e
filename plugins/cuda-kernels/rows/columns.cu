#include "hone.cuh"

typedef TYPE T;

// column_parts: parts[p] = Σ x[t] over the rows of part p; x [rows, COLUMNS].
//
// Reads x once: sizeof(T) bytes and 1 FLOP a number. Reads of a warp are up to 512
// bytes of a row.
extern "C" __global__ void __launch_bounds__(256) column_parts(float *parts, const T *x, i64 rows, i64 share) {
    __shared__ float sums[DOWN][ACROSS * VEC];
    int across = threadIdx.x % ACROSS, down = threadIdx.x / ACROSS;
    i64 c = (i64(blockIdx.x) * ACROSS + across) * VEC;
    i64 from = i64(blockIdx.y) * share, to = min(from + share, rows);
    float sum[VEC];
#pragma unroll
    for (int i = 0; i < VEC; i++) sum[i] = 0.0f;
    if (c < COLUMNS) {
#pragma unroll 4
        for (i64 t = from + down; t < to; t += DOWN) {
            float a[VEC];
            load_floats(x + t * COLUMNS + c, a);
#pragma unroll
            for (int i = 0; i < VEC; i++) sum[i] += a[i];
        }
    }
#pragma unroll
    for (int i = 0; i < VEC; i++) sums[down][across * VEC + i] = sum[i];
    __syncthreads();
    i64 first = i64(blockIdx.x) * ACROSS * VEC;
    for (int i = threadIdx.x; i < ACROSS * VEC; i += 256) {
        if (first + i >= COLUMNS) break;
        float total = 0.0f;
        for (int d = 0; d < DOWN; d++) total += sums[d][i];
        parts[i64(blockIdx.y) * COLUMNS + first + i] = total;
    }
}
