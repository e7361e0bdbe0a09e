#include "hone.cuh"

typedef TYPE T;

// Parts of rows, where each row is cut into groups: what split and concat do. A
// segment is a group's part, SIZE numbers; segment s is at TO_STRIDE·s in the one matrix
// and at FROM_STRIDE·s in the other. Each moves the bytes of the part once each way.

// copy: y[s] = x[s] or y[s] += x[s]; without x, zeros.
extern "C" __global__ void __launch_bounds__(256) copy(T *y, const T *x, i64 segments, int accumulate) {
    constexpr int pieces = SIZE / VEC;
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 s = at / pieces;
    if (s >= segments) return;
    int c = int(at % pieces) * VEC;
    T *to = y + s * TO_STRIDE + c;
    if (!accumulate) {
        Vec<T, VEC> v = {};
        if (x) v = load<VEC>(x + s * FROM_STRIDE + c);
        store(to, v);
        return;
    }
    float a[VEC], b[VEC];
    load_floats(x + s * FROM_STRIDE + c, a);
    load_floats(to, b);
#pragma unroll
    for (int i = 0; i < VEC; i++) a[i] += b[i];
    store_floats(to, a);
}

// repeat: y[s] = x[⌊s/GROUPS⌋], an input that is the same in all groups of a row.
extern "C" __global__ void __launch_bounds__(256) repeat(T *y, const T *x, i64 segments) {
    constexpr int pieces = SIZE / VEC;
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 s = at / pieces;
    if (s >= segments) return;
    int c = int(at % pieces) * VEC;
    store(y + s * TO_STRIDE + c, load<VEC>(x + s / GROUPS * FROM_STRIDE + c));
}

// sum_groups: y[t] = Σ x[t·GROUPS + g] over the groups g of row t, added to y[t] where
// it accumulates: the gradient of repeat.
extern "C" __global__ void __launch_bounds__(256) sum_groups(T *y, const T *x, i64 rows, int accumulate) {
    constexpr int pieces = SIZE / VEC;
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 t = at / pieces;
    if (t >= rows) return;
    int c = int(at % pieces) * VEC;
    T *to = y + t * TO_STRIDE + c;
    float sum[VEC], a[VEC];
#pragma unroll
    for (int i = 0; i < VEC; i++) sum[i] = 0.0f;
    if (accumulate) load_floats(to, sum);
#pragma unroll 4
    for (int g = 0; g < GROUPS; g++) {
        load_floats(x + (t * GROUPS + g) * FROM_STRIDE + c, a);
#pragma unroll
        for (int i = 0; i < VEC; i++) sum[i] += a[i];
    }
    store_floats(to, sum);
}
