#include "hone.cuh"

typedef TYPE T;

// add_bias: y[t, c] += factor·bias[c]; y [rows, WIDTH]. Moves 2·sizeof(T) bytes a
// number; the bias stays in the cache.
extern "C" __global__ void __launch_bounds__(256) add_bias(T *y, const float *bias, i64 rows, float factor) {
    constexpr int pieces = WIDTH / VEC;
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 t = at / pieces;
    if (t >= rows) return;
    int c = int(at % pieces) * VEC;
    float a[VEC], b[VEC];
    load_floats(y + t * WIDTH + c, a);
    load_floats(bias + c, b);
#pragma unroll
    for (int i = 0; i < VEC; i++) a[i] += factor * b[i];
    store_floats(y + t * WIDTH + c, a);
}
