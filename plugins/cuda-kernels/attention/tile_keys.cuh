// What the kernels for the gradients of keys and values on Hopper share: what a block copies,
// which of the tiles its warpgroups compute with, and what they see of those. Defined are
// QUERIES, the rows of a tile, STAGES, how many of them a block holds, and READS_VALUES, 1 but
// where the gradient of values alone is wanted.
#line 6 "tile_keys.cuh"

#define KEYS 128
#define GROUP_KEYS 64 // of a warpgroup

#define KEY_BYTES (KEYS * WIDTH * 2)
#define QUERY_BYTES (QUERIES * WIDTH * 2)
#define STAGE_BYTES (2 * QUERY_BYTES)

// Shared memory: keys, and values unless only their own gradient is wanted, STAGES of
// queries with dy, then of what each row has beside them: log_sum in units of log 2, and
// delta; barriers.
struct Shared {
    u32 keys, values, stages, numbers, barriers;
    const u8 *generic; // where keys is

    __device__ __forceinline__ Shared(u8 *pool) {
        pool += -shared_address(pool) & 1023;
        generic = pool;
        keys = shared_address(pool);
        values = keys + KEY_BYTES;
        stages = values + READS_VALUES * KEY_BYTES;
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
    barrier_expect(shared.keys_here(), (1 + READS_VALUES) * KEY_BYTES);
    tile_load(shared.keys, k, 0, range.key, range.kv * BLOCKS, shared.keys_here());
    if (READS_VALUES) tile_load(shared.values, v, 0, range.key, range.kv * BLOCKS, shared.keys_here());
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
            if (2 * lane < QUERIES) shared.pairs(turn.place)[lane] = x;
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
    // follows reports whether there is a next one, and it is this one's neighbour, or the
    // one behind that where a third fits. Where more are passed over, this one has to be
    // given back before: there may be no room for them all beside it.
    __device__ __forceinline__ bool follows() const { return tile + 1 < to || (head + 1 < GROUP && tiles - to + from <= (STAGES > 2)); }
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

// Keys are a warpgroup's, two of them the thread's: `key` and the eighth behind it.
struct Keys {
    int group, first, key, last[2]; // first of the warpgroup's; last rows that see the thread's
    int whole_to, end;              // rows [first + 63, whole_to] see all the warpgroup's keys; from tile `end` on none does

    __device__ __forceinline__ Keys(const Range &range, const int *doc_start, const int *doc_end, int rows) {
        group = threadIdx.x / 128 - 1;
        first = range.key + group * GROUP_KEYS;
        key = first + threadIdx.x / 32 % 4 * 16 + (threadIdx.x & 31) / 4;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int r = min(key + 8 * half, rows - 1);
            last[half] = key + 8 * half < rows ? last_query(r, doc_start[r], doc_end[r]) : -1;
        }
        whole_to = -1, end = 0;
        if (first < rows) {
            int r = min(first + GROUP_KEYS, rows) - 1;
            whole_to = first + GROUP_KEYS > rows ? -1 : last_query(first, doc_start[first], doc_end[first]);
            end = (last_query(r, doc_start[r], doc_end[r]) - range.key) / QUERIES + 1;
        }
    }
    __device__ __forceinline__ Steps steps(const Shared &shared, const Range &range) const {
        return Steps(shared, range.tiles, group * (GROUP_KEYS / QUERIES), end);
    }

    // mask takes away the rows of a tile, from `row` on, that do not see a key.
    __device__ __forceinline__ void mask(float (&s)[QUERIES / 2], int row) const {
        if (row >= first + GROUP_KEYS - 1 && row + QUERIES - 1 <= whole_to) return;
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
};

// begin_run starts and awaits what a run of tiles begins with: the scores of its first one, and
// begin_both the gradients of its probabilities too.
__device__ __forceinline__ void begin_run(const Steps &steps, const Shared &shared, u32 keys, float (&s)[QUERIES / 2]) {
    steps.wait();
    settle(s);
    products_begin();
    rows_product<KEYS, QUERIES>(s, keys, shared.queries(steps.turn.place));
    products_wait<0>();
}
__device__ __forceinline__ void begin_both(const Steps &steps, const Shared &shared, u32 keys, u32 values, float (&s)[QUERIES / 2], float (&dp)[QUERIES / 2]) {
    steps.wait();
    settle(s);
    settle(dp);
    products_begin();
    rows_product<KEYS, QUERIES>(s, keys, shared.queries(steps.turn.place));
    rows_product<KEYS, QUERIES>(dp, values, shared.dy(steps.turn.place));
    products_wait<0>();
    settle(dp);
}

// end_run adds what a run's last tile gives, of its queries or dy in `rows`, and gives the
// tile back.
__device__ __forceinline__ void end_run(Steps &steps, const Shared &shared, float (&acc)[WIDTH / 2], const u32 (&factor)[QUERIES / 16][4], u32 rows, u32 place) {
    products_begin();
    add_columns_product<QUERIES>(acc, factor, rows);
    products_wait<0>();
    settle(acc);
    if ((threadIdx.x & 31) == 0) barrier_arrive(shared.free(place));
    steps.step();
    steps.skip();
}

// keys_block is a block of such a kernel: compute is what its warpgroups do.
template <typename Compute>
__device__ __forceinline__ void keys_block(const TensorMap &q, const TensorMap &k, const TensorMap &v, const TensorMap &dy, const float *log_sum,
                                           const float *delta, const int *doc_start, const int *doc_end, int rows, Compute compute) {
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
        compute(shared, range);
    }
}
