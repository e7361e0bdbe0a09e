// How a product of a query and a key becomes a score, for all kernels on tensor cores.
#line 3 "score.cuh"

#define LOG2E 1.4426950408889634f
#define LN2 0.6931471805599453f

// Scores are in units of log 2, so that exp2 gives probabilities: a product times
// FACTOR. Under a cap, or a scale that would turn the order around, they are made
// so first and FACTOR is 1.
#define PREPARED (CAPPED || SCALE <= 0.0f)
#define FACTOR (PREPARED ? 1.0f : SCALE * LOG2E)
#define CAP_OR_ONE (CAPPED ? CAP : 1.0f)

// soft_tanh is tanh to 1e-7 of its range.
__device__ __forceinline__ float soft_tanh(float x) {
    return 1.0f - 2.0f * reciprocal(1.0f + exp2_fast(x * (2.0f * LOG2E)));
}

// prepare turns a product into a score before FACTOR.
__device__ __forceinline__ float prepare(float x) {
    if (CAPPED) return soft_tanh(x * (SCALE / CAP_OR_ONE)) * (CAP_OR_ONE * LOG2E);
    return PREPARED ? x * (SCALE * LOG2E) : x;
}

// slope is the derivative of the cap, given a prepared score; 0 at −∞.
__device__ __forceinline__ float slope(float score) {
    if (!CAPPED) return 1.0f;
    float t = fmaxf(score * (1.0f / (CAP_OR_ONE * LOG2E)), -1.0f);
    return 1.0f - t * t;
}
