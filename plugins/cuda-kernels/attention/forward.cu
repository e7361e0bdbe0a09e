// Attention's forward pass on tensor cores: FlashAttention-2 (Dao, 2023).
//
//   y[t] = Σ_j p[t,j]·v[j],  p = softmax over the keys that t sees of score(q·k)
//
// q [rows, HEADS·KEY_WIDTH], k [rows, KV_HEADS·KEY_WIDTH], v [rows,
// KV_HEADS·VALUE_WIDTH], y [rows, HEADS·VALUE_WIDTH] T; log_sum [HEADS, rows]
// float, the log of a row's softmax denominator.
//
// A block is a head and QUERIES rows; a warp has QUERY_TILES·16 of them, with y and
// the scores of one tile of KEYS keys in registers. While a tile's scores are
// computed its values arrive, and during the rest the next tile's keys. Tiles that
// no row sees are passed over; only those at the mask's edge are masked.
//
// Roofline: 2·(KEY_WIDTH + VALUE_WIDTH) FLOPs for each head and pair of a query and
// a key that it sees: bound by tensor cores from some 200 keys a query on. Bytes:
// q and y once, k and v once for each tile of queries, out of L2.
#line 18 "forward.cu"

#define WARPS (QUERIES / (16 * QUERY_TILES))
#define THREADS (32 * WARPS)
#define KEY_TILES8 (KEYS / 8)
#define VALUE_TILES8 (VALUE_COLUMNS / 8)

// softmax_step turns the scores of a tile into probabilities relative to each
// row's maximum so far, and rescales what was summed relative to the last one.
__device__ __forceinline__ void softmax_step(float (&s)[QUERY_TILES][KEY_TILES8][4], float (&y)[QUERY_TILES][VALUE_TILES8][4],
                                             float (&most)[QUERY_TILES][2], float (&sum)[QUERY_TILES][2]) {
#pragma unroll
    for (int m = 0; m < QUERY_TILES; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float x = most[m][half];
#pragma unroll
            for (int n = 0; n < KEY_TILES8; n++) x = fmaxf(x, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
            x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
            x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
            // A row that has seen nothing yet keeps −∞ and sums to 0.
            float shift = x == -HONE_INFINITY ? 0.0f : x * FACTOR;
            float keep = exp2_fast(most[m][half] * FACTOR - shift), total = 0.0f;
            most[m][half] = x;
#pragma unroll
            for (int n = 0; n < KEY_TILES8; n++)
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    float p = exp2_fast(s[m][n][2 * half + i] * FACTOR - shift);
                    s[m][n][2 * half + i] = p;
                    total += p;
                }
            sum[m][half] = sum[m][half] * keep + total;
#pragma unroll
            for (int n = 0; n < VALUE_TILES8; n++) {
                y[m][n][2 * half] *= keep;
                y[m][n][2 * half + 1] *= keep;
            }
        }
}

