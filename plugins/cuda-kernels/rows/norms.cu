#include "hone.cuh"

typedef TYPE T; // of w, a and b, of 16 bits

// Lengths of rows of w [OUT, IN] + scale·b·a, with b [OUT, RANK] and a [RANK, IN], where
// tensor cores have multiplied w·aᵀ and a·aᵀ; RANK is a multiple of 8, and so is IN:
//
//   ‖w_c + scale·b_c·a‖² = ‖w_c‖² + scale·b_c·(2·w_c·aᵀ + scale·(a·aᵀ)·b_c)

// row_squares: squares[c] = ‖w_c‖².
//
// A warp has a row. Reads w once; 2 FLOPs a number.
extern "C" __global__ void __launch_bounds__(256) row_squares(float *squares, const T *w) {
    int c = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (c >= OUT) return;
    float sum = 0.0f;
    for (int k = lane * 8; k < IN; k += 32 * 8) {
        float x[8];
        load_floats(w + i64(c) * IN + k, x);
#pragma unroll
        for (int i = 0; i < 8; i++) sum += x[i] * x[i];
    }
    sum = warp_sum(sum);
    if (lane == 0) squares[c] = sum;
}

// direct is the square of row c's length, number by number; c is that of the whole warp.
__device__ __forceinline__ float direct(int c, const T *w, const T *a, const T *b, float scale) {
    float sum = 0.0f;
    for (int k = threadIdx.x % 32 * 8; k < IN; k += 32 * 8) {
        float x[8];
        load_floats(w + i64(c) * IN + k, x);
#pragma unroll 4
        for (int r = 0; r < RANK; r++) {
            float row[8], factor = scale * to_float(b[i64(c) * RANK + r]);
            load_floats(a + i64(r) * IN + k, row);
#pragma unroll
            for (int i = 0; i < 8; i++) x[i] += factor * row[i];
        }
#pragma unroll
        for (int i = 0; i < 8; i++) sum += x[i] * x[i];
    }
    return warp_sum(sum);
}

enum { LANES = 8, TOGETHER = 256 / LANES, OWN = RANK / LANES };

// finish_norms: norm[c] is the length of row c, ratio[c] = m[c] / norm[c], or 1 where the row
// is all zeros. w·aᵀ are `count` shares [OUT, RANK], a·aᵀ `grams` shares [RANK, RANK].
//
// Eight lanes have a row, and each has every eighth of its numbers; a block has TURNS times
// 32 rows. Where the terms leave little of each other, what they lost in rounding would be
// much of it: such a row is taken number by number. FLOPs 4·OUT·RANK²; bytes
// 4·OUT·RANK·count, and 4·RANK²·grams out of the cache for each block. Two blocks at a time
// are said to be enough, since for more ptxas spills.
extern "C" __global__ void __launch_bounds__(256, 2)
    finish_norms(float *norm, float *ratio, const float *squares, const float *products, const float *gram, const T *w, const T *a, const T *b,
                 const float *m, float scale, int count, int grams) {
    __shared__ float g[RANK * RANK];
    for (int i = threadIdx.x; i < RANK * RANK; i += 256) {
        float sum = 0.0f;
        for (int j = 0; j < grams; j++) sum += gram[j * RANK * RANK + i];
        g[i] = sum;
    }
    __syncthreads();
    int part = threadIdx.x % LANES, lane = threadIdx.x % 32;
#pragma unroll 1
    for (int turn = 0; turn < TURNS; turn++) {
        int c = (blockIdx.x * TURNS + turn) * TOGETHER + threadIdx.x / LANES;
        bool there = c < OUT;
        if (!there) c = OUT - 1;
        float product[OWN] = {}, with[OWN] = {}, most[OWN] = {};
#pragma unroll 2
        for (int j = 0; j < count; j++)
#pragma unroll
            for (int o = 0; o < OWN; o++) product[o] += products[(i64(j) * OUT + c) * RANK + part + o * LANES];
#pragma unroll 1
        for (int j = 0; j < RANK; j += 8) {
            float factors[8];
            load_floats(b + i64(c) * RANK + j, factors);
#pragma unroll
            for (int i = 0; i < 8; i++)
#pragma unroll
                for (int o = 0; o < OWN; o++) { // g is symmetric
                    float x = g[(j + i) * RANK + part + o * LANES] * factors[i];
                    with[o] += x;
                    most[o] += fabsf(x);
                }
        }
        float square = 0.0f, size = 0.0f; // size: of the terms, were none negative
#pragma unroll
        for (int o = 0; o < OWN; o++) {
            float factor = scale * to_float(b[i64(c) * RANK + part + o * LANES]);
            square += factor * (2.0f * product[o] + scale * with[o]);
            size += fabsf(factor) * (2.0f * fabsf(product[o]) + fabsf(scale) * most[o]);
        }
#pragma unroll
        for (int d = LANES / 2; d > 0; d >>= 1) {
            square += __shfl_xor_sync(0xffffffffu, square, d);
            size += __shfl_xor_sync(0xffffffffu, size, d);
        }
        square += squares[c];
        size += squares[c];
        for (u32 few = __ballot_sync(0xffffffffu, part == 0 && square < size * 0x1p-6f); few; few &= few - 1) {
            int of = __ffs(few) - 1;
            float exact = direct(__shfl_sync(0xffffffffu, c, of), w, a, b, scale);
            if (lane / LANES == of / LANES) square = exact;
        }
        if (part || !there) continue;
        float length = sqrtf(square);
        norm[c] = length;
        ratio[c] = length > 0.0f ? m[c] / length : 1.0f;
    }
}
