// The gradient of queries on Hopper.
//
//   p = exp(score − log_sum);  ds = p·(dy_t·v_j − δ_t)·slope;  dq_t = SCALE·Σ_j ds·k_j
//
// Shapes and tensor maps as in hopper_forward.cu; delta [HEADS, rows] float.
//
// A block stays and takes tile after tile, and goes over their keys, as the forward pass
// does. Two warpgroups have 64 of the rows each; the products of one run beside the
// exponentials of the other, and the scores of the next keys follow those of these at
// once.
//
// Roofline: 6·WIDTH FLOPs for each head and pair that is seen, bound by tensor cores;
// bytes: q, dy and dq once, k and v once for each tile, out of L2. Measured together with
// hopper_keys.cu, which says how much.
#line 16 "hopper_queries.cu"

// Shared memory: a tile of queries and of dy; tiles of keys and of values; barriers, and
// which tile it is.
#define BARRIERS (2 * QUERY_BYTES + (KEY_STAGES + VALUE_STAGES) * KEY_BYTES)

struct Shared {
    u32 queries, dy, keys, values, barriers; // addresses
    int *tile;                               // its number, and its first key

    __device__ __forceinline__ Shared(u8 *pool) {
        pool += -shared_address(pool) & 1023;
        queries = shared_address(pool);
        dy = queries + QUERY_BYTES;
        keys = dy + QUERY_BYTES;
        values = keys + KEY_STAGES * KEY_BYTES;
        barriers = queries + BARRIERS;
        tile = reinterpret_cast<int *>(pool + BARRIERS + 8 * 2 * (1 + KEY_STAGES + VALUE_STAGES));
    }
    // Barriers: what is there, and what may be overwritten.
    __device__ __forceinline__ u32 query_here() const { return barriers; }
    __device__ __forceinline__ u32 query_free() const { return barriers + 8; }
    __device__ __forceinline__ u32 key_here(u32 i) const { return barriers + 8 * (2 + i); }
    __device__ __forceinline__ u32 key_free(u32 i) const { return key_here(KEY_STAGES + i); }
    __device__ __forceinline__ u32 value_here(u32 i) const { return key_here(2 * KEY_STAGES + i); }
    __device__ __forceinline__ u32 value_free(u32 i) const { return key_here(2 * KEY_STAGES + VALUE_STAGES + i); }
};

// copy_tiles is what the thread does that has the copies made. A tile's first keys are
// copied while the queries before are still in use.
__device__ __forceinline__ void copy_tiles(const Shared &shared, const TensorMap &q, const TensorMap &k, const TensorMap &v, const TensorMap &dy,
                                           const int *doc_start, int rows) {
    int tiles = tiles_of(rows), index = blockIdx.x;
    Turn<KEY_STAGES> key_turn;
    Turn<VALUE_STAGES> value_turn;
    for (u32 parity = 1;; parity ^= 1) {
        int next = take_tile();
        Tile tile(index, rows);
        bool any = index < tiles;
        int begin = any ? begin_of(doc_start, tile.row, rows) : 0;
        for (int key = last_keys(tile.row); any && key > begin - KEYS; key -= KEYS) {
            u32 i = key_turn.place, j = value_turn.place;
            copy_keys(shared.keys + i * KEY_BYTES, k, tile.head, key, shared.key_free(i), shared.key_here(i), key_turn.parity);
            if (key == last_keys(tile.row)) {
                barrier_wait(shared.query_free(), parity);
                shared.tile[0] = index;
                shared.tile[1] = begin;
                barrier_expect(shared.query_here(), 2 * QUERY_BYTES);
                for (int i = 0; i < 2; i++) {
                    tile_load(shared.queries + i * GROUP_BYTES, q, 0, tile.row + i * GROUP_ROWS, tile.head * BLOCKS, shared.query_here());
                    tile_load(shared.dy + i * GROUP_BYTES, dy, 0, tile.row + i * GROUP_ROWS, tile.head * BLOCKS, shared.query_here());
                }
            }
            copy_keys(shared.values + j * KEY_BYTES, v, tile.head, key, shared.value_free(j), shared.value_here(j), value_turn.parity);
            key_turn.next();
            value_turn.next();
        }
        if (!any) {
            barrier_wait(shared.query_free(), parity);
            shared.tile[0] = index;
            barrier_arrive(shared.query_here());
            break;
        }
        index = next;
    }
    end_tiles();
}

