// Attention without tensor cores, for float and for heads of any width: the
// products of float32 are exact to its rounding. Formulas and shapes as in
// forward.cu and backward.cu; scores are in units of 1.
//
// A block is a tile of 64 rows by 64 keys at a time and up to COLUMNS columns of a
// result; wider heads take more blocks, each of which computes the scores anew. 256
// threads have 4x4 scores each. No [rows, rows] is in memory.
//
// Roofline: bound by float32 FMAs; 4·4 of them for 8 numbers read from shared
// memory.
#line 12 "plain.cu"

#define SIDE 64
#define SLICE 16
#define PITCH (SIDE + 4)
#define PER (COLUMNS / 16) // columns of a result that a thread has

// The numbers of a block that its threads share.
struct Shared {
    float a[SLICE][PITCH], b[SLICE][PITCH]; // slices of two operands, transposed
    float p[SIDE][PITCH];                   // a tile of probabilities or their gradients
    float x[SLICE][COLUMNS];                // a slice of what it is multiplied with
};

// column is where a thread's n-th column is: in runs of 4, so that reads of 16
// bytes have no conflicts.
__device__ __forceinline__ int column(int n) {
    int x = threadIdx.x & 15;
    return PER >= 4 ? n / 4 * 64 + x * 4 + n % 4 : x * PER + n;
}

// load_slice reads SLICE columns, from c on, of 64 rows, 0 outside.
__device__ __forceinline__ void load_slice(float (&to)[SLICE][PITCH], const T *from, i64 pitch, int row, int limit, int c, int width) {
#pragma unroll
    for (int j = 0; j < SIDE * SLICE / 256; j++) {
        int i = threadIdx.x + j * 256, r = i / SLICE, at = c + i % SLICE;
        to[i % SLICE][r] = row + r < limit && at < width ? to_float(from[i64(row + r) * pitch + at]) : 0.0f;
    }
}

// multiply: s[i][j] = A's row 4·ty+i · B's row 4·tx+j, of WIDTH columns.
template <int WIDTH>
__device__ __forceinline__ void multiply(Shared &m, float (&s)[4][4], const T *a, i64 a_pitch, int a_row, const T *b, i64 b_pitch, int b_row, int limit) {
    int x = (threadIdx.x & 15) * 4, y = (threadIdx.x >> 4) * 4;
#pragma unroll
    for (int i = 0; i < 16; i++) s[i / 4][i % 4] = 0.0f;
    for (int c = 0; c < WIDTH; c += SLICE) {
        __syncthreads();
        load_slice(m.a, a, a_pitch, a_row, limit, c, WIDTH);
        load_slice(m.b, b, b_pitch, b_row, limit, c, WIDTH);
        __syncthreads();
#pragma unroll
        for (int l = 0; l < SLICE; l++) {
            Vec<float, 4> u = load<4>(&m.a[l][y]), w = load<4>(&m.b[l][x]);
#pragma unroll
            for (int i = 0; i < 16; i++) s[i / 4][i % 4] += u.v[i / 4] * w.v[i % 4];
        }
    }
}

// add_product: acc[i][n] += Σ_l p[l][4·ty+i]·X[l][column(n)], X 64 rows of a head's
// columns from c on.
template <int WIDTH>
__device__ __forceinline__ void add_product(Shared &m, float (&acc)[4][PER], const T *x, i64 pitch, int row, int limit, int c) {
    int y = (threadIdx.x >> 4) * 4;
    for (int l0 = 0; l0 < SIDE; l0 += SLICE) {
        __syncthreads();
#pragma unroll
        for (int j = 0; j < SLICE * COLUMNS / 256; j++) {
            int i = threadIdx.x + j * 256, r = row + l0 + i / COLUMNS, at = c + i % COLUMNS;
            m.x[i / COLUMNS][i % COLUMNS] = r < limit && at < WIDTH ? to_float(x[r * pitch + at]) : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (int l = 0; l < SLICE; l++) {
            Vec<float, 4> p = load<4>(&m.p[l0 + l][y]);
#pragma unroll
            for (int n = 0; n < PER; n++) {
                float v = m.x[l][column(n)];
#pragma unroll
                for (int i = 0; i < 4; i++) acc[i][n] += p.v[i] * v;
            }
        }
    }
}

// write_result writes or adds acc·factor to a head's columns from c on.
template <int WIDTH>
__device__ __forceinline__ void write_result(T *to, i64 pitch, int row, int limit, int c, const float (&acc)[4][PER], float factor, bool add) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int r = row + (threadIdx.x >> 4) * 4 + i;
        if (r >= limit) continue;
#pragma unroll
        for (int n = 0; n < PER; n++) {
            int at = c + column(n);
            if (at >= WIDTH) continue;
            T *p = to + r * pitch + at;
            *p = from_float<T>(acc[i][n] * factor + (add ? to_float(*p) : 0.0f));
        }
    }
}

