// Attention's forward pass on Hopper: FlashAttention-3 (Shah et al., 2024).
//
//   y[t] = Σ_j p[t,j]·v[j],  p = softmax over the keys that t sees of score(q·k)
//
// q [rows, HEADS·WIDTH], k and v [rows, KV_HEADS·WIDTH], y [rows, HEADS·WIDTH] T, as
// tensor maps of 64 columns, rows, and 64 columns further on; log_sum [HEADS, rows]
// float, the log of a row's softmax denominator.
//
// A block stays and takes tile after tile: a head and 128 rows, whichever no block has
// taken yet, the last rows first, as they tend to see the most keys. One thread has the
// copies made, up to a tile ahead. Two warpgroups have 64 of the rows each: while one
// computes exponentials, the other keeps the tensor cores busy, and within one the scores
// of the next keys are computed beside this one's values. The keys of a tile are taken
// from the rows' own down to the first that any sees, so the first are masked, and those
// at the other end.
//
// Roofline: 4·WIDTH FLOPs for each head and pair of a query and a key that it sees: bound
// by tensor cores from some 300 keys a query on, of 64 columns as much by exponentials.
// Bytes: q and y once, k and v once for each tile, out of L2. On an H100 (989 TFLOP/s)
// with 32 heads of 128: 535 TFLOP/s of documents of 2048 rows, 54 % (mma.sync: 309), 655
// of 8192 and 673 of 16384, 68 %; with 32 of 64, 378 of 2048. With 8 of 256, whose tiles
// have half the keys, 439 on an H200.
#line 24 "hopper_forward.cu"

// Shared memory: QUERY_TILES of queries, which results leave by too; tiles of keys and of
// values; then barriers, and what tile each of queries is of.
#define BARRIERS (QUERY_TILES * QUERY_BYTES + (KEY_STAGES + VALUE_STAGES) * KEY_BYTES)

struct Shared {
    u32 queries, keys, values, barriers; // addresses
    int *tiles;                          // for each tile of queries, which one, and its first key

    __device__ __forceinline__ Shared(u8 *pool) {
        pool += -shared_address(pool) & 1023;
        queries = shared_address(pool);
        keys = queries + QUERY_TILES * QUERY_BYTES;
        values = keys + KEY_STAGES * KEY_BYTES;
        barriers = queries + BARRIERS;
        tiles = reinterpret_cast<int *>(pool + BARRIERS + 8 * 2 * (QUERY_TILES + KEY_STAGES + VALUE_STAGES));
    }
    // Barriers: what is there, and what may be overwritten.
    __device__ __forceinline__ u32 query_here(u32 i) const { return barriers + 8 * i; }
    __device__ __forceinline__ u32 query_free(u32 i) const { return barriers + 8 * (QUERY_TILES + i); }
    __device__ __forceinline__ u32 key_here(u32 i) const { return barriers + 8 * (2 * QUERY_TILES + i); }
    __device__ __forceinline__ u32 key_free(u32 i) const { return key_here(KEY_STAGES + i); }
    __device__ __forceinline__ u32 value_here(u32 i) const { return key_here(2 * KEY_STAGES + i); }
    __device__ __forceinline__ u32 value_free(u32 i) const { return key_here(2 * KEY_STAGES + VALUE_STAGES + i); }
};

// copy_tiles is what the thread does that has the copies made.
__device__ __forceinline__ void copy_tiles(const Shared &shared, const TensorMap &q, const TensorMap &k, const TensorMap &v, const int *doc_start, int rows) {
    int tiles = tiles_of(rows), index = blockIdx.x;
    Turn<QUERY_TILES> query;
    Turn<KEY_STAGES> key_turn;
    Turn<VALUE_STAGES> value_turn;
    for (;;) {
        int next = take_tile();
        Tile tile(index, rows);
        int begin = index < tiles ? begin_of(doc_start, tile.row, rows) : 0;
        barrier_wait(shared.query_free(query.place), query.parity ^ 1);
        shared.tiles[2 * query.place] = index;
        shared.tiles[2 * query.place + 1] = begin;
        if (index >= tiles) {
            barrier_arrive(shared.query_here(query.place));
            break;
        }
        barrier_expect(shared.query_here(query.place), QUERY_BYTES);
        for (int i = 0; i < 2; i++)
            tile_load(shared.queries + query.place * QUERY_BYTES + i * GROUP_BYTES, q, 0, tile.row + i * GROUP_ROWS, tile.head * BLOCKS, shared.query_here(query.place));
        query.next();
        for (int key = last_keys(tile.row); key > begin - KEYS; key -= KEYS) {
            u32 i = key_turn.place, j = value_turn.place;
            copy_keys(shared.keys + i * KEY_BYTES, k, tile.head, key, shared.key_free(i), shared.key_here(i), key_turn.parity);
            copy_keys(shared.values + j * KEY_BYTES, v, tile.head, key, shared.value_free(j), shared.value_here(j), value_turn.parity);
            key_turn.next();
            value_turn.next();
        }
        index = next;
    }
    end_tiles();
}

