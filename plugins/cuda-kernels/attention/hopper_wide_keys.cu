// The gradients of keys and values on Hopper where the sums of both are more than a thread's
// registers: of heads of 256 columns. Shapes and arithmetic as in hopper_keys.cu; a launch has
// one of the two, `to`: of values with PART 1, of keys with PART 2.
//
// A block is cut up as there. Beside the sums a thread has the scores of a tile of queries,
// and their gradients with PART 2; the next tile's are under way while what this one gives is
// added to the sums.
//
// Roofline: 4·WIDTH FLOPs for each head and pair that is seen with PART 1, 6·WIDTH with PART 2,
// of which 2 are the scores again; bytes as there. Bound by tensor cores, with PART 2 by shared
// memory, as its tiles are of 32 queries: there is no room for more. On an H200 with 8 heads and
// documents of 2048 rows 276 TFLOP/s, of the 8·WIDTH that hopper_keys.cu would need for both
// (mma.sync: 167); as a backward pass of 2.5 forward passes with hopper_queries.cu 247 (134).
#line 15 "hopper_wide_keys.cu"

// probabilities are a tile's, of its scores.
__device__ __forceinline__ void probabilities(float (&s)[QUERIES / 2], const Vec<float, 4> *pairs) {
#pragma unroll
    for (int n = 0; n < QUERIES / 8; n++) {
        Vec<float, 4> x = pairs[4 * n];
#pragma unroll
        for (int i = 0; i < 4; i++) s[4 * n + i] = exp2_fast(s[4 * n + i] * FACTOR - x.v[2 * (i & 1)]);
    }
}

#if PART == 1

__device__ __forceinline__ void compute_tiles(const Shared &shared, const Range &range, const int *doc_start, const int *doc_end, T *to, int add, int rows) {
    int lane = threadIdx.x & 31;
    Keys own(range, doc_start, doc_end, rows);
    Steps steps = own.steps(shared, range);
    u32 keys = shared.keys + own.group * (GROUP_KEYS * 128);
    float acc[WIDTH / 2], s[QUERIES / 2];
    u32 p[QUERIES / 16][4];
    clear(acc);
    barrier_wait(shared.keys_here(), 0);
    while (steps.any()) { // a run of tiles that follow each other
        begin_run(steps, shared, keys, s);
        u32 place, previous = STAGES; // none
        for (;;) {
            place = steps.turn.place;
            products_wait<1>(); // the scores
            settle(s);
            prepare_all(s);
            own.mask(s, range.key + steps.tile * QUERIES);
            probabilities(s, shared.pairs(place) + (lane & 3));
            settle(s);
            products_wait<0>(); // the last step's, which read p
            settle(acc);
            if (previous < STAGES && lane == 0) barrier_arrive(shared.free(previous));
            previous = place;
            round_all(p, s);
            settle(p);
            settle(s);
            settle(acc);
            if (!steps.follows()) break;
            steps.follow();
            steps.wait();
            products_begin();
            rows_product<KEYS, QUERIES>(s, keys, shared.queries(steps.turn.place));
            add_columns_product<QUERIES>(acc, p, shared.dy(place));
        }
        end_run(steps, shared, acc, p, shared.dy(place), place);
    }
    write_gradients(to + range.kv * WIDTH, KV_HEADS * WIDTH, own.key, rows, acc, 1.0f, add);
}

#else

__device__ __forceinline__ void compute_tiles(const Shared &shared, const Range &range, const int *doc_start, const int *doc_end, T *to, int add, int rows) {
    int lane = threadIdx.x & 31;
    Keys own(range, doc_start, doc_end, rows);
    Steps steps = own.steps(shared, range);
    u32 keys = shared.keys + own.group * (GROUP_KEYS * 128), values = shared.values + own.group * (GROUP_KEYS * 128);
    float acc[WIDTH / 2], s[QUERIES / 2], dp[QUERIES / 2];
    u32 ds[QUERIES / 16][4];
    clear(acc);
    barrier_wait(shared.keys_here(), 0);
    while (steps.any()) { // a run of tiles that follow each other
        begin_both(steps, shared, keys, values, s, dp);
        u32 place, previous = STAGES; // none
        for (;;) {
            place = steps.turn.place;
            const Vec<float, 4> *pairs = shared.pairs(place) + (lane & 3);
            products_wait<2>(); // the scores; then the last step's, and dp
            settle(s);
            prepare_all(s);
            own.mask(s, range.key + steps.tile * QUERIES);
            float slopes[QUERIES / 2];
            if constexpr (CAPPED) {
#pragma unroll
                for (int i = 0; i < QUERIES / 2; i++) slopes[i] = slope(s[i]);
            }
            probabilities(s, pairs);
            settle(s);
            products_wait<0>();
            settle(acc);
            settle(dp);
            if (previous < STAGES && lane == 0) barrier_arrive(shared.free(previous));
            previous = place;
#pragma unroll
            for (int n = 0; n < QUERIES / 8; n++) {
                Vec<float, 4> x = pairs[4 * n];
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    dp[4 * n + i] = s[4 * n + i] * (dp[4 * n + i] - x.v[2 * (i & 1) + 1]);
                    if constexpr (CAPPED) dp[4 * n + i] *= slopes[4 * n + i];
                }
            }
            round_all(ds, dp);
            settle(ds);
            settle(s);
            settle(dp);
            settle(acc);
            if (!steps.follows()) break;
            steps.follow();
            steps.wait();
            products_begin();
            rows_product<KEYS, QUERIES>(s, keys, shared.queries(steps.turn.place));
            add_columns_product<QUERIES>(acc, ds, shared.queries(place));
            rows_product<KEYS, QUERIES>(dp, values, shared.dy(steps.turn.place));
        }
        end_run(steps, shared, acc, ds, shared.queries(place), place);
    }
    write_gradients(to + range.kv * WIDTH, KV_HEADS * WIDTH, own.key, rows, acc, SCALE, add);
}

#endif

extern "C" __global__ void __launch_bounds__(384, 1)
attention_wide_keys(const __grid_constant__ TensorMap q, const __grid_constant__ TensorMap k, const __grid_constant__ TensorMap v,
                    const __grid_constant__ TensorMap dy, const float *log_sum, const float *delta, const int *doc_start, const int *doc_end, T *to, int add,
                    int rows) {
    keys_block(q, k, v, dy, log_sum, delta, doc_start, doc_end, rows,
               [=](const Shared &shared, const Range &range) { compute_tiles(shared, range, doc_start, doc_end, to, add, rows); });
}
