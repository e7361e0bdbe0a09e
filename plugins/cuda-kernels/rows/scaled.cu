#include "hone.cuh"

typedef TO_TYPE To;
typedef FROM_TYPE From;

// scale_columns: to[t, c] = from[t, c]·(factor[c] + more), or += that; without factors
// more alone; [rows, WIDTH]. Reads and writes each number once, and reads what it adds to.
extern "C" __global__ void __launch_bounds__(256) scale_columns(To *to, const From *from, const float *factor, i64 rows, float more, int add) {
    constexpr int pieces = WIDTH / VEC;
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 t = at / pieces;
    if (t >= rows) return;
    int c = int(at % pieces) * VEC;
    float x[VEC], f[VEC] = {}, y[VEC] = {};
    load_floats(from + t * WIDTH + c, x);
    if (factor) load_floats(factor + c, f);
    if (add) load_floats(to + t * WIDTH + c, y);
#pragma unroll
    for (int i = 0; i < VEC; i++) y[i] += x[i] * (f[i] + more);
    store_floats(to + t * WIDTH + c, y);
}
