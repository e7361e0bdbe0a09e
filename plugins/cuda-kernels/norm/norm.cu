#include "hone.cuh"

typedef X_TYPE X;
typedef Y_TYPE Y;

// Norms of groups of SIZE numbers, GROUPS to a row, statistics in float:
//
//   x̂ = (x − μ) · r,  r = 1/√(mean((x − μ)²) + EPSILON);  y = x̂·w + b
//
// μ is the mean (CENTRE) or 0. weight and bias have WEIGHTS and BIASES numbers: none,
// SIZE or SIZE·GROUPS; with PLUS_ONE w is 1 + weight.
//
// A group has LANES threads: up to a warp, or a block of its own. A thread's numbers
// are ITEMS vectors of VEC, LANES·VEC apart; HELD, it keeps them in registers as they
// are in memory and each is read once. Groups too wide for that are read again for
// each pass, from the cache.
#define THREADS (LANES > 32 ? LANES : 256)
#define IN_BLOCK (THREADS / LANES)

// sums replaces each of N numbers by its sum over the threads of the group. SITE tells
// calls apart, which so need no barrier between them.
template <int SITE, int N> __device__ __forceinline__ void sums(float (&x)[N]) {
#pragma unroll
    for (int i = 0; i < N; i++)
#pragma unroll
        for (int d = (LANES < 32 ? LANES : 32) / 2; d > 0; d /= 2) x[i] += __shfl_xor_sync(0xffffffffu, x[i], d);
#if LANES > 32
    __shared__ float part[N][32];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    if (lane == 0)
#pragma unroll
        for (int i = 0; i < N; i++) part[i][warp] = x[i];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < N; i++) x[i] = warp_sum(lane < LANES / 32 ? part[i][lane] : 0.0f);
#endif
}

__device__ __forceinline__ int place(int item) { return (item * LANES + int(threadIdx.x) % LANES) * VEC; }
__device__ __forceinline__ bool inside(int item) { return ITEMS * LANES * VEC == SIZE || place(item) < SIZE; }

// Numbers are the numbers of a group that a thread has.
template <typename T> struct Numbers {
    const T *from;
    Vec<T, VEC> held[HELD ? ITEMS : 1];

    __device__ __forceinline__ explicit Numbers(const T *p) : from(p) {
#if HELD
#pragma unroll
        for (int i = 0; i < ITEMS; i++)
            if (inside(i)) held[i] = load<VEC>(from + place(i));
#endif
    }
    __device__ __forceinline__ void get(int item, float (&x)[VEC]) const {
#if HELD
        Vec<T, VEC> v = held[item];
#else
        Vec<T, VEC> v = load<VEC>(from + place(item));
#endif
#pragma unroll
        for (int j = 0; j < VEC; j++) x[j] = to_float(v.v[j]);
    }
};

#if HELD
#define EACH_ITEM _Pragma("unroll") for (int i = 0; i < ITEMS; i++) if (inside(i))
#else
#define EACH_ITEM _Pragma("unroll 1") for (int i = 0; i < ITEMS; i++) if (inside(i))
#endif
#define EACH_NUMBER _Pragma("unroll") for (int j = 0; j < VEC; j++)

// multiply is x·w, at an item's place in its group.
__device__ __forceinline__ void multiply(float (&x)[VEC], const float *weight, i64 group, int item) {
#if WEIGHTS
    float w[VEC];
    load_floats(weight + (WEIGHTS > SIZE ? int(group % GROUPS) * SIZE : 0) + place(item), w);
    EACH_NUMBER x[j] *= PLUS_ONE ? 1.0f + w[j] : w[j];
#endif
}

// mean is μ.
__device__ __forceinline__ float mean_of(const Numbers<X> &x) {
#if CENTRE
    float sum[1] = {0.0f}, a[VEC];
    EACH_ITEM {
        x.get(i, a);
        EACH_NUMBER sum[0] += a[j];
    }
    sums<0>(sum);
    return sum[0] * (1.0f / SIZE);
#else
    return 0.0f;
#endif
}

