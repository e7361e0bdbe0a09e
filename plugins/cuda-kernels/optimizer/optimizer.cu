// AdamW over n parameters that lie in one buffer. package optimizer has the formulas.
#include "hone.cuh"

// As the Go type State encodes it.
struct State {
    double norm, loss;
    i64 updates, skipped;
    float scale, used;
    float factor, decay, size, root;
    u32 not_finite;
    u32 good, interval, calm, streak;
    u32 unused;
};

// partial[block] = Σ g² over the block's share, in float64, which no gradient of float32
// overflows. Reads 4 bytes an element; one conversion and one fused product in float64.
extern "C" __global__ void __launch_bounds__(256) square_sum(const float *g, double *partial, i64 n) {
    __shared__ double part[256];
    double sum = 0.0;
    const i64 step = i64(gridDim.x) * 1024;
#pragma unroll 2
    for (i64 i = i64(blockIdx.x) * 1024 + threadIdx.x * 4; i < n; i += step) {
        if (i + 4 <= n) {
            Vec<float, 4> v = load<4>(g + i);
#pragma unroll
            for (int j = 0; j < 4; j++) sum += double(v.v[j]) * double(v.v[j]);
        } else {
            for (i64 k = i; k < n; k++) sum += double(g[k]) * double(g[k]);
        }
    }
    part[threadIdx.x] = sum;
    for (int half = 128; half > 0; half >>= 1) {
        __syncthreads();
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (threadIdx.x == 0) partial[blockIdx.x] = part[0];
}

// The loss scale after a step whose gradient overflowed, or did not.
__device__ __forceinline__ void rescale(State *s, bool overflow, float least, float most, u32 shortest, u32 longest) {
    if (overflow) {
        s->scale = fmaxf(least, s->scale * 0.5f);
        if (s->streak == 0) s->interval = min(longest, s->interval * 2);
        s->streak++;
        s->good = s->calm = 0;
        return;
    }
    s->streak = 0;
    if (++s->good < s->interval) return;
    s->good = 0;
    s->scale = fminf(most, s->scale * 2.0f);
    if (++s->calm < 2) return;
    s->calm = 0;
    s->interval = max(shortest, s->interval / 2);
}

// Decides a step from the partial sums: one block. weight is the sum of the step's
// weights; loss, where it is not null, is the sum of its losses. most is 0 where the
// loss is not scaled.
extern "C" __global__ void __launch_bounds__(256)
decide(const double *partial, int blocks, State *s, const double *loss, double weight, double rate, double beta1, double beta2,
       double lambda, double max_norm, float least, float most, u32 shortest, u32 longest) {
    __shared__ double part[256];
    double sum = 0.0;
    for (int b = threadIdx.x; b < blocks; b += 256) sum += partial[b];
    part[threadIdx.x] = sum;
    for (int half = 128; half > 0; half >>= 1) {
        __syncthreads();
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (threadIdx.x != 0) return;
    const double inverse = 1.0 / (weight * double(s->scale));
    const double norm = sqrt(part[0]) * inverse;
    const double total = loss ? loss[0] : 0.0;
    const bool loss_finite = total - total == 0.0, finite = loss_finite && norm - norm == 0.0;
    s->norm = norm;
    s->loss = total;
    s->used = s->scale;
    s->not_finite = !finite;
    if (finite) {
        const double t = double(++s->updates);
        const double clip = max_norm > 0.0 ? fmin(1.0, max_norm / (norm + 1e-6)) : 1.0;
        s->factor = float(inverse * clip);
        s->decay = float(1.0 - rate * lambda);
        s->size = float(rate / (1.0 - pow(beta1, t)));
        s->root = float(1.0 / sqrt(1.0 - pow(beta2, t)));
    } else {
        s->skipped++;
    }
    // A loss that is itself not finite says nothing about the scale.
    if (most > 0.0f && loss_finite) rescale(s, !finite, least, most, shortest, longest);
}

struct Adam {
    float factor, decay, size, root, beta1, beta2, rest1, rest2, epsilon;
};

__device__ __forceinline__ void step(const Adam &a, float g, float &w, float &m, float &v) {
    const float d = g * a.factor;
    m = a.beta1 * m + a.rest1 * d;
    v = a.beta2 * v + a.rest2 * d * d;
    w = w * a.decay - a.size * m / (sqrtf(v) * a.root + a.epsilon);
}

// The update, and the copy in COPY, the type of activations, that the model is computed
// with. Reads 16 bytes an element and writes 12 and those of the copy.
extern "C" __global__ void __launch_bounds__(256)
adamw(const State *s, float *w, const float *g, float *m, float *v, COPY *copy, i64 n, float beta1, float beta2, float rest1,
      float rest2, float epsilon) {
    if (s->not_finite) return;
    const Adam a = {s->factor, s->decay, s->size, s->root, beta1, beta2, rest1, rest2, epsilon};
    i64 i = (i64(blockIdx.x) * 256 + threadIdx.x) * 4;
    if (i + 4 <= n) {
        float w4[4], g4[4], m4[4], v4[4];
        load_floats<4>(w + i, w4);
        load_floats<4>(g + i, g4);
        load_floats<4>(m + i, m4);
        load_floats<4>(v + i, v4);
#pragma unroll
        for (int j = 0; j < 4; j++) step(a, g4[j], w4[j], m4[j], v4[j]);
        store_floats<4>(w + i, w4);
        store_floats<4>(m + i, m4);
        store_floats<4>(v + i, v4);
        if (sizeof(COPY) < 4) store_floats<4>(copy + i, w4);
        return;
    }
    for (; i < n; i++) {
        step(a, g[i], w[i], m[i], v[i]);
        if (sizeof(COPY) < 4) copy[i] = from_float<COPY>(w[i]);
    }
}

// copy = w in COPY. Reads 4 bytes an element and writes those of the copy.
extern "C" __global__ void __launch_bounds__(256) cast(const float *w, COPY *copy, i64 n) {
    i64 i = (i64(blockIdx.x) * 256 + threadIdx.x) * 4;
    if (i + 4 <= n) {
        float w4[4];
        load_floats<4>(w + i, w4);
        store_floats<4>(copy + i, w4);
        return;
    }
    for (; i < n; i++) copy[i] = from_float<COPY>(w[i]);
}
