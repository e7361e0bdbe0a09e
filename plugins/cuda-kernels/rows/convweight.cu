#include "hone.cuh"

typedef TYPE T;

// weight_parts: parts[p, c, k] = Σ dy[t, c] · x[t − (KERNEL−1) + k, c] over the rows t of
// part p whose window reaches that row of their document; x, dy [rows, COLUMNS].
//
// TAPS values of k are summed at a time. Reads dy and x ⌈KERNEL/TAPS⌉ times from
// memory, x KERNEL times through the cache.
extern "C" __global__ void __launch_bounds__(256)
    weight_parts(float *parts, const T *dy, const T *x, const int *start, i64 rows, i64 share) {
    __shared__ float sums[DOWN][ACROSS * VEC];
    int across = threadIdx.x % ACROSS, down = threadIdx.x / ACROSS;
    i64 first = i64(blockIdx.x) * ACROSS * VEC, c = first + across * VEC;
    i64 from = i64(blockIdx.y) * share, to = min(from + share, rows);
#pragma unroll 1
    for (int d0 = 0; d0 < KERNEL; d0 += TAPS) {
        float sum[TAPS][VEC];
#pragma unroll
        for (int d = 0; d < TAPS; d++)
#pragma unroll
            for (int j = 0; j < VEC; j++) sum[d][j] = 0.0f;
        for (i64 t = from + down; t < to && c < COLUMNS; t += DOWN) {
            int reach = min(KERNEL, int(t - start[t] + 1));
            float g[VEC];
            load_floats(dy + t * COLUMNS + c, g);
#pragma unroll
            for (int d = 0; d < TAPS; d++) {
                if (d0 + d >= reach) continue;
                float a[VEC];
                load_floats(x + (t - d0 - d) * COLUMNS + c, a);
#pragma unroll
                for (int j = 0; j < VEC; j++) sum[d][j] += g[j] * a[j];
            }
        }
#pragma unroll
        for (int d = 0; d < TAPS; d++) {
            __syncthreads();
#pragma unroll
            for (int j = 0; j < VEC; j++) sums[down][across * VEC + j] = sum[d][j];
            __syncthreads();
            if (d0 + d >= KERNEL) continue;
            for (int i = threadIdx.x; i < ACROSS * VEC; i += 256) {
                if (first + i >= COLUMNS) break;
                float total = 0.0f;
                for (int r = 0; r < DOWN; r++) total += sums[r][i];
                parts[(i64(blockIdx.y) * COLUMNS + first + i) * KERNEL + KERNEL - 1 - d0 - d] = total;
            }
        }
    }
}
