// Attention's backward pass on tensor cores, the same bits each time: no sums
// through atomics.
//
//   p = exp(score − log_sum);  dv_j = Σ_t p·dy_t;  ds = p·(dy_t·v_j − δ_t)·slope
//   dk_j = SCALE·Σ_t ds·q_t;   dq_t = SCALE·Σ_j ds·k_j;   δ_t = dy_t·y_t
//
// Shapes as in forward.cu; delta [HEADS, rows] float. attention_keys gives dk and
// dv, attention_queries dq; each computes p and ds anew, in registers.
//
// Roofline: attention_keys 4·(KEY_WIDTH + VALUE_WIDTH), attention_queries
// 4·KEY_WIDTH + 2·VALUE_WIDTH FLOPs for each head and pair that is seen.
#line 13 "backward.cu"

// A block of attention_keys is KEYS keys of one key and value head: a warp has 16
// of them, or where SPLIT is 2 half of their columns. Over the rows and query
// heads that see them it computes, transposed, the scores [keys, queries], which
// are so the operand A of dv and dk without leaving the registers.
#define KEY_WARPS (KEYS / 16 * SPLIT)
#define KEY_THREADS (32 * KEY_WARPS)
#define DK_TILES8 (KEY_COLUMNS / 8 / SPLIT)
#define DV_TILES8 (VALUE_COLUMNS / 8 / SPLIT)
#define STAGE_BYTES (QUERIES * (KEY_STRIDE + VALUE_STRIDE) * 2 + QUERIES * 8)

// load_queries starts the copies of a tile of queries: q, dy, log_sum and delta.
__device__ __forceinline__ void load_queries(u32 stage, const T *q, const T *dy, const float *log_sum, const float *delta, int head, int row, int rows) {
    load_tile<QUERIES, KEY_WIDTH, KEY_COLUMNS, KEY_THREADS>(stage, q + head * KEY_WIDTH, HEADS * KEY_WIDTH, row, rows);
    load_tile<QUERIES, VALUE_WIDTH, VALUE_COLUMNS, KEY_THREADS>(stage + QUERIES * KEY_STRIDE * 2, dy + head * VALUE_WIDTH, HEADS * VALUE_WIDTH, row, rows);
    u32 numbers = stage + QUERIES * (KEY_STRIDE + VALUE_STRIDE) * 2;
    for (int i = threadIdx.x; i < 2 * QUERIES; i += KEY_THREADS) {
        int r = row + i % QUERIES;
        const float *from = (i < QUERIES ? log_sum : delta) + i64(head) * rows + min(r, rows - 1);
        copy4(numbers + i * 4, from, r < rows ? 4 : 0);
    }
}

