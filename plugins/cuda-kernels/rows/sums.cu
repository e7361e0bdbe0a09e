#include "hone.cuh"

// add_parts: y[c] += factor · Σ parts[p, c], over p in their order; y [COLUMNS].
//
// A block has 32 columns and eight threads for each, which add up every eighth part.
extern "C" __global__ void __launch_bounds__(256) add_parts(float *y, const float *parts, int count, float factor) {
    __shared__ float sums[8][32];
    int lane = threadIdx.x & 31, turn = threadIdx.x >> 5;
    i64 c = i64(blockIdx.x) * 32 + lane;
    float sum = 0.0f;
    if (c < COLUMNS) {
#pragma unroll 4
        for (int p = turn; p < count; p += 8) sum += parts[i64(p) * COLUMNS + c];
    }
    sums[turn][lane] = sum;
    __syncthreads();
    if (turn || c >= COLUMNS) return;
#pragma unroll
    for (int i = 1; i < 8; i++) sum += sums[i][lane];
    y[c] += factor * sum;
}
