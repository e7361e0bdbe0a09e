#include "hone.cuh"

typedef TYPE T;

// bias_sums: d[e] += Σ x[i] over the slots i of expert e, in their order; x [slots,
// WIDTH], d [EXPERTS, WIDTH]. A block has 32 columns of an expert, and eight threads for
// each, which add up every eighth slot. Reads x once.
extern "C" __global__ void __launch_bounds__(256) bias_sums(float *d, const T *x, const int *order, const int *offsets) {
    __shared__ float sums[8][32];
    int lane = threadIdx.x & 31, turn = threadIdx.x >> 5, c = blockIdx.x * 32 + lane, expert = blockIdx.y;
    int end = offsets[expert + 1];
    float sum = 0.0f;
    if (c < WIDTH) {
#pragma unroll 4
        for (int i = offsets[expert] + turn; i < end; i += 8) sum += to_float(x[i64(order[i]) * WIDTH + c]);
    }
    sums[turn][lane] = sum;
    __syncthreads();
    if (turn || c >= WIDTH) return;
#pragma unroll
    for (int i = 1; i < 8; i++) sum += sums[i][lane];
    d[i64(expert) * WIDTH + c] += sum;
}
