#include "hone.cuh"

typedef TYPE T;

enum { AT_ONCE = 4 }; // rows a thread reads before it writes dz, which may lie where they do

// dot_parts: parts[p, c] = Σ dy[t, c]·y[t, c] / by[c] over the rows of part p, 0 where by[c]
// or norm[c] is, and dz[t, c] = dy[t, c]·ratio[c], which may take the place of dy or of y;
// dy, y and dz [rows, COLUMNS].
//
// Reads dy and y once and writes dz: 3·sizeof(T) bytes and 3 FLOPs a number.
extern "C" __global__ void __launch_bounds__(256)
    dot_parts(float *parts, T *dz, const T *dy, const T *y, const float *ratio, const float *by, const float *norm, i64 rows, i64 share) {
    __shared__ float sums[DOWN][ACROSS * VEC];
    int across = threadIdx.x % ACROSS, down = threadIdx.x / ACROSS;
    i64 c = (i64(blockIdx.x) * ACROSS + across) * VEC;
    i64 from = i64(blockIdx.y) * share, to = min(from + share, rows);
    float sum[VEC] = {};
    if (c < COLUMNS) {
        float factor[VEC];
        load_floats(ratio + c, factor);
        for (i64 t = from + down; t < to; t += AT_ONCE * DOWN) {
            Vec<T, VEC> a[AT_ONCE], b[AT_ONCE];
#pragma unroll
            for (int j = 0; j < AT_ONCE; j++) {
                i64 at = t + j * DOWN;
                if (at >= to) break;
                a[j] = load<VEC>(dy + at * COLUMNS + c);
                b[j] = load<VEC>(y + at * COLUMNS + c);
            }
#pragma unroll
            for (int j = 0; j < AT_ONCE; j++) {
                i64 at = t + j * DOWN;
                if (at >= to) break;
                float z[VEC];
#pragma unroll
                for (int i = 0; i < VEC; i++) {
                    float gradient = to_float(a[j].v[i]);
                    sum[i] += gradient * to_float(b[j].v[i]);
                    z[i] = gradient * factor[i];
                }
                store_floats(dz + at * COLUMNS + c, z);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < VEC; i++) sums[down][across * VEC + i] = sum[i];
    __syncthreads();
    i64 first = i64(blockIdx.x) * ACROSS * VEC;
    for (int i = threadIdx.x; i < ACROSS * VEC; i += 256) {
        if (first + i >= COLUMNS) break;
        float total = 0.0f, divisor = by[first + i];
        for (int d = 0; d < DOWN; d++) total += sums[d][i];
        parts[i64(blockIdx.y) * COLUMNS + first + i] = divisor != 0.0f && norm[first + i] != 0.0f ? total / divisor : 0.0f;
    }
}
