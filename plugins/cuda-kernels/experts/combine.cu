// Sums of each token's slots, graph.Combine, and their gradients.
//
// x [rows·SLOTS, WIDTH], weights [rows, SLOTS], y [rows, WIDTH].
#include "hone.cuh"

typedef X_TYPE X;
typedef Y_TYPE Y;
typedef WEIGHT_TYPE Weight;

// combine: y[t] = Σ_s weights[t,s]·x[t,s], or adds that to y; PLAIN takes weights as 1.
// Reads x once.
extern "C" __global__ void __launch_bounds__(256) combine(Y *y, const X *x, const Weight *weights, i64 rows, int add) {
    constexpr int pieces = WIDTH / VEC;
    i64 i = i64(blockIdx.x) * 256 + threadIdx.x, t = i / pieces;
    if (t >= rows) return;
    int c = int(i % pieces) * VEC;
    float sum[VEC], a[VEC];
#pragma unroll
    for (int j = 0; j < VEC; j++) sum[j] = 0.0f;
#pragma unroll 4
    for (int s = 0; s < SLOTS; s++) {
        float w = PLAIN ? 1.0f : to_float(weights[t * SLOTS + s]);
        load_floats(x + (t * SLOTS + s) * WIDTH + c, a);
#pragma unroll
        for (int j = 0; j < VEC; j++) sum[j] += w * a[j];
    }
    if (add) {
        load_floats(y + t * WIDTH + c, a);
#pragma unroll
        for (int j = 0; j < VEC; j++) sum[j] += a[j];
    }
    store_floats(y + t * WIDTH + c, sum);
}

// combine_backward: dx[t,s] = weights[t,s]·dy[t] and dw[t,s] = dy[t]·x[t,s], or adds
// these; a pointer of 0 is not wanted. A warp has a slot.
extern "C" __global__ void __launch_bounds__(256)
combine_backward(X *dx, Weight *dw, const Y *dy, const X *x, const Weight *weights, i64 slots, int add_dx, int add_dw) {
    i64 i = i64(blockIdx.x) * 8 + (threadIdx.x >> 5);
    if (i >= slots) return;
    int lane = threadIdx.x & 31;
    float w = PLAIN || !dx ? 1.0f : to_float(weights[i]), dot = 0.0f;
    dy += i / SLOTS * WIDTH;
#pragma unroll 2
    for (int c = lane * VEC; c < WIDTH; c += 32 * VEC) {
        float g[VEC], a[VEC];
        load_floats(dy + c, g);
        if (dw) {
            load_floats(x + i * WIDTH + c, a);
#pragma unroll
            for (int j = 0; j < VEC; j++) dot += g[j] * a[j];
        }
        if (dx) {
#pragma unroll
            for (int j = 0; j < VEC; j++) g[j] *= w;
            if (add_dx) {
                load_floats(dx + i * WIDTH + c, a);
#pragma unroll
                for (int j = 0; j < VEC; j++) g[j] += a[j];
            }
            store_floats(dx + i * WIDTH + c, g);
        }
    }
    if (!dw) return;
    dot = warp_sum(dot);
    if (lane == 0) dw[i] = from_float<Weight>(add_dw ? to_float(dw[i]) + dot : dot);
}
