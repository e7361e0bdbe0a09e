#include "hone.cuh"

typedef TYPE T;

// Some columns of a matrix y [rows, width], by a list of their numbers, into and out of a
// matrix d whose rows have `stride` numbers, of which count are such columns.

// take: d[t, k] = y[t, columns[k]], which is 0 from then on; 0 beyond count.
extern "C" __global__ void __launch_bounds__(256) take(T *d, T *y, const int *columns, int count, int stride, i64 width, i64 rows) {
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x, t = at / stride;
    int k = int(at % stride);
    if (t >= rows) return;
    T v = from_float<T>(0.0f);
    if (k < count) {
        T *from = y + t * width + columns[k];
        v = *from;
        *from = from_float<T>(0.0f);
    }
    d[at] = v;
}

// put: y[t, columns[k]] = d[t, k].
extern "C" __global__ void __launch_bounds__(256) put(T *y, const T *d, const int *columns, int count, int stride, i64 width, i64 rows) {
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x, t = at / stride;
    int k = int(at % stride);
    if (t < rows && k < count) y[t * width + columns[k]] = d[at];
}