// A Softmax is what a thread knows of its two rows: the largest score so far, and its
// own part of the sum of the exponentials relative to that.
struct Softmax {
    float most[2], sum[2], keep[2];

    // step turns scores into exponentials; keep is what sums relative to the last
    // maximum are to be multiplied by.
    __device__ __forceinline__ void step(float (&s)[KEYS / 2]) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float x = most[half];
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++) x = fmaxf(x, fmaxf(s[4 * n + 2 * half], s[4 * n + 2 * half + 1]));
            x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
            x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
            // A row that has seen nothing yet keeps −∞ and sums to 0.
            float shift = x == -HONE_INFINITY ? 0.0f : x * FACTOR, total = 0.0f;
            keep[half] = exp2_fast(most[half] * FACTOR - shift);
            most[half] = x;
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    float p = exp2_fast(s[4 * n + 2 * half + i] * FACTOR - shift);
                    s[4 * n + 2 * half + i] = p;
                    total += p;
                }
            sum[half] = sum[half] * keep[half] + total;
        }
    }
};

// compute_tiles is what a warpgroup does that computes.
__device__ __forceinline__ void compute_tiles(const Shared &shared, const TensorMap &y, const float *sinks, const int *doc_start, float *log_sum, int rows) {
    int group = threadIdx.x / 128 - 1, warp = threadIdx.x / 32 % 4, lane = threadIdx.x & 31;
    int tiles = tiles_of(rows);
    bool leads = warp == 0 && elect();
    u32 mine = 1 + group, other = 2 - group; // whose turn it is on the tensor cores
    if (group == 1) group_arrive(other, 256);

    Turn<QUERY_TILES> query;
    Turn<KEY_STAGES> key_turn;
    Turn<VALUE_STAGES> value_turn;
    for (;;) {
        barrier_wait(shared.query_here(query.place), query.parity);
        int index = shared.tiles[2 * query.place], begin = shared.tiles[2 * query.place + 1];
        if (index >= tiles) break;
        Tile tile(index, rows);
        int group_row = tile.row + group * GROUP_ROWS, row = group_row + warp * 16 + (lane >> 2), first[2];
#pragma unroll
        for (int half = 0; half < 2; half++) first[half] = begin_of(doc_start, row + 8 * half, rows);
        int whole_from = begin_of(doc_start, group_row + GROUP_ROWS - 1, rows); // all rows of the warpgroup see the keys from here on
        u32 queries = shared.queries + query.place * QUERY_BYTES + group * GROUP_BYTES;

        float s[KEYS / 2], acc[WIDTH / 2];
        u32 p[KEYS / 16][4];
        Softmax softmax;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            // A sink is a score that each row has seen from the start; one lane of four
            // counts it.
            softmax.most[half] = SINKS ? sinks[tile.head] * (LOG2E / FACTOR) : -HONE_INFINITY;
            softmax.sum[half] = SINKS && (lane & 3) == 0 ? 1.0f : 0.0f;
        }
        clear(acc);

        barrier_wait(shared.key_here(key_turn.place), key_turn.parity);
        settle(s);
        products_begin();
        rows_product<GROUP_ROWS, KEYS>(s, queries, shared.keys + key_turn.place * KEY_BYTES);
        products_wait<0>();
        settle(s);
        if (lane == 0) barrier_arrive(shared.key_free(key_turn.place));
        key_turn.next();
        prepare_all(s);
        mask<true>(s, row, last_keys(tile.row), first);
        softmax.step(s);
        round_all(p, s);
        for (int key = last_keys(tile.row) - KEYS; key > begin - KEYS; key -= KEYS) {
            barrier_wait(shared.key_here(key_turn.place), key_turn.parity);
            group_sync(mine, 256);
            settle(acc);
            settle(p);
            settle(s);
            products_begin();
            rows_product<GROUP_ROWS, KEYS>(s, queries, shared.keys + key_turn.place * KEY_BYTES);
            barrier_wait(shared.value_here(value_turn.place), value_turn.parity);
            add_columns_product<KEYS>(acc, p, shared.values + value_turn.place * KEY_BYTES);
            group_arrive(other, 256);
            products_wait<1>();
            settle(s);
            if (lane == 0) barrier_arrive(shared.key_free(key_turn.place));
            key_turn.next();
            prepare_all(s);
            if (KEYS < ROWS && key + KEYS > group_row) mask<true>(s, row, key, first); // of the first warpgroup's own rows
            else if (key < whole_from) mask<false>(s, row, key, first);
            softmax.step(s);
            settle(s);
            // No sum is negative, which ptxas does not know: without an arrival between, it
            // would wait for the products before the exponentials that they run beside.
            if (softmax.sum[0] + softmax.sum[1] < 0.0f) barrier_arrive(shared.value_free(value_turn.place));
            products_wait<0>();
            settle(acc);
            if (lane == 0) barrier_arrive(shared.value_free(value_turn.place));
            value_turn.next();
            round_all(p, s);
#pragma unroll
            for (int i = 0; i < WIDTH / 2; i++) acc[i] *= softmax.keep[i / 2 % 2];
        }
        barrier_wait(shared.value_here(value_turn.place), value_turn.parity);
        settle(acc);
        settle(p);
        products_begin();
        add_columns_product<KEYS>(acc, p, shared.values + value_turn.place * KEY_BYTES);
        products_wait<0>();
        settle(acc);
        if (lane == 0) barrier_arrive(shared.value_free(value_turn.place));
        value_turn.next();

        // The results take the place of the warpgroup's queries, and leave from there.
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float total = softmax.sum[half];
            total += __shfl_xor_sync(0xffffffffu, total, 1);
            total += __shfl_xor_sync(0xffffffffu, total, 2);
            int r = row + 8 * half;
            if ((lane & 3) == 0 && r < rows) log_sum[i64(tile.head) * rows + r] = softmax.most[half] * (FACTOR * LN2) + logf(total);
            softmax.keep[half] = 1.0f / total;
        }