extern "C" __global__ void __launch_bounds__(THREADS, 256 / THREADS)
attention_forward(const T *q, const T *k, const T *v, const float *sinks, const int *doc_start, T *y, float *log_sum, int rows) {
    extern __shared__ __align__(128) u8 pool[];
    u32 q_tile = shared_address(pool), k_tile = q_tile + QUERIES * KEY_STRIDE * 2, v_tile = k_tile + KEYS * KEY_STRIDE * 2;
    // The last rows see the most keys, so they go first.
    int head = blockIdx.x, row0 = (gridDim.y - 1 - blockIdx.y) * QUERIES;
    int lane = threadIdx.x & 31, warp_row = row0 + (threadIdx.x >> 5) * (16 * QUERY_TILES);
    int end = min(row0 + QUERIES, rows);
    q += head * KEY_WIDTH;
    k += head / GROUP * KEY_WIDTH;
    v += head / GROUP * VALUE_WIDTH;

    load_tile<QUERIES, KEY_WIDTH, KEY_COLUMNS, THREADS>(q_tile, q, HEADS * KEY_WIDTH, row0, rows);
    int begin = begin_of(doc_start, row0, rows);
    load_tile<KEYS, KEY_WIDTH, KEY_COLUMNS, THREADS>(k_tile, k, KV_HEADS * KEY_WIDTH, begin, rows);
    commit();

    float most[QUERY_TILES][2], sum[QUERY_TILES][2];
    float acc[QUERY_TILES][VALUE_TILES8][4];
    clear(acc);
#pragma unroll
    for (int m = 0; m < QUERY_TILES; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            // A sink is a score that each row has seen from the start; one lane of
            // four counts it.
            most[m][half] = SINKS ? sinks[head] * (LOG2E / FACTOR) : -HONE_INFINITY;
            sum[m][half] = SINKS && (lane & 3) == 0 ? 1.0f : 0.0f;
        }
    int whole_from = begin_of(doc_start, warp_row + 16 * QUERY_TILES - 1, rows); // all rows of the warp see the keys from here to warp_row

    u32 q_lane = q_tile + (threadIdx.x >> 5) * (16 * QUERY_TILES * KEY_STRIDE * 2) + lane_a<KEY_STRIDE>();
    u32 k_lane = k_tile + lane_b<KEY_STRIDE>(), v_lane = v_tile + lane_a<VALUE_STRIDE>();
    for (int key = begin; key < end; key += KEYS) {
        wait<0>();
        __syncthreads(); // the keys are here, and nobody reads the last values
        load_tile<KEYS, VALUE_WIDTH, VALUE_COLUMNS, THREADS>(v_tile, v, KV_HEADS * VALUE_WIDTH, key, rows);
        commit();
        float s[QUERY_TILES][KEY_TILES8][4];
        clear(s);
        add_rows<QUERY_TILES, KEY_TILES8, KEY_COLUMNS / 16, KEY_STRIDE>(s, q_lane, k_lane);
        prepare_all(s);
        if (key + KEYS - 1 > warp_row || key < whole_from) {
            int row = warp_row + (lane >> 2), column = key + (lane & 3) * 2;
#pragma unroll
            for (int m = 0; m < QUERY_TILES; m++)
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    // Read again: such tiles are few, registers fewer.
                    int r = row + m * 16 + half * 8, first = begin_of(doc_start, r, rows);
#pragma unroll
                    for (int n = 0; n < KEY_TILES8; n++)
#pragma unroll
                        for (int i = 0; i < 2; i++) {
                            int at = column + n * 8 + i;
                            if (at > r || at < first) s[m][n][2 * half + i] = -HONE_INFINITY;
                        }
                }
        }
        wait<0>();
        __syncthreads(); // the values are here, and nobody reads the keys
        if (key + KEYS < end) load_tile<KEYS, KEY_WIDTH, KEY_COLUMNS, THREADS>(k_tile, k, KV_HEADS * KEY_WIDTH, key + KEYS, rows);
        commit();
        softmax_step(s, acc, most, sum);
        add_columns<QUERY_TILES, VALUE_TILES8, KEYS / 16, VALUE_STRIDE>(acc, s, v_lane);
    }

#pragma unroll
    for (int m = 0; m < QUERY_TILES; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float total = sum[m][half];
            total += __shfl_xor_sync(0xffffffffu, total, 1);
            total += __shfl_xor_sync(0xffffffffu, total, 2);
            int r = warp_row + m * 16 + half * 8 + (lane >> 2);
            if ((lane & 3) == 0 && r < rows) log_sum[i64(head) * rows + r] = most[m][half] * (FACTOR * LN2) + logf(total);
            float inverse = 1.0f / total;
#pragma unroll
            for (int n = 0; n < VALUE_TILES8; n++) {
                acc[m][n][2 * half] *= inverse;
                acc[m][n][2 * half + 1] *= inverse;
            }
        }
    write_rows<VALUE_WIDTH>(y + head * VALUE_WIDTH, HEADS * VALUE_WIDTH, warp_row, rows, acc, 1.0f, false);
}
