// What the kernels of a map share; the kernels themselves are written for each
// expression by source.go and follow this text.
//
// All are bound by memory: a kernel reads each of its arguments and dy once and
// writes each result once, and a vector of 16 bytes or more is in flight for each
// array and thread. Bytes per element are the sizes of the types of those arrays;
// FLOPs are those of the expression, some tens at most.
//
// WIDTH is the width of y, SLOTS the rows of y that a token has.
#define THREADS 256

// Fetches what columns [column, column + V) have of a row in which each number
// stands for GROUP columns.
template <int V, int GROUP, typename T>
__device__ __forceinline__ void fetch_spread(const T *row, int column, float (&x)[V]) {
    if constexpr (GROUP % V == 0) {
        const float one = to_float(row[column / GROUP]);
#pragma unroll
        for (int j = 0; j < V; j++) x[j] = one;
    } else {
#pragma unroll
        for (int j = 0; j < V; j++) x[j] = to_float(row[(column + j) / GROUP]);
    }
}

// The quotient by a constant; nearly always of numbers of 32 bits, which is faster.
template <int D> __device__ __forceinline__ i64 quotient(i64 e) {
    if (u64(e) >> 32) return u64(e) / u64(D);
    return u32(e) / u32(D);
}

// The sum over groups of L neighbouring threads, L = 1, 2 … 32 or all THREADS; the
// first of them knows it.
template <int L> __device__ __forceinline__ float sum_lanes(float x) {
    if constexpr (L > 32) {
        return block_sum(x);
    } else {
#pragma unroll
        for (int d = L / 2; d > 0; d >>= 1) x += __shfl_xor_sync(0xffffffffu, x, d);
        return x;
    }
}

__device__ __forceinline__ double warp_sum_double(double x) {
#pragma unroll
    for (int d = 16; d > 0; d >>= 1) x += __shfl_xor_sync(0xffffffffu, x, d);
    return x;
}

// The sum over a block of THREADS threads; thread 0 knows it.
__device__ __forceinline__ double block_sum_double(double x) {
    __shared__ double part[THREADS / 32];
    x = warp_sum_double(x);
    __syncthreads();
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = x;
    __syncthreads();
    if (threadIdx.x < 32) x = warp_sum_double(threadIdx.x < THREADS / 32 ? part[threadIdx.x] : 0.0);
    return x;
}

// Adds up what the 8 warps of a block have for the V columns of each of 32 lanes, and
// writes it to the block's row of partial sums.
template <int V> __device__ __forceinline__ void fold_rows(const float *sum, float *partial, int column) {
    __shared__ float part[THREADS / 32][32 * V];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    __syncthreads();
#pragma unroll
    for (int j = 0; j < V; j++) part[warp][j * 32 + lane] = sum[j];
    __syncthreads();
    if (warp != 0 || column >= WIDTH) return;
#pragma unroll
    for (int j = 0; j < V; j++) {
        float total = 0.0f;
        for (int w = 0; w < THREADS / 32; w++) total += part[w][j * 32 + lane];
        partial[column + j] = total;
    }
}
