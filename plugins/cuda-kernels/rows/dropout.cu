#include "hone.cuh"

typedef X_TYPE X;
typedef Y_TYPE Y;

// apply: y = x·m or y += x·m, where the multiplier m of a number is 0 or factor by
// the counters of sdk/graph/dropout: (sample[t], position[t], ⌊column/4⌋, slot) under
// the key of two words, kept where the output is at least threshold. Row t·SLOTS + slot
// is token t's. y may be x.
//
// A thread has BLOCKS counters, four columns each. Moves sizeof(X) + sizeof(Y) bytes
// a number, and sizeof(Y) more where it adds; about 25 integer operations a number.
extern "C" __global__ void __launch_bounds__(256)
    apply(Y *y, const X *x, const int *sample, const int *position, const u32 *key, i64 rows, u64 threshold,
          float factor, int accumulate) {
    constexpr int pieces = (WIDTH + 4 * BLOCKS - 1) / (4 * BLOCKS);
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 row = at / pieces, t = row / SLOTS;
    if (row >= rows) return;
    int piece = int(at % pieces), c = piece * 4 * BLOCKS;
    float m[4 * BLOCKS];
#pragma unroll
    for (int b = 0; b < BLOCKS; b++) {
        Philox p = philox(u32(sample[t]), u32(position[t]), u32(piece * BLOCKS + b), u32(row % SLOTS), key[0], key[1]);
        m[4 * b] = p.x >= threshold ? factor : 0.0f;
        m[4 * b + 1] = p.y >= threshold ? factor : 0.0f;
        m[4 * b + 2] = p.z >= threshold ? factor : 0.0f;
        m[4 * b + 3] = p.w >= threshold ? factor : 0.0f;
    }
    const X *from = x + row * WIDTH + c;
    Y *to = y + row * WIDTH + c;
#if WIDTH % 4 == 0
    float a[4 * BLOCKS];
    load_floats(from, a);
#pragma unroll
    for (int i = 0; i < 4 * BLOCKS; i++) a[i] *= m[i];
    if (accumulate) {
        float b[4 * BLOCKS];
        load_floats(to, b);
#pragma unroll
        for (int i = 0; i < 4 * BLOCKS; i++) a[i] += b[i];
    }
    store_floats(to, a);
#else
#pragma unroll
    for (int i = 0; i < 4; i++) {
        if (c + i >= WIDTH) return;
        float a = to_float(from[i]) * m[i];
        to[i] = from_float<Y>(accumulate ? to_float(to[i]) + a : a);
    }
#endif
}
