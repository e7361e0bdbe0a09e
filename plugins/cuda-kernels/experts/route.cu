// The choice of experts for each token, graph.Route.
//
// logits [rows, EXPERTS]; bias [EXPERTS] float, read where BIASED; indices and weights
// [rows, TOP_K]. A warp has a token.
//
//   standing = score + bias, or logit + bias where the softmax comes AFTER the choice
//   choice   = the TOP_K largest standings, of the KEEP best groups alone; a group's
//              standing is the sum of its GROUP_TOP best
//   weight   = FACTOR·score / Σ, where Σ is the sum of the chosen scores + EPSILON, or 1
//
// Defined by route.go: LOGIT, EXPERTS, TOP_K, SIGMOID, AFTER, BIASED, GROUPS, KEEP,
// GROUP_TOP, NORMALISE, EPSILON, FACTOR, WARPS.
//
// Moves sizeof(LOGIT) bytes a logit; the choice takes TOP_K passes over shared memory.
#include "hone.cuh"
#line 17 "route.cu"

typedef LOGIT Logit;

#define GROUP_SIZE (EXPERTS / GROUPS)
#define NO_LIMIT 0xffffffffffffffffull

// rank is a number that orders candidates: the larger first, of equal ones the lower
// index. It is neither 0 nor NO_LIMIT. What is no number comes last.
__device__ __forceinline__ u64 rank(float x, int index) {
    u32 bits = x == x ? __float_as_uint(x + 0.0f) : 0xff800000u;
    bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return u64(bits) << 32 | (0xffffffffu - u32(index));
}
__device__ __forceinline__ int index_of(u64 rank) { return int(0xffffffffu - u32(rank)); }

// next_best is the largest rank of the n candidates that is below a limit, found by a
// warp; 0 where there is none.
__device__ __forceinline__ u64 next_best(const float *x, int n, u64 below) {
    u64 top = 0;
    for (int i = threadIdx.x & 31; i < n; i += 32) {
        u64 r = rank(x[i], i);
        if (r < below && r > top) top = r;
    }
#pragma unroll
    for (int d = 16; d > 0; d >>= 1) {
        u64 other = __shfl_xor_sync(0xffffffffu, top, d);
        if (other > top) top = other;
    }
    return top;
}

// A Softmax is what exponentials are shifted and divided by.
struct Softmax { float most, total; };

// over is the softmax's of the n logits that `of` gives, for a warp.
template <typename Of> __device__ __forceinline__ Softmax over(int n, Of of) {
    Softmax s = {-HONE_INFINITY, 0.0f};
    if (SIGMOID) return s;
    int lane = threadIdx.x & 31;
    for (int i = lane; i < n; i += 32) s.most = fmaxf(s.most, of(i));
    s.most = warp_max(s.most);
    for (int i = lane; i < n; i += 32) s.total += expf(of(i) - s.most);
    s.total = warp_sum(s.total);
    return s;
}

__device__ __forceinline__ float score(float logit, Softmax s) {
    return SIGMOID ? 1.0f / (1.0f + expf(-logit)) : expf(logit - s.most) / s.total;
}

// chosen_softmax is the softmax of a token's scores, of the chosen logits alone where
// it comes AFTER.
__device__ __forceinline__ Softmax chosen_softmax(const Logit *logits, const int *chosen) {
#if AFTER
    return over(TOP_K, [&](int s) { return to_float(logits[chosen[s]]); });
#else
    return over(EXPERTS, [&](int e) { return to_float(logits[e]); });
#endif
}

// score_total is what scores are divided by.
__device__ __forceinline__ float score_total(const Logit *logits, const int *chosen, Softmax softmax) {
    if (!NORMALISE) return 1.0f;
    float sum = 0.0f;
    for (int s = threadIdx.x & 31; s < TOP_K; s += 32) sum += score(to_float(logits[chosen[s]]), softmax);
    return warp_sum(sum) + EPSILON;
}