#if KEYS_PASS
extern "C" __global__ void __launch_bounds__(KEY_THREADS, 1)
attention_keys(const T *q, const T *k, const T *v, const T *dy, const float *log_sum, const float *delta, const int *doc_start, const int *doc_end,
               T *dk, T *dv, int add_dk, int add_dv, int rows) {
    extern __shared__ __align__(128) u8 pool[];
    u32 k_tile = shared_address(pool), v_tile = k_tile + KEYS * KEY_STRIDE * 2, stages = v_tile + KEYS * VALUE_STRIDE * 2;
    int kv = blockIdx.x, key0 = blockIdx.y * KEYS;
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, part = warp % SPLIT, warp_key = key0 + warp / SPLIT * 16;
    load_tile<KEYS, KEY_WIDTH, KEY_COLUMNS, KEY_THREADS>(k_tile, k + kv * KEY_WIDTH, KV_HEADS * KEY_WIDTH, key0, rows);
    load_tile<KEYS, VALUE_WIDTH, VALUE_COLUMNS, KEY_THREADS>(v_tile, v + kv * VALUE_WIDTH, KV_HEADS * VALUE_WIDTH, key0, rows);

    // The rows that see any of the block's keys, in tiles, for each query head.
    int last_key = min(key0 + KEYS, rows) - 1, end = last_query(last_key, doc_start[last_key], doc_end[last_key]) + 1;
    int tiles = (end - key0 + QUERIES - 1) / QUERIES, steps = tiles * GROUP;
    load_queries(stages, q, dy, log_sum, delta, kv * GROUP, key0, rows);
    commit();

    int key[2], last[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        key[half] = warp_key + half * 8 + (lane >> 2);
        int r = min(key[half], rows - 1);
        last[half] = key[half] < rows ? last_query(r, doc_start[r], doc_end[r]) : -1;
    }
    // Rows [warp_key+15, whole_to] see all the keys of the warp; after warp_last
    // none sees any.
    int whole_to = __shfl_sync(0xffffffffu, last[0], 0), warp_last = max(last[0], last[1]);
#pragma unroll
    for (int d = 4; d < 32; d <<= 1) warp_last = max(warp_last, __shfl_xor_sync(0xffffffffu, warp_last, d));

    float dk_acc[1][DK_TILES8][4], dv_acc[1][DV_TILES8][4];
    clear(dk_acc);
    clear(dv_acc);
    u32 k_lane = k_tile + warp / SPLIT * (16 * KEY_STRIDE * 2) + lane_a<KEY_STRIDE>();
    u32 v_lane = v_tile + warp / SPLIT * (16 * VALUE_STRIDE * 2) + lane_a<VALUE_STRIDE>();
    for (int step = 0; step < steps; step++) {
        u32 stage = stages + step % STAGES * STAGE_BYTES;
        int next = step + 1;
        wait<0>();
        __syncthreads(); // this stage is here, and nobody reads the other
        if (STAGES == 2 && next < steps) load_queries(stages + next % STAGES * STAGE_BYTES, q, dy, log_sum, delta, kv * GROUP + next / tiles, key0 + next % tiles * QUERIES, rows);
        commit();
        int row0 = key0 + step % tiles * QUERIES;
        u32 q_tile = stage, dy_tile = stage + QUERIES * KEY_STRIDE * 2;
        if (row0 + QUERIES > warp_key && row0 <= warp_last) {
            float p[1][QUERIES / 8][4], ds[1][QUERIES / 8][4];
            clear(p);
            clear(ds);
            add_rows<1, QUERIES / 8, KEY_COLUMNS / 16, KEY_STRIDE>(p, k_lane, q_tile + lane_b<KEY_STRIDE>());
            add_rows<1, QUERIES / 8, VALUE_COLUMNS / 16, VALUE_STRIDE>(ds, v_lane, dy_tile + lane_b<VALUE_STRIDE>());
            const float *numbers = reinterpret_cast<const float *>(pool + (stage - k_tile) + QUERIES * (KEY_STRIDE + VALUE_STRIDE) * 2);
            prepare_all(p);
            if (row0 < warp_key + 15 || row0 + QUERIES - 1 > whole_to) {
#pragma unroll
                for (int n = 0; n < QUERIES / 8; n++)
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        int row = row0 + n * 8 + (lane & 3) * 2 + (i & 1);
                        if (row < key[i >> 1] || row > last[i >> 1]) p[0][n][i] = -HONE_INFINITY;
                    }
            }
#pragma unroll
            for (int n = 0; n < QUERIES / 8; n++) {
                int column = n * 8 + (lane & 3) * 2;
                Vec<float, 2> shift = load<2>(numbers + column), d = load<2>(numbers + QUERIES + column);
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    float s = p[0][n][i], x = exp2_fast(s * FACTOR - shift.v[i & 1] * LOG2E);
                    p[0][n][i] = x;
                    ds[0][n][i] = x * (ds[0][n][i] - d.v[i & 1]) * slope(s);
                }
            }
            add_columns<1, DV_TILES8, QUERIES / 16, VALUE_STRIDE>(dv_acc, p, dy_tile + lane_a<VALUE_STRIDE>() + part * (DV_TILES8 * 16));
            add_columns<1, DK_TILES8, QUERIES / 16, KEY_STRIDE>(dk_acc, ds, q_tile + lane_a<KEY_STRIDE>() + part * (DK_TILES8 * 16));
        }
        if (STAGES == 1) {
            __syncthreads();
            if (next < steps) load_queries(stages, q, dy, log_sum, delta, kv * GROUP + next / tiles, key0 + next % tiles * QUERIES, rows);
            commit();
        }
    }
    if (dk) write_rows<KEY_WIDTH>(dk + kv * KEY_WIDTH, KV_HEADS * KEY_WIDTH, warp_key, rows, dk_acc, SCALE, add_dk, part * (DK_TILES8 * 8));
    if (dv) write_rows<VALUE_WIDTH>(dv + kv * VALUE_WIDTH, KV_HEADS * VALUE_WIDTH, warp_key, rows, dv_acc, 1.0f, add_dv, part * (DV_TILES8 * 8));
}
#else

// A block of attention_queries is QUERIES rows of one query head, a warp
// QUERY_TILES·16 of them, and goes over the keys that they see.
#define QUERY_WARPS (QUERIES / (16 * QUERY_TILES))
#define QUERY_THREADS (32 * QUERY_WARPS)
#define KEYS_STAGE (KEYS * (KEY_STRIDE + VALUE_STRIDE) * 2)

__device__ __forceinline__ void load_keys(u32 stage, const T *k, const T *v, int row, int rows) {
    load_tile<KEYS, KEY_WIDTH, KEY_COLUMNS, QUERY_THREADS>(stage, k, KV_HEADS * KEY_WIDTH, row, rows);
    load_tile<KEYS, VALUE_WIDTH, VALUE_COLUMNS, QUERY_THREADS>(stage + KEYS * KEY_STRIDE * 2, v, KV_HEADS * VALUE_WIDTH, row, rows);
}