__device__ __forceinline__ void clear_result(float (&acc)[4][PER]) {
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int n = 0; n < PER; n++) acc[i][n] = 0.0f;
}

// score caps a scaled product, slope is the cap's derivative at that score.
__device__ __forceinline__ float score(float product) {
    float s = product * SCALE;
    return CAPPED ? CAP * tanhf(s / (CAPPED ? CAP : 1.0f)) : s;
}
__device__ __forceinline__ float slope(float s) {
    float t = CAPPED ? s / (CAPPED ? CAP : 1.0f) : 0.0f;
    return 1.0f - t * t;
}

// row_max and row_sum are over the 16 threads that share four rows.
__device__ __forceinline__ float row_max(float x) {
#pragma unroll
    for (int d = 8; d > 0; d >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, d));
    return x;
}
__device__ __forceinline__ float row_sum(float x) {
#pragma unroll
    for (int d = 8; d > 0; d >>= 1) x += __shfl_xor_sync(0xffffffffu, x, d);
    return x;
}

#define QUERY_PITCH i64(HEADS * i64(KEY_WIDTH))
#define KEY_PITCH i64(KV_HEADS * i64(KEY_WIDTH))
#define VALUE_PITCH i64(KV_HEADS * i64(VALUE_WIDTH))
#define RESULT_PITCH i64(HEADS * i64(VALUE_WIDTH))

// attention_forward: block (head, tile of rows, tile of values).
extern "C" __global__ void __launch_bounds__(256)
attention_forward(const T *q, const T *k, const T *v, const float *sinks, const int *doc_start, T *y, float *log_sum, int rows) {
    __shared__ Shared m;
    int head = blockIdx.x, row0 = (gridDim.y - 1 - blockIdx.y) * SIDE, c = blockIdx.z * COLUMNS;
    int tx = (threadIdx.x & 15) * 4, ty = (threadIdx.x >> 4) * 4, end = min(row0 + SIDE, rows);
    q += head * i64(KEY_WIDTH);
    k += head / GROUP * i64(KEY_WIDTH);
    v += head / GROUP * i64(VALUE_WIDTH);
    int first[4];
    float most[4], sum[4], acc[4][PER];
    clear_result(acc);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int r = min(row0 + ty + i, rows - 1);
        first[i] = first_key(r, doc_start[r]);
        most[i] = SINKS ? sinks[head] : -HONE_INFINITY;
        sum[i] = SINKS ? 1.0f : 0.0f;
    }
    for (int key = first_key(row0, doc_start[row0]); key < end; key += SIDE) {
        float s[4][4];
        multiply<KEY_WIDTH>(m, s, q, QUERY_PITCH, row0, k, KEY_PITCH, key, rows);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float x = most[i], total = 0.0f;
#pragma unroll
            for (int j = 0; j < 4; j++) {
                int at = key + tx + j;
                s[i][j] = at > row0 + ty + i || at < first[i] ? -HONE_INFINITY : score(s[i][j]);
                x = fmaxf(x, s[i][j]);
            }
            x = row_max(x);
            float shift = x == -HONE_INFINITY ? 0.0f : x, keep = expf(most[i] - shift);
            most[i] = x;
#pragma unroll
            for (int j = 0; j < 4; j++) {
                float p = expf(s[i][j] - shift);
                total += p;
                m.p[tx + j][ty + i] = p;
            }
            sum[i] = sum[i] * keep + row_sum(total);
#pragma unroll
            for (int n = 0; n < PER; n++) acc[i][n] *= keep;
        }
        add_product<VALUE_WIDTH>(m, acc, v, VALUE_PITCH, key, rows, c);
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int r = row0 + ty + i;
        if (c == 0 && tx == 0 && r < rows) log_sum[i64(head) * rows + r] = most[i] + logf(sum[i]);
#pragma unroll
        for (int n = 0; n < PER; n++) acc[i][n] /= sum[i];
    }
    write_result<VALUE_WIDTH>(y + head * i64(VALUE_WIDTH), RESULT_PITCH, row0, rows, c, acc, 1.0f, false);
}

#define VALUE_TILES ((VALUE_WIDTH + COLUMNS - 1) / COLUMNS)

