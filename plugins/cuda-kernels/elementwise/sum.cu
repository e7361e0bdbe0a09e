// The second stage of sums over rows: partial sums are added up in a fixed order and
// added to the gradient of a parameter.
#include "hone.cuh"

// d[c] += Σ_b partial[b, c], b over blocks. A thread block has 32 columns and 8 parts
// of the sum. Reads blocks·width·4 bytes, which lie in L2.
extern "C" __global__ void __launch_bounds__(256) sum_columns(const float *partial, float *d, int blocks, int width) {
    __shared__ float part[8][32];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int column = blockIdx.x * 32 + lane;
    float sum = 0.0f;
    if (column < width)
        for (int b = warp; b < blocks; b += 8) sum += partial[i64(b) * width + column];
    part[warp][lane] = sum;
    __syncthreads();
    if (warp != 0 || column >= width) return;
    float total = 0.0f;
    for (int w = 0; w < 8; w++) total += part[w][lane];
    d[column] += total;
}

// d[0] += Σ_b partial[b], by one block.
extern "C" __global__ void __launch_bounds__(256) sum_scalar(const double *partial, float *d, int blocks) {
    __shared__ double part[256];
    double sum = 0.0;
    for (int b = threadIdx.x; b < blocks; b += 256) sum += partial[b];
    part[threadIdx.x] = sum;
    for (int half = 128; half > 0; half >>= 1) {
        __syncthreads();
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (threadIdx.x == 0) d[0] += float(part[0]);
}
