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
// Where BALANCED, a document of T tokens adds `balance` · Σ f_e·P_e to the objective, as
// often as the sum of its predictions' weights, share·T, says:
//
//   f_e  = EXPERTS/(TOP_K·T) · how many of its tokens chose e
//   P_e  = 1/T · Σ s'_e over its tokens, s' being all scores divided by their sum
//
// doc_start, doc_end and share are [rows]; a row beyond the batch has a share of 0.
//
// Defined by route.go: LOGIT, EXPERTS, TOP_K, SIGMOID, AFTER, BIASED, GROUPS, KEEP,
// GROUP_TOP, NORMALISE, EPSILON, FACTOR, BALANCED, WARPS.
//
// Moves sizeof(LOGIT) bytes a logit, where BALANCED as many once more; the choice takes
// TOP_K passes over shared memory.
#include "hone.cuh"
#line 26 "route.cu"

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

// over is the softmax's of the n numbers that `of` gives, for a warp.
template <typename Of> __device__ __forceinline__ Softmax over(int n, Of of) {
    Softmax s = {-HONE_INFINITY, 0.0f};
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
#if SIGMOID
    return Softmax();
#elif AFTER
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

// Balance is a token's s': the softmax of its logits or, since all its sigmoids may vanish,
// that of their logarithms.
struct Balance {
    Softmax all;
    __device__ __forceinline__ static float level(float logit) {
        return SIGMOID ? fminf(logit, 0.0f) - log1pf(expf(-fabsf(logit))) : logit;
    }
    __device__ __forceinline__ Balance(const Logit *logits) {
        all = over(EXPERTS, [&](int e) { return level(to_float(logits[e])); });
    }
    __device__ __forceinline__ float normal(float logit) const { return expf(level(logit) - all.most) / all.total; }
    // mean is Σ f·s', for a warp.
    __device__ __forceinline__ float mean(const Logit *logits, const float *f) const {
        float sum = 0.0f;
        for (int e = threadIdx.x & 31; e < EXPERTS; e += 32) sum += f[e] * normal(to_float(logits[e]));
        return warp_sum(sum);
    }
    // slope is the derivative of Σ f·s' by a logit.
    __device__ __forceinline__ float slope(float logit, float f, float mean) const {
        return normal(logit) * (f - mean) * (SIGMOID ? 1.0f / (1.0f + expf(logit)) : 1.0f);
    }
};

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
// writes d [rows, EXPERTS], or adds it to what is there. Where BALANCED, the gradient of
// that loss, times the loss scale, is in it, f being a constant:
//
//   softmax: d = share·balance·s'·(f − Σ f·s');  sigmoid: that times 1 − score
//
// and g may be null: nothing has used the weights. 1024 threads a multiprocessor leave each
// the 40 registers that this takes.
extern "C" __global__ void __launch_bounds__(32 * WARPS, 32 / WARPS)
route_backward(Logit *d, const Logit *logits, const int *indices, const float *g, int add, const float *f, const int *doc_start,
               const float *share, const float *scale, float balance, int rows) {
    __shared__ float sums[WARPS][EXPERTS];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    i64 t = i64(blockIdx.x) * WARPS + warp;
    if (t >= rows) return;
    logits += t * EXPERTS;
    auto used = [&](int s) { return BALANCED && g == nullptr ? 0.0f : g[t * TOP_K + s]; };
    float *sum = sums[warp];
    for (int e = lane; e < EXPERTS; e += 32) sum[e] = 0.0f;
#if BALANCED
    if (share[t] != 0.0f) { // else f has no row
        f += i64(doc_start[t]) * EXPERTS;
        Balance own(logits);
        float loss = own.mean(logits, f), up = share[t] * balance * scale[0];
        for (int e = lane; e < EXPERTS; e += 32) sum[e] = up * own.slope(to_float(logits[e]), f[e], loss);
    }
#endif
    __syncwarp();
    const int *chosen = indices + t * TOP_K;
    Softmax softmax = chosen_softmax(logits, chosen);
    float total = score_total(logits, chosen, softmax), shared = 0.0f, mean = 0.0f;
    if (NORMALISE) {
        for (int s = lane; s < TOP_K; s += 32) shared += used(s) * FACTOR * score(to_float(logits[chosen[s]]), softmax) / total / total;
        shared = warp_sum(shared);
    }
    for (int s = lane; s < TOP_K; s += 32) {
        float p = score(to_float(logits[chosen[s]]), softmax), ds = FACTOR * used(s) / total - shared;
        sum[chosen[s]] += SIGMOID ? ds * p * (1.0f - p) : ds * p;
        mean += ds * p;
    }
    mean = warp_sum(mean);
#if AFTER && !SIGMOID
    for (int s = lane; s < TOP_K; s += 32) sum[chosen[s]] -= score(to_float(logits[chosen[s]]), softmax) * mean;
#endif
    __syncwarp();
    d += t * EXPERTS;
    for (int e = lane; e < EXPERTS; e += 32) {
        float x = sum[e];
#if !AFTER && !SIGMOID
        x -= score(to_float(logits[e]), softmax) * mean;
#endif
        if (add) x += to_float(d[e]);
        d[e] = from_float<Logit>(x);
    }
}

#if BALANCED
// first_from is the first place of order[from, to), which ascends, whose slot is not below
// one.
__device__ __forceinline__ int first_from(const int *order, int from, int to, int slot) {
    while (from < to) {
        int middle = (from + to) >> 1;
        if (order[middle] < slot) from = middle + 1;
        else to = middle;
    }
    return from;
}

// route_shares writes f [rows, EXPERTS] in the row of the first token of each document
// that has a weight. order and offsets are group.cu's: the slots of an expert ascend, so
// those of a document lie together. A block has a row; those of other tokens leave.
extern "C" __global__ void __launch_bounds__(128)
route_shares(float *f, const int *order, const int *offsets, const int *doc_start, const int *doc_end, const float *share) {
    int t = blockIdx.x;
    if (doc_start[t] != t || share[t] == 0.0f) return;
    int end = doc_end[t];
    float each = float(EXPERTS) / (float(TOP_K) * float(end - t));
    for (int e = threadIdx.x; e < EXPERTS; e += 128) {
        int from = offsets[e], to = offsets[e + 1];
        int count = first_from(order, from, to, end * TOP_K) - first_from(order, from, to, t * TOP_K);
        f[i64(t) * EXPERTS + e] = each * float(count);
    }
}

// route_balance: losses [rows] are each token's part, share·balance·Σ f·s'. A warp has a
// token.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
route_balance(float *losses, const Logit *logits, const float *f, const int *doc_start, const float *share, float balance, int rows) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    i64 t = i64(blockIdx.x) * WARPS + warp;
    if (t >= rows) return;
    float weight = share[t], loss = 0.0f;
    if (weight != 0.0f) {
        logits += t * EXPERTS;
        loss = weight * balance * Balance(logits).mean(logits, f + i64(doc_start[t]) * EXPERTS);
    }
    if (lane == 0) losses[t] = loss;
}
#endif
