#include "hone.cuh"

typedef X_TYPE X;
typedef Y_TYPE Y;

// weight_parts: parts[p, c] = Σ dy[l, c] · x̂[l, c] over the lines l of part p, which are
// the rows, or the groups of rows where the weight is the same for each; x, dy
// [lines, COLUMNS]. statistics are μ and r of each group of SIZE numbers.
//
// Reads x and dy once.
extern "C" __global__ void __launch_bounds__(256)
    weight_parts(float *parts, const Y *dy, const X *x, const float2 *statistics, i64 lines, i64 share) {
    __shared__ float sums[DOWN][ACROSS * VEC];
    int across = threadIdx.x % ACROSS, down = threadIdx.x / ACROSS;
    i64 first = i64(blockIdx.x) * ACROSS * VEC, c = first + across * VEC;
    i64 from = i64(blockIdx.y) * share, to = min(from + share, lines);
    float sum[VEC];
#pragma unroll
    for (int j = 0; j < VEC; j++) sum[j] = 0.0f;
    if (c < COLUMNS) {
#pragma unroll 2
        for (i64 l = from + down; l < to; l += DOWN) {
            float a[VEC], g[VEC];
            load_floats(x + l * COLUMNS + c, a);
            load_floats(dy + l * COLUMNS + c, g);
            float2 s = statistics[l * (COLUMNS / SIZE) + int(c) / SIZE];
#pragma unroll
            for (int j = 0; j < VEC; j++) sum[j] += g[j] * ((a[j] - s.x) * s.y);
        }
    }
#pragma unroll
    for (int j = 0; j < VEC; j++) sums[down][across * VEC + j] = sum[j];
    __syncthreads();
    for (int i = threadIdx.x; i < ACROSS * VEC; i += 256) {
        if (first + i >= COLUMNS) break;
        float total = 0.0f;
        for (int d = 0; d < DOWN; d++) total += sums[d][i];
        parts[i64(blockIdx.y) * COLUMNS + first + i] = total;
    }
}