#pragma unroll
        for (int i = 0; i < WIDTH / 2; i++) acc[i] *= softmax.keep[i / 2 % 2];
        u32 to = queries + (warp * 16 + (lane & 15)) * 128;
#pragma unroll
        for (int n = 0; n < WIDTH / 16; n++)
            store_matrices(to + n / 4 * (GROUP_ROWS * 128) + (((n % 4 * 2 + (lane >> 4)) ^ (lane & 7)) << 4), pack2(acc[8 * n], acc[8 * n + 1]),
                           pack2(acc[8 * n + 2], acc[8 * n + 3]), pack2(acc[8 * n + 4], acc[8 * n + 5]), pack2(acc[8 * n + 6], acc[8 * n + 7]));
        tile_written();
        group_sync(3 + group, 128);
        if (leads) {
            tile_store(y, 0, group_row, tile.head * BLOCKS, queries);
            stores_commit();
            stores_read<0>();
            barrier_arrive(shared.query_free(query.place));
        }
        query.next();
    }
    if (group == 0) group_sync(mine, 256); // the last turn that was given
}

extern "C" __global__ void __launch_bounds__(384, 1)
attention_forward(const __grid_constant__ TensorMap q, const __grid_constant__ TensorMap k, const __grid_constant__ TensorMap v,
                  const __grid_constant__ TensorMap y, const float *sinks, const int *doc_start, float *log_sum, int rows) {
    extern __shared__ u8 pool[];
    Shared shared(pool);
    if (threadIdx.x == 0) {
        for (u32 i = 0; i < QUERY_TILES; i++) {
            barrier_init(shared.query_here(i), 1);
            barrier_init(shared.query_free(i), 2);
        }
        make_key_barriers(shared);
        barriers_made();
    }
    __syncthreads();
    if (threadIdx.x < 128) {
        give_registers<24>();
        if (threadIdx.x < 32 && elect()) copy_tiles(shared, q, k, v, doc_start, rows);
    } else {
        take_registers<240>();
        compute_tiles(shared, y, sinks, doc_start, log_sum, rows);
    }
}
