// What hone's kernels share. No other header is included anywhere: NVRTC has none.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define HONE_INFINITY __int_as_float(0x7f800000)

// The 16-bit types. Arithmetic is in float.
struct bf16 { u16 bits; };
struct f16 { u16 bits; };

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(bf16 x) { return __uint_as_float(u32(x.bits) << 16); }
__device__ __forceinline__ float to_float(f16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}

// from_float<T> rounds to nearest, ties to even.
template <typename T> __device__ __forceinline__ T from_float(float x);
template <> __device__ __forceinline__ float from_float<float>(float x) { return x; }
template <> __device__ __forceinline__ bf16 from_float<bf16>(float x) {
    bf16 y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
}
template <> __device__ __forceinline__ f16 from_float<f16>(float x) {
    f16 y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
}

// Vec is N numbers that are read and written at once; N·sizeof(T) is at most 16.
template <typename T, int N> struct alignas(sizeof(T) * N) Vec { T v[N]; };

template <int N, typename T> __device__ __forceinline__ Vec<T, N> load(const T *p) {
    return *reinterpret_cast<const Vec<T, N> *>(p);
}
template <int N, typename T> __device__ __forceinline__ void store(T *p, const Vec<T, N> &x) {
    *reinterpret_cast<Vec<T, N> *>(p) = x;
}

// store_pair writes two numbers, or adds them to those that are there.
template <typename T> __device__ __forceinline__ void store_pair(T *p, float x, float y, bool add) {
    if (add) {
        Vec<T, 2> old = load<2>(p);
        x += to_float(old.v[0]);
        y += to_float(old.v[1]);
    }
    Vec<T, 2> v = {{from_float<T>(x), from_float<T>(y)}};
    store(p, v);
}

// load_floats and store_floats are N numbers of any type as floats; N is a power of
// two, and p aligned to N numbers or to 16 bytes.
template <int N, typename T> __device__ __forceinline__ void load_floats(const T *p, float (&x)[N]) {
    constexpr int M = N * sizeof(T) > 16 ? 16 / sizeof(T) : N;
#pragma unroll
    for (int i = 0; i < N; i += M) {
        Vec<T, M> v = load<M>(p + i);
#pragma unroll
        for (int j = 0; j < M; j++) x[i + j] = to_float(v.v[j]);
    }
}
template <int N, typename T> __device__ __forceinline__ void store_floats(T *p, const float (&x)[N]) {
    constexpr int M = N * sizeof(T) > 16 ? 16 / sizeof(T) : N;
#pragma unroll
    for (int i = 0; i < N; i += M) {
        Vec<T, M> v;
#pragma unroll
        for (int j = 0; j < M; j++) v.v[j] = from_float<T>(x[i + j]);
        store(p + i, v);
    }
}

// Sums and maxima. Their order is fixed, so the bits are the same each time.
__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
    for (int d = 16; d > 0; d >>= 1) x += __shfl_xor_sync(0xffffffffu, x, d);
    return x;
}
__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
    for (int d = 16; d > 0; d >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, d));
    return x;
}

// block_sum is the sum over the threads of a block, a multiple of 32 up to 1024,
// known to all of them. It may be called again at once.
__device__ __forceinline__ float block_sum(float x) {
    __shared__ float part[32];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
    x = warp_sum(x);
    if (warps == 1) return x;
    __syncthreads();
    if (lane == 0) part[warp] = x;
    __syncthreads();
    return warp_sum(lane < warps ? part[lane] : 0.0f);
}
__device__ __forceinline__ float block_max(float x) {
    __shared__ float part[32];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
    x = warp_max(x);
    if (warps == 1) return x;
    __syncthreads();
    if (lane == 0) part[warp] = x;
    __syncthreads();
    return warp_max(lane < warps ? part[lane] : -HONE_INFINITY);
}

// Philox4x32-10 (Salmon et al., 2011), as sdk/graph/dropout defines it.
struct Philox { u32 x, y, z, w; };
__device__ __forceinline__ Philox philox(u32 c0, u32 c1, u32 c2, u32 c3, u32 k0, u32 k1) {
#pragma unroll
    for (int i = 0; i < 10; i++) {
        u32 high0 = __umulhi(c0, 0xd2511f53u), low0 = c0 * 0xd2511f53u;
        u32 high1 = __umulhi(c2, 0xcd9e8d57u), low1 = c2 * 0xcd9e8d57u;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    Philox p = {c0, c1, c2, c3};
    return p;
}
