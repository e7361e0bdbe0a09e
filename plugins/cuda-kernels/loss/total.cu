// The sum of a step's losses.
#include "hone.cuh"

// total[0] += Σ losses, in float64 and in an order that depends on rows alone. One
// block: rows·4 bytes, a few microseconds.
extern "C" __global__ void __launch_bounds__(1024) total(const float *losses, double *total, int rows) {
    __shared__ double part[1024];
    double sum = 0.0;
    for (int i = threadIdx.x; i < rows; i += 1024) sum += losses[i];
    part[threadIdx.x] = sum;
    for (int half = 512; half > 0; half >>= 1) {
        __syncthreads();
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (threadIdx.x == 0) total[0] += part[0];
}
