// Attention of one new token a sequence over a cache of keys and values.
//
// q [sequences, HEADS·KEY_WIDTH]; key_cache [sequences, capacity,
// KV_HEADS·KEY_WIDTH], value_cache alike; length [sequences] counts a sequence's
// tokens in the cache, the new one included; y [sequences, HEADS·VALUE_WIDTH].
//
// attention_decode cuts a sequence's keys into shares, so that few sequences fill
// the GPU: block ((kv head, HEADS_AT_ONCE query heads of its group), share,
// sequence). attention_combine puts the shares together.
//
// Roofline: bound by memory: KV_HEADS·(KEY_WIDTH + VALUE_WIDTH) numbers of the cache
// for each key that is seen, read once for all heads of a group.
#line 14 "decode.cu"

#define KEYS_AT_ONCE 64
#define PARTS ((GROUP + HEADS_AT_ONCE - 1) / HEADS_AT_ONCE)
#define PER ((VALUE_WIDTH + 127) / 128)

__device__ __forceinline__ float score(float product) {
    float s = product * SCALE;
    return CAPPED ? CAP * tanhf(s / (CAPPED ? CAP : 1.0f)) : s;
}

// attention_decode writes each share's result, not yet divided by its sum, to
// partial [sequences, HEADS, shares, VALUE_WIDTH], and its maximum and sum to
// limits [sequences, HEADS, shares, 2].
extern "C" __global__ void __launch_bounds__(128)
attention_decode(const T *q, const T *key_cache, const T *value_cache, const int *length, float *partial, float *limits, int capacity, int shares) {
    __shared__ float queries[HEADS_AT_ONCE][KEY_WIDTH];
    __shared__ float p[HEADS_AT_ONCE][KEYS_AT_ONCE];
    __shared__ float keep[HEADS_AT_ONCE], most[HEADS_AT_ONCE], sum[HEADS_AT_ONCE];
    int kv = blockIdx.x / PARTS, head0 = kv * GROUP + blockIdx.x % PARTS * HEADS_AT_ONCE;
    int heads = min(HEADS_AT_ONCE, (kv + 1) * GROUP - head0), sequence = blockIdx.z;
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    int end = min(length[sequence], capacity), first = first_key(end - 1, 0);
    int each = (max(end - first, 0) + shares - 1) / shares, begin = first + blockIdx.y * each;
    end = min(end, begin + each);

    for (int i = threadIdx.x; i < HEADS_AT_ONCE * KEY_WIDTH; i += 128) {
        int g = i / KEY_WIDTH, c = i % KEY_WIDTH;
        queries[g][c] = g < heads ? to_float(q[(i64(sequence) * HEADS + head0 + g) * KEY_WIDTH + c]) : 0.0f;
    }
    if (threadIdx.x < HEADS_AT_ONCE) {
        most[threadIdx.x] = -HONE_INFINITY;
        sum[threadIdx.x] = 0.0f;
    }
    const T *keys = key_cache + (i64(sequence) * capacity * KV_HEADS + kv) * KEY_WIDTH;
    const T *values = value_cache + (i64(sequence) * capacity * KV_HEADS + kv) * VALUE_WIDTH;
    float acc[HEADS_AT_ONCE][PER];
#pragma unroll
    for (int g = 0; g < HEADS_AT_ONCE; g++)
#pragma unroll
        for (int n = 0; n < PER; n++) acc[g][n] = 0.0f;

    for (int key = begin; key < end; key += KEYS_AT_ONCE) {
        int count = min(KEYS_AT_ONCE, end - key);
        __syncthreads();
        // Eight lanes have a key.
#pragma unroll 2
        for (int j = threadIdx.x >> 3; j < KEYS_AT_ONCE; j += 16) {
            float s[HEADS_AT_ONCE];
#pragma unroll
            for (int g = 0; g < HEADS_AT_ONCE; g++) s[g] = 0.0f;
            if (j < count)
#pragma unroll 2
                for (int c = (threadIdx.x & 7) * VECTOR; c < KEY_WIDTH; c += 8 * VECTOR) {
                    Vec<T, VECTOR> x = load<VECTOR>(keys + i64(key + j) * (KV_HEADS * KEY_WIDTH) + c);
#pragma unroll
                    for (int g = 0; g < HEADS_AT_ONCE; g++)
#pragma unroll
                        for (int i = 0; i < VECTOR; i++) s[g] += queries[g][c + i] * to_float(x.v[i]);
                }
#pragma unroll
            for (int g = 0; g < HEADS_AT_ONCE; g++) {
#pragma unroll
                for (int d = 4; d > 0; d >>= 1) s[g] += __shfl_xor_sync(0xffffffffu, s[g], d);
                if ((threadIdx.x & 7) == 0) p[g][j] = j < count ? score(s[g]) : -HONE_INFINITY;
            }
        }
        __syncthreads();
        // A warp has a head: probabilities relative to the maximum so far.
        for (int g = warp; g < HEADS_AT_ONCE; g += 4) {
            float a = p[g][lane], b = p[g][lane + 32], old = most[g];
            float x = fmaxf(old, warp_max(fmaxf(a, b)));
            a = expf(a - x);
            b = expf(b - x);
            float total = warp_sum(a + b), k = expf(old - x);
            p[g][lane] = a;
            p[g][lane + 32] = b;
            if (lane == 0) {
                keep[g] = k;
                most[g] = x;
                sum[g] = sum[g] * k + total;
            }
        }
        __syncthreads();
#pragma unroll
        for (int n = 0; n < PER; n++) {
            int c = threadIdx.x + n * 128;
            if (c >= VALUE_WIDTH) continue;
#pragma unroll
            for (int g = 0; g < HEADS_AT_ONCE; g++) acc[g][n] *= keep[g];
#pragma unroll 8
            for (int j = 0; j < count; j++) {
                float v = to_float(values[i64(key + j) * (KV_HEADS * VALUE_WIDTH) + c]);
#pragma unroll
                for (int g = 0; g < HEADS_AT_ONCE; g++) acc[g][n] += p[g][j] * v;
            }
        }
    }
    __syncthreads();
#pragma unroll
    for (int g = 0; g < HEADS_AT_ONCE; g++) {
        if (g >= heads) continue;
        i64 at = (i64(sequence) * HEADS + head0 + g) * shares + blockIdx.y;
#pragma unroll
        for (int n = 0; n < PER; n++) {
            int c = threadIdx.x + n * 128;
            if (c < VALUE_WIDTH) partial[at * VALUE_WIDTH + c] = acc[g][n];
        }
        if (threadIdx.x < 2) limits[at * 2 + threadIdx.x] = threadIdx.x == 0 ? most[g] : sum[g];
    }
}

