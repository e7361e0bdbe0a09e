// The cross-entropy of rows of logits [rows, STRIDE], of which VOCAB columns count.
//
//   logp = x_target − max(x) − log Σ exp(x − max(x))
//   d    = weight · scale · (softmax(x) − onehot(target))
//
// A block of THREADS has a row. Its first pass keeps a running maximum and sum in each
// thread; its second, for the gradient, reads the row again: from shared memory as far
// as `stash` vectors, beyond it from L2, into which the rows in work fit.
//
// Roofline: a row is read once and its gradient written once: 2·VOCAB·sizeof(T) bytes.
// Some 25 FLOPs and two exponentials an element: bound by memory.
#include "hone.cuh"

#define VEC (16 / int(sizeof(TYPE)))

// Exponentials of the 16-bit types' logits come from the unit for 2^x, whose relative
// error of 2^-22 is far below their rounding.
__device__ __forceinline__ float exponential(float x) {
    if constexpr (sizeof(TYPE) == 4) return expf(x);
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x * 1.4426950408889634f));
    return y;
}

// Running is a maximum and the sum of exp(x − max). It starts below all logits but
// above −∞, so that logits of −∞ give no NaN.
struct Running {
    float max, sum;
};

template <int N> __device__ __forceinline__ void add(Running &r, const float *x) {
    float top = r.max;
#pragma unroll
    for (int j = 0; j < N; j++) top = fmaxf(top, x[j]);
    float sum = r.sum * exponential(r.max - top);
#pragma unroll
    for (int j = 0; j < N; j++) sum += exponential(x[j] - top);
    r.max = top;
    r.sum = sum;
}

__device__ __forceinline__ void widen(const Vec<TYPE, VEC> &v, float *x) {
#pragma unroll
    for (int j = 0; j < VEC; j++) x[j] = to_float(v.v[j]);
}

// Cut is how a row is read: head single numbers up to an address of 16 bytes, vectors,
// and the single numbers that are left.
struct Cut {
    int head, vectors, singles;
    __device__ __forceinline__ int single(int k) const { return k < head ? k : k + vectors * VEC; }
};

__device__ __forceinline__ Cut cut(i64 start) {
    Cut c;
    c.head = STRIDE % VEC == 0 ? 0 : min(VOCAB, int((VEC - start % VEC) % VEC));
    c.vectors = (VOCAB - c.head) / VEC;
    c.singles = VOCAB - c.vectors * VEC;
    return c;
}

// The maximum and sum of a row, known to all threads.
__device__ __forceinline__ Running reduce(const TYPE *x, const Cut &c, Vec<TYPE, VEC> *stash, int stashed) {
    Running r = {-3.0e38f, 0.0f};
#pragma unroll 2
    for (int i = threadIdx.x; i < c.vectors; i += THREADS) {
        Vec<TYPE, VEC> v = load<VEC>(x + c.head + i * VEC);
        if (i < stashed) stash[i] = v;
        float f[VEC];
        widen(v, f);
        add<VEC>(r, f);
    }
    if (threadIdx.x < c.singles) {
        float f = to_float(x[c.single(threadIdx.x)]);
        add<1>(r, &f);
    }
    float top = block_max(r.max);
    r.sum = block_sum(r.sum * exponential(r.max - top));
    r.max = top;
    return r;
}

__device__ __forceinline__ float logit(const TYPE *x, int target) {
    return u32(target) < VOCAB ? to_float(x[target]) : __int_as_float(0x7fffffff);
}

// losses[row] = −weight·logp, and logits become their gradient. A row of weight 0 has
// loss and gradient 0 whatever its logits. scale points to the loss scale.
extern "C" __global__ void __launch_bounds__(THREADS)
cross_entropy(TYPE *logits, const int *targets, const float *weights, const float *scale, float *losses, int stashed) {
    extern __shared__ __align__(16) char shared[];
    Vec<TYPE, VEC> *stash = reinterpret_cast<Vec<TYPE, VEC> *>(shared);
    const i64 row = blockIdx.x;
    TYPE *x = logits + row * STRIDE;
    const Cut c = cut(row * STRIDE);
    const float weight = weights[row];
    const int target = targets[row];
    if (weight == 0.0f) {
        Vec<TYPE, VEC> zeros = {};
        for (int i = threadIdx.x; i < c.vectors; i += THREADS) store<VEC>(x + c.head + i * VEC, zeros);
        if (threadIdx.x < c.singles) x[c.single(threadIdx.x)] = zeros.v[0];
        if (threadIdx.x == 0) losses[row] = 0.0f;
        return;
    }
    const float chosen = logit(x, target); // before any thread writes
    const Running r = reduce(x, c, stash, stashed);
    if (threadIdx.x == 0) losses[row] = -weight * (chosen - r.max - logf(r.sum));
    const float up = weight * scale[0], share = up / r.sum;
    for (int i = threadIdx.x; i < c.vectors; i += THREADS) {
        Vec<TYPE, VEC> v = i < stashed ? stash[i] : load<VEC>(x + c.head + i * VEC);
        const int first = c.head + i * VEC;
        float f[VEC];
        widen(v, f);
#pragma unroll
        for (int j = 0; j < VEC; j++) f[j] = exponential(f[j] - r.max) * share;
        if (u32(target - first) < VEC) {
#pragma unroll
            for (int j = 0; j < VEC; j++)
                if (first + j == target) f[j] -= up;
        }
#pragma unroll
        for (int j = 0; j < VEC; j++) v.v[j] = from_float<TYPE>(f[j]);
        store<VEC>(x + first, v);
    }
    if (threadIdx.x < c.singles) {
        const int k = c.single(threadIdx.x);
        float d = exponential(to_float(x[k]) - r.max) * share;
        x[k] = from_float<TYPE>(k == target ? d - up : d);
    }
}

// logp[row], and logits stay. Reads VOCAB·sizeof(T) bytes a row.
extern "C" __global__ void __launch_bounds__(THREADS) log_probability(const TYPE *logits, const int *targets, float *logp) {
    const i64 row = blockIdx.x;
    const TYPE *x = logits + row * STRIDE;
    const Running r = reduce(x, cut(row * STRIDE), nullptr, 0);
    if (threadIdx.x == 0) logp[row] = logit(x, targets[row]) - r.max - logf(r.sum);
}