__device__ __forceinline__ float inverse_of(float squares) { return 1.0f / sqrtf(squares * (1.0f / SIZE) + EPSILON); }

// forward: y of x. Moves sizeof(X) + sizeof(Y) bytes a number.
extern "C" __global__ void __launch_bounds__(THREADS)
    forward(Y *y, const X *x, const float *weight, const float *bias, i64 groups) {
    i64 group = i64(blockIdx.x) * IN_BLOCK + threadIdx.x / LANES;
    bool spare = group >= groups; // its warp still needs it
    if (spare) group = groups - 1;
    Numbers<X> in(x + group * SIZE);
    float a[VEC], mean = mean_of(in), squares[1] = {0.0f};
    EACH_ITEM {
        in.get(i, a);
        EACH_NUMBER squares[0] += (a[j] - mean) * (a[j] - mean);
    }
    sums<1>(squares);
    float inverse = inverse_of(squares[0]);
    if (spare) return;
    EACH_ITEM {
        in.get(i, a);
        EACH_NUMBER a[j] = (a[j] - mean) * inverse;
        multiply(a, weight, group, i);
#if BIASES
        float b[VEC];
        load_floats(bias + (BIASES > SIZE ? int(group % GROUPS) * SIZE : 0) + place(i), b);
        EACH_NUMBER a[j] += b[j];
#endif
        store_floats(y + group * SIZE + place(i), a);
    }
}

// backward: with g = dy·w and means over the group,
//
//   dx = (g − x̂·mean(g·x̂) − mean(g)) · r
//
// the last mean with CENTRE alone; dx is written, or added to what is there. Reads x
// and dy once and takes the statistics anew; moves 2·sizeof(X) + sizeof(Y) bytes a
// number, sizeof(X) more where it adds. statistics, where it is not 0, gets μ and r
// of each group, for weight_parts; dx may be 0.
extern "C" __global__ void __launch_bounds__(THREADS)
    backward(X *dx, const Y *dy, const X *x, const float *weight, float2 *statistics, i64 groups, int accumulate) {
    i64 group = i64(blockIdx.x) * IN_BLOCK + threadIdx.x / LANES;
    bool spare = group >= groups;
    if (spare) group = groups - 1;
    Numbers<X> in(x + group * SIZE);
    Numbers<Y> upstream(dy + group * SIZE);
    float a[VEC], g[VEC], mean = mean_of(in);
    float sum[3] = {0.0f, 0.0f, 0.0f}; // (x − μ)², g·(x − μ), g
    EACH_ITEM {
        in.get(i, a);
        upstream.get(i, g);
        multiply(g, weight, group, i);
        EACH_NUMBER {
            float d = a[j] - mean;
            sum[0] += d * d;
            sum[1] += g[j] * d;
            sum[2] += g[j];
        }
    }
#if CENTRE
    sums<1>(sum);
    float centre = sum[2] * (1.0f / SIZE);
#else
    float two[2] = {sum[0], sum[1]};
    sums<1>(two);
    sum[0] = two[0];
    sum[1] = two[1];
    float centre = 0.0f;
#endif
    float inverse = inverse_of(sum[0]), along = sum[1] * inverse * (1.0f / SIZE);
    if (spare) return;
    if (statistics && threadIdx.x % LANES == 0) statistics[group] = make_float2(mean, inverse);
    if (!dx) return;
    EACH_ITEM {
        in.get(i, a);
        upstream.get(i, g);
        multiply(g, weight, group, i);
        EACH_NUMBER g[j] = (g[j] - centre - (a[j] - mean) * inverse * along) * inverse;
        X *to = dx + group * SIZE + place(i);
        if (accumulate) {
            load_floats(to, a);
            EACH_NUMBER g[j] += a[j];
        }
        store_floats(to, g);
    }
}