// attention_combine: block (head, sequence).
extern "C" __global__ void __launch_bounds__(128)
attention_combine(const float *partial, const float *limits, const float *sinks, T *y, int shares) {
    int head = blockIdx.x;
    i64 row = i64(blockIdx.y) * HEADS + head, at = row * shares;
    float most = SINKS ? sinks[head] : -HONE_INFINITY, total = 0.0f;
    for (int s = 0; s < shares; s++) most = fmaxf(most, limits[(at + s) * 2]);
    if (SINKS) total = expf(sinks[head] - most);
    for (int s = 0; s < shares; s++)
        if (limits[(at + s) * 2 + 1] > 0.0f) total += limits[(at + s) * 2 + 1] * expf(limits[(at + s) * 2] - most);
    for (int c = threadIdx.x; c < VALUE_WIDTH; c += 128) {
        float sum = 0.0f;
        for (int s = 0; s < shares; s++)
            if (limits[(at + s) * 2 + 1] > 0.0f) sum += partial[(at + s) * VALUE_WIDTH + c] * expf(limits[(at + s) * 2] - most);
        y[row * VALUE_WIDTH + c] = from_float<T>(total > 0.0f ? sum / total : 0.0f);
    }
}

// attention_append copies a row's keys and values to its sample and position of
// the caches. Rows of no sequence, or beyond the capacity, are passed over.
extern "C" __global__ void __launch_bounds__(128)
attention_append(const T *k, const T *v, const int *sample, const int *position, T *key_cache, T *value_cache, int sequences, int capacity) {
    int row = blockIdx.x, s = sample[row], p = position[row];
    if (s < 0 || s >= sequences || p < 0 || p >= capacity) return;
    i64 to = i64(s) * capacity + p;
    const int width = KV_HEADS * KEY_WIDTH, value_width = KV_HEADS * VALUE_WIDTH;
    for (int c = threadIdx.x; c < width; c += 128) key_cache[to * width + c] = k[i64(row) * width + c];
    for (int c = threadIdx.x; c < value_width; c += 128) value_cache[to * value_width + c] = v[i64(row) * value_width + c];
}