// attention_keys: block (kv head, tile of keys, tile of dv's columns or, after
// those, of dk's).
extern "C" __global__ void __launch_bounds__(256)
attention_keys(const T *q, const T *k, const T *v, const T *dy, const float *log_sum, const float *delta, const int *doc_start, const int *doc_end,
               T *dk, T *dv, int add_dk, int add_dv, int rows) {
    __shared__ Shared m;
    int kv = blockIdx.x, key0 = blockIdx.y * SIDE;
    bool values = blockIdx.z < VALUE_TILES;
    if (values ? !dv : !dk) return;
    int c = (values ? blockIdx.z : blockIdx.z - VALUE_TILES) * COLUMNS;
    int tx = (threadIdx.x & 15) * 4, ty = (threadIdx.x >> 4) * 4;
    k += kv * i64(KEY_WIDTH);
    v += kv * i64(VALUE_WIDTH);
    int last_key = min(key0 + SIDE, rows) - 1, end = last_query(last_key, doc_start[last_key], doc_end[last_key]) + 1;
    int last[4];
    float acc[4][PER];
    clear_result(acc);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int r = min(key0 + ty + i, rows - 1);
        last[i] = key0 + ty + i < rows ? last_query(r, doc_start[r], doc_end[r]) : -1;
    }
    for (int head = kv * GROUP; head < (kv + 1) * GROUP; head++)
        for (int row0 = key0; row0 < end; row0 += SIDE) {
            const T *queries = q + head * i64(KEY_WIDTH), *gradients = dy + head * i64(VALUE_WIDTH);
            float s[4][4], dp[4][4];
            multiply<KEY_WIDTH>(m, s, k, KEY_PITCH, key0, queries, QUERY_PITCH, row0, rows);
            if (!values) multiply<VALUE_WIDTH>(m, dp, v, VALUE_PITCH, key0, gradients, RESULT_PITCH, row0, rows);
#pragma unroll
            for (int j = 0; j < 4; j++) {
                int row = row0 + tx + j;
                i64 at = i64(head) * rows + min(row, rows - 1);
                float shift = log_sum[at], d = delta[at];
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    float x = score(s[i][j]);
                    float p = row < key0 + ty + i || row > last[i] ? 0.0f : expf(x - shift);
                    m.p[tx + j][ty + i] = values ? p : p * (dp[i][j] - d) * slope(x);
                }
            }
            if (values) add_product<VALUE_WIDTH>(m, acc, gradients, RESULT_PITCH, row0, rows, c);
            else add_product<KEY_WIDTH>(m, acc, queries, QUERY_PITCH, row0, rows, c);
        }
    if (values) write_result<VALUE_WIDTH>(dv + kv * i64(VALUE_WIDTH), VALUE_PITCH, key0, rows, c, acc, 1.0f, add_dv);
    else write_result<KEY_WIDTH>(dk + kv * i64(KEY_WIDTH), KEY_PITCH, key0, rows, c, acc, SCALE, add_dk);
}

// attention_queries: block (head, tile of rows, tile of dq's columns).
extern "C" __global__ void __launch_bounds__(256)
attention_queries(const T *q, const T *k, const T *v, const T *dy, const float *log_sum, const float *delta, const int *doc_start, T *dq, int add_dq, int rows) {
    __shared__ Shared m;
    int head = blockIdx.x, row0 = (gridDim.y - 1 - blockIdx.y) * SIDE, c = blockIdx.z * COLUMNS;
    int tx = (threadIdx.x & 15) * 4, ty = (threadIdx.x >> 4) * 4, end = min(row0 + SIDE, rows);
    q += head * i64(KEY_WIDTH);
    dy += head * i64(VALUE_WIDTH);
    k += head / GROUP * i64(KEY_WIDTH);
    v += head / GROUP * i64(VALUE_WIDTH);
    int first[4];
    float shift[4], d[4], acc[4][PER];
    clear_result(acc);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int r = min(row0 + ty + i, rows - 1);
        first[i] = first_key(r, doc_start[r]);
        shift[i] = log_sum[i64(head) * rows + r];
        d[i] = delta[i64(head) * rows + r];
    }
    for (int key = first_key(row0, doc_start[row0]); key < end; key += SIDE) {
        float s[4][4], dp[4][4];
        multiply<KEY_WIDTH>(m, s, q, QUERY_PITCH, row0, k, KEY_PITCH, key, rows);
        multiply<VALUE_WIDTH>(m, dp, dy, RESULT_PITCH, row0, v, VALUE_PITCH, key, rows);
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) {
                int at = key + tx + j;
                float x = score(s[i][j]);
                float p = at > row0 + ty + i || at < first[i] ? 0.0f : expf(x - shift[i]);
                m.p[tx + j][ty + i] = p * (dp[i][j] - d[i]) * slope(x);
            }
        add_product<KEY_WIDTH>(m, acc, k, KEY_PITCH, key, rows, c);
    }
    write_result<KEY_WIDTH>(dq + head * i64(KEY_WIDTH), QUERY_PITCH, row0, rows, c, acc, SCALE, add_dq);
}
