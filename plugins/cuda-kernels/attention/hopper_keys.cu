// The gradients of keys and values on Hopper, the same bits each time: no sums through
// atomics.
//
//   p = exp(score − log_sum);  dv_j = Σ_t p·dy_t;  ds = p·(dy_t·v_j − δ_t)·slope
//   dk_j = SCALE·Σ_t ds·q_t
//
// Shapes and tensor maps as in hopper_forward.cu; delta [HEADS, rows] float.
//
// A block is 128 keys of one key and value head and goes over the rows and query heads
// that see any of them. One warp has the copies made, another reads two numbers a row. Two
// warpgroups have 64 keys each and compute, transposed, the scores [keys, queries], which
// are so the operand A of dv and dk without leaving the registers. Products of the next
// rows are under way while exponentials of these are computed.
//
// Roofline: 8·WIDTH FLOPs for each head and pair that is seen, bound by tensor cores;
// bytes: k, v and their gradients once, q and dy once for each tile of keys, out of L2.
// With hopper_queries.cu, of which this is 4 parts of 7, on an H100 (989 TFLOP/s) with 32
// heads of 128: 581 TFLOP/s of documents of 2048 rows, 59 %, and 697 of 8192, 70 %. As
// a backward pass of 2.5 forward passes that is 415 (mma.sync: 221) and 498; with 32 of
// 64, 325 of 2048.
#line 22 "hopper_keys.cu"

__device__ __forceinline__ void compute_tiles(const Shared &shared, const Range &range, const int *doc_start, const int *doc_end, T *dk, T *dv, int add_dk,
                                              int add_dv, int rows) {
    int lane = threadIdx.x & 31;
    Keys own(range, doc_start, doc_end, rows);
    Steps steps = own.steps(shared, range);

    u32 keys = shared.keys + own.group * (GROUP_KEYS * 128), values = shared.values + own.group * (GROUP_KEYS * 128);
    float dk_acc[WIDTH / 2], dv_acc[WIDTH / 2], s[QUERIES / 2], dp[QUERIES / 2];
    u32 p[QUERIES / 16][4], ds[QUERIES / 16][4];
    clear(dk_acc);
    clear(dv_acc);
    barrier_wait(shared.keys_here(), 0);
    while (steps.any()) { // a run of tiles that follow each other
        begin_both(steps, shared, keys, values, s, dp);
        u32 place, previous = STAGES; // none
        for (;;) {
            place = steps.turn.place;
            int row = range.key + steps.tile * QUERIES;
            const Vec<float, 4> *pairs = shared.pairs(place) + (lane & 3);
            // A cap's slope is of the score, which the exponential then takes the place of.
            products_wait<CAPPED ? 0 : 2>(); // the scores; or dp and dk of the last step too
            settle(s);
            if constexpr (CAPPED) settle(dp);
            prepare_all(s);
            own.mask(s, row);
#pragma unroll
            for (int n = 0; n < QUERIES / 8; n++) {
                Vec<float, 4> x = pairs[4 * n];
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    float y = exp2_fast(s[4 * n + i] * FACTOR - x.v[2 * (i & 1)]);
                    if constexpr (CAPPED) dp[4 * n + i] = y * (dp[4 * n + i] - x.v[2 * (i & 1) + 1]) * slope(s[4 * n + i]);
                    s[4 * n + i] = y;
                }
            }
            round_all(p, s);
            settle(p);
            settle(dv_acc);
            if constexpr (CAPPED) {
                round_all(ds, dp);
                settle(ds);
            }
            products_begin();
            add_columns_product<QUERIES>(dv_acc, p, shared.dy(place));
            if constexpr (!CAPPED) {
                products_wait<1>(); // dp, and dk of the last step
                settle(dp);
#pragma unroll
                for (int n = 0; n < QUERIES / 8; n++) {
                    Vec<float, 4> x = pairs[4 * n];
#pragma unroll
                    for (int i = 0; i < 4; i++) dp[4 * n + i] = unpack(p[n / 2][n % 2 * 2 + i / 2], i % 2) * (dp[4 * n + i] - x.v[2 * (i & 1) + 1]);
                }
            }
            if (previous < STAGES && lane == 0) barrier_arrive(shared.free(previous));
            previous = place;
            if constexpr (!CAPPED) round_all(ds, dp);
            settle(ds);
            products_wait<0>(); // dv's, so that p needs no registers beside the next scores
            settle(dv_acc);
            settle(s);
            settle(dp);
            settle(dk_acc);
            if (!steps.follows()) break;
            steps.follow();
            steps.wait();
            products_begin();
            rows_product<KEYS, QUERIES>(s, keys, shared.queries(steps.turn.place));
            add_columns_product<QUERIES>(dk_acc, ds, shared.queries(place));
            rows_product<KEYS, QUERIES>(dp, values, shared.dy(steps.turn.place));
        }
        end_run(steps, shared, dk_acc, ds, shared.queries(place), place);
    }
    if (dk) write_gradients(dk + range.kv * WIDTH, KV_HEADS * WIDTH, own.key, rows, dk_acc, SCALE, add_dk);
    if (dv) write_gradients(dv + range.kv * WIDTH, KV_HEADS * WIDTH, own.key, rows, dv_acc, 1.0f, add_dv);
}

extern "C" __global__ void __launch_bounds__(384, 1)
attention_keys(const __grid_constant__ TensorMap q, const __grid_constant__ TensorMap k, const __grid_constant__ TensorMap v,
               const __grid_constant__ TensorMap dy, const float *log_sum, const float *delta, const int *doc_start, const int *doc_end, T *dk, T *dv,
               int add_dk, int add_dv, int rows) {
    keys_block(q, k, v, dy, log_sum, delta, doc_start, doc_end, rows,
               [=](const Shared &shared, const Range &range) { compute_tiles(shared, range, doc_start, doc_end, dk, dv, add_dk, add_dv, rows); });
}
