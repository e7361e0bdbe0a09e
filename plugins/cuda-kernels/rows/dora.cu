#include "hone.cuh"

typedef TYPE T;            // of activations, a and b
typedef WEIGHT_TYPE Weight; // of w

// What DoRA (Liu et al., 2024) has beside LoRA: rows of w [OUT, IN] + scale·b·a, with b
// [OUT, RANK] and a [RANK, IN], in the lengths that m says.

enum { WARPS = 8 };

// row_norms: norm[c] is the length of row c, ratio[c] = m[c] / norm[c], or 1 where the row
// is all zeros.
//
// A warp has ROWS rows. FLOPs 2·OUT·IN·RANK; bytes those of w, and a out of the cache for
// every ROWS rows. Bound by the FLOPs: where tensor cores can have them, norms.cu does it.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
    row_norms(float *norm, float *ratio, const Weight *w, const T *a, const T *b, const float *m, float scale) {
    __shared__ float factors[WARPS][ROWS][RANK];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, first = (blockIdx.x * WARPS + warp) * ROWS;
    for (int i = lane; i < ROWS * RANK; i += 32) {
        int c = first + i / RANK;
        factors[warp][i / RANK][i % RANK] = c < OUT ? scale * to_float(b[i64(c) * RANK + i % RANK]) : 0.0f;
    }
    __syncwarp();
    float squares[ROWS] = {};
    for (int k = lane * VEC; k < IN; k += 32 * VEC) {
        float x[ROWS][VEC] = {};
#pragma unroll
        for (int i = 0; i < ROWS; i++)
            if (first + i < OUT) load_floats(w + i64(first + i) * IN + k, x[i]);
        for (int r = 0; r < RANK; r++) {
            float row[VEC];
            load_floats(a + i64(r) * IN + k, row);
#pragma unroll
            for (int i = 0; i < ROWS; i++)
#pragma unroll
                for (int j = 0; j < VEC; j++) x[i][j] += factors[warp][i][r] * row[j];
        }
#pragma unroll
        for (int i = 0; i < ROWS; i++)
#pragma unroll
            for (int j = 0; j < VEC; j++) squares[i] += x[i][j] * x[i][j];
    }
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
        float length = sqrtf(warp_sum(squares[i]));
        if (lane == 0 && first + i < OUT) {
            norm[first + i] = length;
            ratio[first + i] = length > 0.0f ? m[first + i] / length : 1.0f;
        }
    }
}

// missing: dm[c] += Σ_t dy[t, c]·(x[t]·row c) / norm[c] where m[c] is 0, as y says nothing
// of the product then; x [rows, IN], dy [rows, OUT].
//
// A block looks at as many columns as it has threads, and there is hardly ever one that it
// has to do: 8·OUT bytes. One takes 2·rows·IN FLOPs.
extern "C" __global__ void __launch_bounds__(256)
    missing(float *dm, const T *dy, const T *x, const Weight *w, const T *a, const T *b, const float *m, const float *norm, float scale, i64 rows) {
    int first = blockIdx.x * 256, own = first + threadIdx.x;
    if (!__syncthreads_or(own < OUT && m[own] == 0.0f && norm[own] != 0.0f)) return;
    for (int c = first; c < min(first + 256, int(OUT)); c++) {
        if (m[c] != 0.0f || norm[c] == 0.0f) continue;
        float sum = 0.0f;
        for (int k = threadIdx.x; k < IN; k += 256) {
            float weight = to_float(w[i64(c) * IN + k]), gradient = 0.0f;
            for (int r = 0; r < RANK; r++) weight += scale * to_float(b[i64(c) * RANK + r]) * to_float(a[i64(r) * IN + k]);
            for (i64 t = 0; t < rows; t++) gradient += to_float(dy[t * OUT + c]) * to_float(x[t * IN + k]);
            sum += weight * gradient;
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) dm[c] += sum / norm[c];
    }
}
