#include "hone.cuh"

typedef TABLE_TYPE Table;
typedef Y_TYPE Y;

// place is where an id stands among count ascending ones; -1 for nowhere.
__device__ __forceinline__ int place(const int *ids, int count, int id) {
    int low = 0, high = count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (ids[middle] < id) low = middle + 1;
        else high = middle;
    }
    return low < count && ids[low] == id ? low : -1;
}

// forward: y[t] = scale·table[id[t]], y [rows, WIDTH].
//
// Moves WIDTH·(sizeof(Table) + sizeof(Y)) bytes a row.
extern "C" __global__ void __launch_bounds__(256)
    forward(Y *y, const Table *table, const int *id, i64 rows, float scale) {
    constexpr int pieces = WIDTH / VEC;
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 t = at / pieces;
    if (t >= rows) return;
    int c = int(at % pieces) * VEC;
    float x[VEC];
    load_floats(table + i64(id[t]) * WIDTH + c, x);
#pragma unroll
    for (int i = 0; i < VEC; i++) x[i] *= scale;
    store_floats(y + t * WIDTH + c, x);
}

// overlay: y[t] = scale·table[k] where id[t] is ids[k], of count ascending ones; the
// other rows stay.
extern "C" __global__ void __launch_bounds__(256)
    overlay(Y *y, const Table *table, const int *id, const int *ids, int count, i64 rows, float scale) {
    constexpr int pieces = WIDTH / VEC;
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 t = at / pieces;
    if (t >= rows) return;
    int c = int(at % pieces) * VEC, k = place(ids, count, id[t]);
    if (k < 0) return;
    float x[VEC];
    load_floats(table + i64(k) * WIDTH + c, x);
#pragma unroll
    for (int i = 0; i < VEC; i++) x[i] *= scale;
    store_floats(y + t * WIDTH + c, x);
}

// backward: d[id] += scale · Σ dy[t] over the rows t with that id, in their order, but
// not for count ids, ascending, or with `own` for these alone, to d[k] for ids[k]; d
// [vocabulary, WIDTH] or [count, WIDTH] float.
//
// The threads of an id's first row follow the chain of its rows; those of the other
// rows have nothing to do. Reads dy once, reads and writes the rows of d that occur.
extern "C" __global__ void __launch_bounds__(256)
    backward(float *d, const Y *dy, const int *id, const int *first, const int *next, const int *ids, int count, int own, i64 rows, float scale) {
    constexpr int pieces = WIDTH / VEC;
    i64 at = i64(blockIdx.x) * 256 + threadIdx.x;
    i64 t = at / pieces;
    if (t >= rows || !first[t]) return;
    int c = int(at % pieces) * VEC, k = place(ids, count, id[t]);
    if (own != int(k >= 0)) return;
    float sum[VEC], x[VEC];
    load_floats(dy + t * WIDTH + c, sum);
    for (int u = next[t]; u >= 0; u = next[u]) {
        load_floats(dy + i64(u) * WIDTH + c, x);
#pragma unroll
        for (int i = 0; i < VEC; i++) sum[i] += x[i];
    }
    float *row = d + i64(own ? k : id[t]) * WIDTH + c;
    load_floats(row, x);
#pragma unroll
    for (int i = 0; i < VEC; i++) x[i] += scale * sum[i];
    store_floats(row, x);
}
