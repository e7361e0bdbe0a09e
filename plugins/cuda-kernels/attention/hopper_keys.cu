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

#define KEYS 128
#define GROUP_KEYS 64 // of a warpgroup
#define QUERIES 64    // of a tile

#define KEY_BYTES (KEYS * WIDTH * 2)
#define QUERY_BYTES (QUERIES * WIDTH * 2)
#define STAGE_BYTES (2 * QUERY_BYTES)

// Shared memory: keys and values, STAGES of queries with dy, then of what each row has
// beside them: log_sum in units of log 2, and delta; barriers.
struct Shared {
    u32 keys, values, stages, numbers, barriers;
    const u8 *generic; // where keys is

    __device__ __forceinline__ Shared(u8 *pool) {
        pool += -shared_address(pool) & 1023;
        generic = pool;
        keys = shared_address(pool);
        values = keys + KEY_BYTES;
        stages = values + KEY_BYTES;
        numbers = stages + STAGES * STAGE_BYTES;
        barriers = numbers + STAGES * QUERIES * 8;
    }
    __device__ __forceinline__ u32 queries(u32 i) const { return stages + i * STAGE_BYTES; }
    __device__ __forceinline__ u32 dy(u32 i) const { return queries(i) + QUERY_BYTES; }
    __device__ __forceinline__ Vec<float, 4> *pairs(u32 i) const { // of two rows each
        return const_cast<Vec<float, 4> *>(reinterpret_cast<const Vec<float, 4> *>(generic + (numbers - keys) + i * (QUERIES * 8)));
    }
    __device__ __forceinline__ u32 keys_here() const { return barriers; }
    __device__ __forceinline__ u32 here(u32 i) const { return barriers + 8 + 8 * i; }
    __device__ __forceinline__ u32 free(u32 i) const { return barriers + 8 + 8 * (STAGES + i); }
};

// Range is what a block goes over: for each query head, `tiles` tiles of queries from the
// row of the first key on.
struct Range {
    int kv, key, tiles;
    __device__ __forceinline__ Range(const int *doc_start, const int *doc_end, int rows) {
        kv = blockIdx.x;
        key = blockIdx.y * KEYS;
        int last = min(key + KEYS, rows) - 1;
        tiles = (last_query(last, doc_start[last], doc_end[last]) - key) / QUERIES + 1;
    }
};

__device__ __forceinline__ void copy_tiles(const Shared &shared, const Range &range, const TensorMap &q, const TensorMap &k, const TensorMap &v, const TensorMap &dy) {
    barrier_expect(shared.keys_here(), 2 * KEY_BYTES);
    tile_load(shared.keys, k, 0, range.key, range.kv * BLOCKS, shared.keys_here());
    tile_load(shared.values, v, 0, range.key, range.kv * BLOCKS, shared.keys_here());
    Turn<STAGES> turn;
#pragma unroll 1
    for (int head = range.kv * GROUP; head < (range.kv + 1) * GROUP; head++)
#pragma unroll 1
        for (int i = 0; i < range.tiles; i++) {
            int row = range.key + i * QUERIES;
            barrier_wait(shared.free(turn.place), turn.parity ^ 1);
            barrier_expect(shared.here(turn.place), STAGE_BYTES);
            tile_load(shared.queries(turn.place), q, 0, row, head * BLOCKS, shared.here(turn.place));
            tile_load(shared.dy(turn.place), dy, 0, row, head * BLOCKS, shared.here(turn.place));
            turn.next();
        }
}

// copy_numbers is what the second warp does. Rows of log_sum are not aligned to 16
// bytes, as TMA wants them.
__device__ __forceinline__ void copy_numbers(const Shared &shared, const Range &range, const float *log_sum, const float *delta, int rows) {
    int lane = threadIdx.x & 31;
    Turn<STAGES> turn;
#pragma unroll 1
    for (int head = range.kv * GROUP; head < (range.kv + 1) * GROUP; head++)
#pragma unroll 1
        for (int i = 0; i < range.tiles; i++) {
            int row = range.key + i * QUERIES + 2 * lane;
            u32 first = head * rows + min(row, rows - 1), second = head * rows + min(row + 1, rows - 1);
            Vec<float, 4> x = {{log_sum[first] * LOG2E, delta[first], log_sum[second] * LOG2E, delta[second]}};
            barrier_wait(shared.free(turn.place), turn.parity ^ 1);
            shared.pairs(turn.place)[lane] = x;
            barrier_arrive(shared.here(turn.place));
            turn.next();
        }
}

// Steps are the tiles that a warpgroup computes with: of each head, those from `from` on
// and before `to`. What is between is given back at once.
struct Steps {
    const Shared &shared;
    int tiles, from, to, head = 0, tile = 0;
    Turn<STAGES> turn;

