#include "hone.cuh"

typedef FROM_TYPE From;
typedef TO_TYPE To;

// y = factor·x, or y += factor·x: numbers of one type to another's.
//
// Moves sizeof(From) + sizeof(To) bytes a number, and sizeof(To) more where it adds;
// 2 FLOPs. y may be x where the types are the same.
extern "C" __global__ void __launch_bounds__(256) scale(To *y, const From *x, i64 n, float factor, int accumulate) {
    i64 at = (i64(blockIdx.x) * 256 + threadIdx.x) * VEC;
    if (at + VEC <= n) {
        float a[VEC];
        load_floats(x + at, a);
#pragma unroll
        for (int i = 0; i < VEC; i++) a[i] *= factor;
        if (accumulate) {
            float b[VEC];
            load_floats(y + at, b);
#pragma unroll
            for (int i = 0; i < VEC; i++) a[i] += b[i];
        }
        store_floats(y + at, a);
        return;
    }
    for (; at < n; at++) {
        float a = to_float(x[at]) * factor;
        y[at] = from_float<To>(accumulate ? to_float(y[at]) + a : a);
    }
}
