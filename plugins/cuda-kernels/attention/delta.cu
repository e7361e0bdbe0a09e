// What attention's backward pass takes of each row and head before its main part,
// and the gradient of sinks. For any type and width.
//
//   delta[h, t] = dy[t, h]·y[t, h];   dsinks[h] −= Σ_t exp(sinks[h] − log_sum[h, t])·delta[h, t]
//
// Roofline: bound by memory. attention_delta reads y and dy once and writes 4 bytes
// a row and head; attention_sinks reads 8 bytes a row and head.
#line 9 "delta.cu"

// LANES threads have a row of a head, each VECTOR numbers at a time.
extern "C" __global__ void __launch_bounds__(256) attention_delta(const T *y, const T *dy, float *delta, int rows) {
    i64 pair = (i64(blockIdx.x) * 256 + threadIdx.x) / LANES;
    int lane = threadIdx.x % LANES;
    bool inside = pair < i64(rows) * HEADS;
    float sum = 0.0f;
    if (inside) {
        const T *a = y + pair * VALUE_WIDTH, *b = dy + pair * VALUE_WIDTH;
#pragma unroll 4
        for (int c = lane * VECTOR; c < VALUE_WIDTH; c += LANES * VECTOR) {
            Vec<T, VECTOR> x = load<VECTOR>(a + c), z = load<VECTOR>(b + c);
#pragma unroll
            for (int i = 0; i < VECTOR; i++) sum += to_float(x.v[i]) * to_float(z.v[i]);
        }
    }
#pragma unroll
    for (int d = LANES / 2; d > 0; d >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, d);
    if (inside && lane == 0) delta[pair % HEADS * rows + pair / HEADS] = sum;
}

// attention_sinks: block (b, h) sums a share of the rows of head h.
extern "C" __global__ void __launch_bounds__(256) attention_sinks(const float *sinks, const float *log_sum, const float *delta, float *partial, int rows) {
    int head = blockIdx.y;
    float sum = 0.0f;
    for (int t = blockIdx.x * 256 + threadIdx.x; t < rows; t += 256 * SINK_BLOCKS) {
        i64 at = i64(head) * rows + t;
        sum += expf(sinks[head] - log_sum[at]) * delta[at];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[head * SINK_BLOCKS + blockIdx.x] = sum;
}

// attention_sinks_sum subtracts the shares from the gradient.
extern "C" __global__ void __launch_bounds__(32) attention_sinks_sum(const float *partial, float *dsinks) {
    int head = blockIdx.x;
    float sum = 0.0f;
    for (int b = threadIdx.x; b < SINK_BLOCKS; b += 32) sum += partial[head * SINK_BLOCKS + b];
    sum = warp_sum(sum);
    if (threadIdx.x == 0) dsinks[head] -= sum;
}