#if GROUPS > 1
// bar takes the experts of all but the KEEP best groups out of a warp's standings.
__device__ __forceinline__ void bar(float *standing, float *groups) {
    int lane = threadIdx.x & 31;
    for (int g = lane; g < GROUPS; g += 32) {
        const float *group = standing + g * GROUP_SIZE;
        float sum = 0.0f;
        u64 last = NO_LIMIT;
        for (int n = 0; n < GROUP_TOP; n++) {
            u64 top = 0;
            for (int i = 0; i < GROUP_SIZE; i++) {
                u64 r = rank(group[i], i);
                if (r < last && r > top) top = r;
            }
            sum += group[index_of(top)];
            last = top;
        }
        groups[g] = sum;
    }
    __syncwarp();
    u64 last = NO_LIMIT;
    for (int n = 0; n < KEEP; n++) last = next_best(groups, GROUPS, last);
    for (int e = lane; e < EXPERTS; e += 32)
        if (rank(groups[e / GROUP_SIZE], e / GROUP_SIZE) < last) standing[e] = -HONE_INFINITY;
    __syncwarp();
}
#endif

extern "C" __global__ void __launch_bounds__(32 * WARPS)
route(int *indices, float *weights, const Logit *logits, const float *bias, int rows) {
    __shared__ float standings[WARPS][EXPERTS];
    __shared__ int choices[WARPS][TOP_K];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    i64 t = i64(blockIdx.x) * WARPS + warp;
    if (t >= rows) return;
    logits += t * EXPERTS;
    float *standing = standings[warp];
    int *chosen = choices[warp];
#if !AFTER
    Softmax all = chosen_softmax(logits, chosen);
#endif
    for (int e = lane; e < EXPERTS; e += 32) {
        float x = to_float(logits[e]);
#if !AFTER
        x = score(x, all);
#endif
        standing[e] = BIASED ? x + bias[e] : x;
    }
    __syncwarp();
#if GROUPS > 1
    __shared__ float groups[WARPS][GROUPS];
    bar(standing, groups[warp]);
#endif
    u64 last = NO_LIMIT;
    for (int s = 0; s < TOP_K; s++) {
        last = next_best(standing, EXPERTS, last);
        if (lane == 0) chosen[s] = index_of(last);
    }
    __syncwarp();
    Softmax softmax = chosen_softmax(logits, chosen);
    float total = score_total(logits, chosen, softmax);
    for (int s = lane; s < TOP_K; s += 32) {
        indices[t * TOP_K + s] = chosen[s];
        weights[t * TOP_K + s] = FACTOR * score(to_float(logits[chosen[s]]), softmax) / total;
    }
}

// route_backward: with g the gradients of a token's weights, the choice held fixed,
//
//   ds = FACTOR·g/Σ, less Σ g·weight/Σ where Σ is the scores' sum
//   sigmoid: d = ds·score·(1 − score);  softmax: d = score·(ds − Σ ds·score)
//
// writes d [rows, EXPERTS], or adds it to what is there.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
route_backward(Logit *d, const Logit *logits, const int *indices, const float *g, int add, int rows) {
    __shared__ float sums[WARPS][EXPERTS];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    i64 t = i64(blockIdx.x) * WARPS + warp;
    if (t >= rows) return;
    logits += t * EXPERTS;
    d += t * EXPERTS;
    g += t * TOP_K;
    const int *chosen = indices + t * TOP_K;
    float *sum = sums[warp];
    for (int e = lane; e < EXPERTS; e += 32) sum[e] = 0.0f;
    __syncwarp();
    Softmax softmax = chosen_softmax(logits, chosen);
    float total = score_total(logits, chosen, softmax), shared = 0.0f, mean = 0.0f;
    if (NORMALISE) {
        for (int s = lane; s < TOP_K; s += 32) shared += g[s] * FACTOR * score(to_float(logits[chosen[s]]), softmax) / total / total;
        shared = warp_sum(shared);
    }
    for (int s = lane; s < TOP_K; s += 32) {
        float p = score(to_float(logits[chosen[s]]), softmax), ds = FACTOR * g[s] / total - shared;
        sum[chosen[s]] = SIGMOID ? ds * p * (1.0f - p) : ds * p;
        mean += ds * p;
    }
    mean = warp_sum(mean);
#if AFTER && !SIGMOID
    for (int s = lane; s < TOP_K; s += 32) sum[chosen[s]] -= score(to_float(logits[chosen[s]]), softmax) * mean;
#endif
    __syncwarp();
    for (int e = lane; e < EXPERTS; e += 32) {
        float x = sum[e];
#if !AFTER && !SIGMOID
        x -= score(to_float(logits[e]), softmax) * mean;
#endif
        if (add) x += to_float(d[e]);
        d[e] = from_float<Logit>(x);
    }
}