    __device__ __forceinline__ Steps(const Shared &shared, int tiles, int from, int to)
        : shared(shared), tiles(uniform(tiles)), from(uniform(from)), to(uniform(to)) { skip(); }
    // uniform tells ptxas what is the same in all lanes, and needs no register of each.
    static __device__ __forceinline__ int uniform(int x) { return __shfl_sync(0xffffffffu, x, 0); }
    __device__ __forceinline__ bool any() const { return head < GROUP; }
    __device__ __forceinline__ void wait() const { barrier_wait(shared.here(turn.place), turn.parity); }
    // follows reports whether there is a next one, and it is this one's neighbour or the
    // one behind that. Where more are passed over, this one has to be given back before:
    // there may be no room for them all beside it.
    __device__ __forceinline__ bool follows() const { return tile + 1 < to || (head + 1 < GROUP && tiles - to + from <= 1); }
    __device__ __forceinline__ bool within() const { return tile >= from && tile < to; }
    __device__ __forceinline__ void follow() {
        step();
        if (!within()) pass();
    }
    __device__ __forceinline__ void step() {
        turn.next();
        if (++tile == tiles) {
            tile = 0;
            head++;
        }
    }
    // pass passes a tile over, and skip all those before the next one.
    __device__ __forceinline__ void pass() {
        wait();
        if ((threadIdx.x & 31) == 0) barrier_arrive(shared.free(turn.place));
        step();
    }
    __device__ __forceinline__ void skip() {
        while (any() && !within()) pass();
    }
};

// mask takes away the rows, from `row` on, that do not see a key.
__device__ __forceinline__ void mask(float (&s)[QUERIES / 2], int row, int key, const int (&last)[2]) {
    row += (threadIdx.x & 3) * 2;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int least = key + 8 * half - row, most = last[half] - row;
#pragma unroll
        for (int n = 0; n < QUERIES / 8; n++)
#pragma unroll
            for (int i = 0; i < 2; i++)
                if (8 * n + i < least || 8 * n + i > most) s[4 * n + 2 * half + i] = -HONE_INFINITY;
    }
}

__device__ __forceinline__ void compute_tiles(const Shared &shared, const Range &range, const int *doc_start, const int *doc_end, T *dk, T *dv, int add_dk,
                                              int add_dv, int rows) {
    int group = threadIdx.x / 128 - 1, warp = threadIdx.x / 32 % 4, lane = threadIdx.x & 31;
    int group_key = range.key + group * GROUP_KEYS, key = group_key + warp * 16 + (lane >> 2), last[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = min(key + 8 * half, rows - 1);
        last[half] = key + 8 * half < rows ? last_query(r, doc_start[r], doc_end[r]) : -1;
    }
    // Rows [group_key+63, whole_to] see all the keys of the warpgroup; after group_last
    // none sees any.
    int whole_to = -1, group_last = -1;
    if (group_key < rows) {
        int r = min(group_key + GROUP_KEYS, rows) - 1;
        whole_to = group_key + GROUP_KEYS > rows ? -1 : last_query(group_key, doc_start[group_key], doc_end[group_key]);
        group_last = last_query(r, doc_start[r], doc_end[r]);
    }
    Steps steps(shared, range.tiles, group, group_last < 0 ? 0 : (group_last - range.key) / QUERIES + 1);

    u32 keys = shared.keys + group * (GROUP_KEYS * 128), values = shared.values + group * (GROUP_KEYS * 128);
    float dk_acc[WIDTH / 2], dv_acc[WIDTH / 2], s[QUERIES / 2], dp[QUERIES / 2];
    u32 p[QUERIES / 16][4], ds[QUERIES / 16][4];
    clear(dk_acc);
    clear(dv_acc);
    barrier_wait(shared.keys_here(), 0);
    while (steps.any()) { // a run of tiles that follow each other
        steps.wait();
        settle(s);
        settle(dp);
        products_begin();
        rows_product<KEYS, QUERIES>(s, keys, shared.queries(steps.turn.place));
        rows_product<KEYS, QUERIES>(dp, values, shared.dy(steps.turn.place));
        products_wait<0>();
        settle(dp);
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
            if (row < group_key + GROUP_KEYS - 1 || row + QUERIES - 1 > whole_to) mask(s, row, key, last);
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
        products_begin();
        add_columns_product<QUERIES>(dk_acc, ds, shared.queries(place));
        products_wait<0>();
        settle(dk_acc);
        settle(dv_acc);
        if (lane == 0) barrier_arrive(shared.free(place));
        steps.step();
        steps.skip();
    }
    if (dk) write_gradients(dk + range.kv * WIDTH, KV_HEADS * WIDTH, key, rows, dk_acc, SCALE, add_dk);
    if (dv) write_gradients(dv + range.kv * WIDTH, KV_HEADS * WIDTH, key, rows, dv_acc, 1.0f, add_dv);
}

extern "C" __global__ void __launch_bounds__(384, 1)
attention_keys(const __grid_constant__ TensorMap q, const __grid_constant__ TensorMap k, const __grid_constant__ TensorMap v,
               const __grid_constant__ TensorMap dy, const float *log_sum, const float *delta, const int *doc_start, const int *doc_end, T *dk, T *dv,
               int add_dk, int add_dv, int rows) {
    extern __shared__ u8 pool[];
    Shared shared(pool);
    Range range(doc_start, doc_end, rows);
    if (threadIdx.x == 0) {
        barrier_init(shared.keys_here(), 1);
        for (u32 i = 0; i < STAGES; i++) {
            barrier_init(shared.here(i), 33);
            barrier_init(shared.free(i), 8);
        }
        barriers_made();
    }
    __syncthreads();
    if (threadIdx.x < 128) {
        give_registers<24>();
        if (threadIdx.x < 32) {
            if (elect()) copy_tiles(shared, range, q, k, v, dy);
        } else if (threadIdx.x < 64) {
            copy_numbers(shared, range, log_sum, delta, rows);
        }
    } else {
        take_registers<240>();
        compute_tiles(shared, range, doc_start, doc_end, dk, dv, add_dk, add_dv, rows);
    }
}
