#include "hone.cuh"

typedef TYPE T;

// pack: y [EXPERTS, ROWS, RANK] of an adapter's B [ROWS, RANK, EXPERTS], whose experts
// stand side by side. A thread has VEC numbers of a row of an expert; reads of a warp
// are of experts next to each other. Moves 2·sizeof(T) bytes a number.
extern "C" __global__ void __launch_bounds__(256) pack(T *y, const T *b) {
    constexpr int pieces = RANK / VEC;
    i64 i = i64(blockIdx.x) * 256 + threadIdx.x;
    int e = int(i % EXPERTS), piece = int(i / EXPERTS % pieces);
    i64 row = i / EXPERTS / pieces;
    if (row >= ROWS) return;
    Vec<T, VEC> v;
#pragma unroll
    for (int j = 0; j < VEC; j++) v.v[j] = b[(row * RANK + piece * VEC + j) * EXPERTS + e];
    store(y + (i64(e) * ROWS + row) * RANK + piece * VEC, v);
}