extern "C" __global__ void __launch_bounds__(QUERY_THREADS, 256 / QUERY_THREADS)
attention_queries(const T *q, const T *k, const T *v, const T *dy, const float *log_sum, const float *delta, const int *doc_start, T *dq, int add_dq, int rows) {
    extern __shared__ __align__(128) u8 pool[];
    u32 q_tile = shared_address(pool), dy_tile = q_tile + QUERIES * KEY_STRIDE * 2, stages = dy_tile + QUERIES * VALUE_STRIDE * 2;
    int head = blockIdx.x, row0 = (gridDim.y - 1 - blockIdx.y) * QUERIES, end = min(row0 + QUERIES, rows);
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warp_row = row0 + warp * (16 * QUERY_TILES);
    k += head / GROUP * KEY_WIDTH;
    v += head / GROUP * VALUE_WIDTH;
    load_tile<QUERIES, KEY_WIDTH, KEY_COLUMNS, QUERY_THREADS>(q_tile, q + head * KEY_WIDTH, HEADS * KEY_WIDTH, row0, rows);
    load_tile<QUERIES, VALUE_WIDTH, VALUE_COLUMNS, QUERY_THREADS>(dy_tile, dy + head * VALUE_WIDTH, HEADS * VALUE_WIDTH, row0, rows);
    int begin = first_key(row0, doc_start[row0]), steps = (end - begin + KEYS - 1) / KEYS;
    load_keys(stages, k, v, begin, rows);
    commit();

    int first[QUERY_TILES][2];
    float shift[QUERY_TILES][2], d[QUERY_TILES][2];
    float acc[QUERY_TILES][KEY_COLUMNS / 8][4];
    clear(acc);
#pragma unroll
    for (int m = 0; m < QUERY_TILES; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int r = min(warp_row + m * 16 + half * 8 + (lane >> 2), rows - 1);
            first[m][half] = first_key(r, doc_start[r]);
            shift[m][half] = log_sum[i64(head) * rows + r] * LOG2E;
            d[m][half] = delta[i64(head) * rows + r];
        }
    int warp_last = min(warp_row + 16 * QUERY_TILES, rows) - 1;
    int warp_first = __shfl_sync(0xffffffffu, first[0][0], 0), whole_from = __shfl_sync(0xffffffffu, first[QUERY_TILES - 1][1], 31);

    u32 q_lane = q_tile + warp * (16 * QUERY_TILES * KEY_STRIDE * 2) + lane_a<KEY_STRIDE>();
    u32 dy_lane = dy_tile + warp * (16 * QUERY_TILES * VALUE_STRIDE * 2) + lane_a<VALUE_STRIDE>();
    for (int step = 0; step < steps; step++) {
        u32 k_tile = stages + step % STAGES * KEYS_STAGE, v_tile = k_tile + KEYS * KEY_STRIDE * 2;
        int next = step + 1, key = begin + step * KEYS;
        wait<0>();
        __syncthreads(); // this stage is here, and nobody reads the other
        if (STAGES == 2 && next < steps) load_keys(stages + next % STAGES * KEYS_STAGE, k, v, begin + next * KEYS, rows);
        commit();
        if (key <= warp_last && key + KEYS > warp_first) {
            float p[QUERY_TILES][KEYS / 8][4], ds[QUERY_TILES][KEYS / 8][4];
            clear(p);
            clear(ds);
            add_rows<QUERY_TILES, KEYS / 8, KEY_COLUMNS / 16, KEY_STRIDE>(p, q_lane, k_tile + lane_b<KEY_STRIDE>());
            add_rows<QUERY_TILES, KEYS / 8, VALUE_COLUMNS / 16, VALUE_STRIDE>(ds, dy_lane, v_tile + lane_b<VALUE_STRIDE>());
            prepare_all(p);
            if (key + KEYS - 1 > warp_row || key < whole_from) {
                int row = warp_row + (lane >> 2), column = key + (lane & 3) * 2;
#pragma unroll
                for (int m = 0; m < QUERY_TILES; m++)
#pragma unroll
                    for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                        for (int i = 0; i < 4; i++) {
                            int at = column + n * 8 + (i & 1);
                            if (at > row + m * 16 + (i >> 1) * 8 || at < first[m][i >> 1]) p[m][n][i] = -HONE_INFINITY;
                        }
            }
#pragma unroll
            for (int m = 0; m < QUERY_TILES; m++)
#pragma unroll
                for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        float s = p[m][n][i], x = exp2_fast(s * FACTOR - shift[m][i >> 1]);
                        ds[m][n][i] = x * (ds[m][n][i] - d[m][i >> 1]) * slope(s);
                    }
            add_columns<QUERY_TILES, KEY_COLUMNS / 8, KEYS / 16, KEY_STRIDE>(acc, ds, k_tile + lane_a<KEY_STRIDE>());
        }
        if (STAGES == 1) {
            __syncthreads();
            if (next < steps) load_keys(stages, k, v, begin + next * KEYS, rows);
            commit();
        }
    }
    write_rows<KEY_WIDTH>(dq + head * KEY_WIDTH, HEADS * KEY_WIDTH, warp_row, rows, acc, SCALE, add_dq);
}
#endif
