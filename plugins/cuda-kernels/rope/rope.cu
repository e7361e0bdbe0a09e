#include "hone.cuh"

typedef TYPE T;

// rotate: pairs of each head's columns by angles position·freq, the cosine and the
// sine times FACTOR, the sine times sign too (−1: the reverse rotation):
//
//   y₁ = x₁·cos − x₂·sin;  y₂ = x₂·cos + x₁·sin
//
// x, y [rows, HEADS·HEAD]; of a head's columns HALF pairs rotate from OFFSET on, the
// others pass; a pair is (i, i + HALF), or (2i, 2i + 1) if INTERLEAVED. y may be x.
//
// A block has ROWS rows. With TABLE it first makes the cosines and sines of these,
// once for all heads; a thread then has PAIRS pairs at a time. Moves 2·sizeof(T)
// bytes a number, sizeof(T) more where it adds, and does 3 FLOPs; a pair of a row
// costs some 30 operations more, six of them in double.
#define THREADS 256

// turn is the cosine and the sine of position·freq, each to float's precision at any
// angle: the angle is a float product, as sdk/graph has it, and is taken off its
// quarter turns in double; what is left has short Taylor series.
__device__ __forceinline__ void turn(int position, float freq, float sign, float &cosine, float &sine) {
    double angle = __fmul_rn(float(position), freq);
    double quarters = rint(angle * 0.63661977236758134);
    double rest = fma(quarters, -1.5707963267948966, angle);
    float r = float(fma(quarters, -6.123233995736766e-17, rest)), s = r * r;
    float si = r + r * s * (-1.0f / 6 + s * (1.0f / 120 + s * (-1.0f / 5040 + s * (1.0f / 362880))));
    float co = 1.0f + s * (-0.5f + s * (1.0f / 24 + s * (-1.0f / 720 + s * (1.0f / 40320 + s * (-1.0f / 3628800)))));
    int quadrant = int(i64(quarters) & 3);
    if (quadrant & 1) {
        float t = si;
        si = co;
        co = -t;
    }
    if (quadrant & 2) {
        si = -si;
        co = -co;
    }
    cosine = co * FACTOR;
    sine = sign * si * FACTOR;
}

// Pairs are read and written where they lie: two vectors, or one of which every other
// number is a first.
__device__ __forceinline__ void load_pairs(const T *head, int i, float (&a)[PAIRS], float (&b)[PAIRS]) {
#if INTERLEAVED
    float both[2 * PAIRS];
#pragma unroll
    for (int j = 0; j < 2 * PAIRS; j += TOGETHER) {
        float part[TOGETHER];
        load_floats(head + OFFSET + 2 * i + j, part);
#pragma unroll
        for (int k = 0; k < TOGETHER; k++) both[j + k] = part[k];
    }
#pragma unroll
    for (int j = 0; j < PAIRS; j++) {
        a[j] = both[2 * j];
        b[j] = both[2 * j + 1];
    }
#else
    load_floats(head + OFFSET + i, a);
    load_floats(head + OFFSET + HALF + i, b);
#endif
}
__device__ __forceinline__ void store_pairs(T *head, int i, const float (&a)[PAIRS], const float (&b)[PAIRS]) {
#if INTERLEAVED
#pragma unroll
    for (int j = 0; j < 2 * PAIRS; j += TOGETHER) {
        float part[TOGETHER];
#pragma unroll
        for (int k = 0; k < TOGETHER; k++) part[k] = (j + k) % 2 ? b[(j + k) / 2] : a[(j + k) / 2];
        store_floats(head + OFFSET + 2 * i + j, part);
    }
#else
    store_floats(head + OFFSET + i, a);
    store_floats(head + OFFSET + HALF + i, b);
#endif
}

extern "C" __global__ void __launch_bounds__(THREADS)
    rotate(T *y, const T *x, const int *position, const float *freq, i64 rows, float sign, int accumulate) {
    i64 first = i64(blockIdx.x) * ROWS;
    int count = int(min(i64(ROWS), rows - first));
#if HALF
    constexpr int pieces = HALF / PAIRS;
    int end = count * HEADS * pieces, at = threadIdx.x;
    const T *from = x + first * HEADS * HEAD;
    T *to = y + first * HEADS * HEAD;
    float a[PAIRS], b[PAIRS], c[PAIRS], s[PAIRS];
    // The first pairs are on their way while the table is made.
    if (at < end) load_pairs(from + at / pieces * HEAD, at % pieces * PAIRS, a, b);
#if TABLE
    alignas(16) __shared__ float cosines[ROWS * HALF], sines[ROWS * HALF];
    for (int i = threadIdx.x; i < count * HALF; i += THREADS)
        turn(position[first + i / HALF], freq[i % HALF], sign, cosines[i], sines[i]);
    __syncthreads();
#endif
    while (at < end) {
        int i = at % pieces * PAIRS, line = at / pieces, row = line / HEADS;
#pragma unroll
        for (int j = 0; j < PAIRS; j++) {
#if TABLE
            c[j] = cosines[row * HALF + i + j];
            s[j] = sines[row * HALF + i + j];
#else
            turn(position[first + row], freq[i + j], sign, c[j], s[j]);
#endif
        }
#pragma unroll
        for (int j = 0; j < PAIRS; j++) {
            float turned = a[j] * c[j] - b[j] * s[j];
            b[j] = b[j] * c[j] + a[j] * s[j];
            a[j] = turned;
        }
        if (accumulate) {
            load_pairs(to + line * HEAD, i, c, s);
#pragma unroll
            for (int j = 0; j < PAIRS; j++) {
                a[j] += c[j];
                b[j] += s[j];
            }
        }
        store_pairs(to + line * HEAD, i, a, b);
        at += THREADS;
        if (at < end) load_pairs(from + at / pieces * HEAD, at % pieces * PAIRS, a, b);
    }
#endif
#if HEAD > 2 * HALF
    if (y == x && !accumulate) return;
    constexpr int others = (HEAD - 2 * HALF) / PASS;
    for (int at = threadIdx.x; at < count * HEADS * others; at += THREADS) {
        int c = at % others * PASS;
        if (c >= OFFSET) c += 2 * HALF;
        i64 place = (first * HEADS + at / others) * HEAD + c;
        float a[PASS];
        load_floats(x + place, a);
        if (accumulate) {
            float b[PASS];
            load_floats(y + place, b);
#pragma unroll
            for (int j = 0; j < PASS; j++) a[j] += b[j];
        }
        store_floats(y + place, a);
    }
#endif
}
