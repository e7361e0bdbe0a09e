#include "hone.cuh"

typedef TYPE T;

// Rows of matrices [·, WIDTH] by a list of their numbers, −1 for none; WIDTH numbers
// are read and written for each.

// gather: y[i] = x[index[i]], zeros for none.
extern "C" __global__ void __launch_bounds__(256) gather(T *y, const T *x, const int *index, i64 count) {
    constexpr int pieces = WIDTH / VEC;
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 i = at / pieces;
    if (i >= count) return;
    int c = int(at % pieces) * VEC, row = index[i];
    Vec<T, VEC> v = {};
    if (row >= 0) v = load<VEC>(x + i64(row) * WIDTH + c);
    store(y + i * WIDTH + c, v);
}

// scatter: y[index[i]] = x[i] or += x[i]; no row of y is named twice.
extern "C" __global__ void __launch_bounds__(256)
    scatter(T *y, const T *x, const int *index, i64 count, int accumulate) {
    constexpr int pieces = WIDTH / VEC;
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 i = at / pieces;
    if (i >= count) return;
    int c = int(at % pieces) * VEC, row = index[i];
    if (row < 0) return;
    T *to = y + i64(row) * WIDTH + c;
    if (!accumulate) {
        store(to, load<VEC>(x + i * WIDTH + c));
        return;
    }
    float a[VEC], b[VEC];
    load_floats(x + i * WIDTH + c, a);
    load_floats(to, b);
#pragma unroll
    for (int j = 0; j < VEC; j++) a[j] += b[j];
    store_floats(to, a);
}