// compute_tiles is what a warpgroup does that computes.
__device__ __forceinline__ void compute_tiles(const Shared &shared, const float *log_sum, const float *delta, const int *doc_start, T *dq, int add_dq, int rows) {
    int group = threadIdx.x / 128 - 1, lane = threadIdx.x & 31, tiles = tiles_of(rows);
    u32 queries = shared.queries + group * GROUP_BYTES, dy = shared.dy + group * GROUP_BYTES;
    Turn<KEY_STAGES> key_turn;
    Turn<VALUE_STAGES> value_turn;
    for (u32 parity = 0;; parity ^= 1) {
        barrier_wait(shared.query_here(), parity);
        int index = shared.tile[0], begin = shared.tile[1];
        if (index >= tiles) break;
        Tile tile(index, rows);
        int group_row = tile.row + group * GROUP_ROWS, row = group_row + threadIdx.x / 32 % 4 * 16 + (lane >> 2), first[2];
        float shift[2], d[2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int r = min(row + 8 * half, rows - 1);
            first[half] = first_key(r, doc_start[r]);
            shift[half] = log_sum[i64(tile.head) * rows + r] * LOG2E;
            d[half] = delta[i64(tile.head) * rows + r];
        }
        int whole_from = begin_of(doc_start, group_row + GROUP_ROWS - 1, rows); // all rows of the warpgroup see the keys from here on

        float acc[WIDTH / 2], s[KEYS / 2], dp[KEYS / 2];
        u32 ds[KEYS / 16][4];
        clear(acc);
        barrier_wait(shared.key_here(key_turn.place), key_turn.parity);
        settle(acc);
        settle(s);
        settle(dp);
        products_begin();
        rows_product<GROUP_ROWS, KEYS>(s, queries, shared.keys + key_turn.place * KEY_BYTES);
        barrier_wait(shared.value_here(value_turn.place), value_turn.parity);
        rows_product<GROUP_ROWS, KEYS>(dp, dy, shared.values + value_turn.place * KEY_BYTES);
        u32 place;
        for (int key = last_keys(tile.row);;) {
            products_wait<1>(); // the scores
            settle(s);
            prepare_all(s);
            if (key + KEYS - 1 > group_row || key < whole_from) mask<true>(s, row, key, first);
            // A cap's slope is of the score, which the exponential then takes the place of.
            if constexpr (CAPPED) {
                products_wait<0>();
                settle(dp);
            }
#pragma unroll
            for (int i = 0; i < KEYS / 2; i++) {
                int half = i / 2 % 2;
                float p = exp2_fast(s[i] * FACTOR - shift[half]);
                if constexpr (CAPPED) dp[i] = p * (dp[i] - d[half]) * slope(s[i]);
                s[i] = p;
            }
            settle(s);
            place = key_turn.place;
            u32 value_place = value_turn.place;
            key_turn.next();
            value_turn.next();
            bool more = key > begin;
            if (more) barrier_wait(shared.key_here(key_turn.place), key_turn.parity);
            if constexpr (!CAPPED) {
                products_wait<0>();
                settle(dp);
#pragma unroll
                for (int i = 0; i < KEYS / 2; i++) dp[i] = s[i] * (dp[i] - d[i / 2 % 2]);
            }
            if (lane == 0) barrier_arrive(shared.value_free(value_place));
            round_all(ds, dp);
            settle(ds);
            settle(s);
            settle(dp);
            settle(acc);
            products_begin();
            add_columns_product<KEYS>(acc, ds, shared.keys + place * KEY_BYTES);
            if (!more) break;
            key -= KEYS;
            rows_product<GROUP_ROWS, KEYS>(s, queries, shared.keys + key_turn.place * KEY_BYTES);
            products_wait<1>(); // dq, so that ds needs no registers beside dp
            settle(acc);
            settle(ds);
            if (lane == 0) barrier_arrive(shared.key_free(place));
            barrier_wait(shared.value_here(value_turn.place), value_turn.parity);
            rows_product<GROUP_ROWS, KEYS>(dp, dy, shared.values + value_turn.place * KEY_BYTES);
        }
        if (lane == 0) barrier_arrive(shared.query_free());
        products_wait<0>();
        settle(acc);
        if (lane == 0) barrier_arrive(shared.key_free(place));
        write_gradients(dq + tile.head * WIDTH, HEADS * WIDTH, row, rows, acc, SCALE, add_dq);
    }
}

extern "C" __global__ void __launch_bounds__(384, 1)
attention_queries(const __grid_constant__ TensorMap q, const __grid_constant__ TensorMap k, const __grid_constant__ TensorMap v,
                  const __grid_constant__ TensorMap dy, const float *log_sum, const float *delta, const int *doc_start, T *dq, int add_dq, int rows) {
    extern __shared__ u8 pool[];
    Shared shared(pool);
    if (threadIdx.x == 0) {
        barrier_init(shared.query_here(), 1);
        barrier_init(shared.query_free(), 8);
        make_key_barriers(shared);
        barriers_made();
    }
    __syncthreads();
    if (threadIdx.x < 128) {
        give_registers<24>();
        if (threadIdx.x < 32 && elect()) copy_tiles(shared, q, k, v, dy, doc_start, rows);
    } else {
        take_registers<240>();
        compute_tiles(shared, log_sum, delta, doc_start, dq, add_dq, rows);
    }
}
