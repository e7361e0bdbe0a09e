// Products of slots with the matrices of their experts, on tensor cores.
//
//   product, ROWS_PASS:    y[i] = factor·x[i/X_SHARE]·W[e]ᵀ (+ x2[i]·W2[e]ᵀ) (+ bias[e])
//   product, COLUMNS_PASS: the same by W[e] and W2[e] as they stand
//   outer (SUMS_PASS):     d[e] += factor·Σ p[i/P_SHARE]ᵀ·q[i/Q_SHARE] over e's slots i
//
// A slot i has the expert e. x [·, DEPTH], x2 [slots, DEPTH2], y [slots, WIDTH]; W
// [EXPERTS, WIDTH, DEPTH] and W2 [EXPERTS, WIDTH, DEPTH2] in ROWS_PASS, [EXPERTS, DEPTH,
// WIDTH] and so on in COLUMNS_PASS; bias [EXPERTS, WIDTH] float. p [·, HEIGHT], q
// [·, WIDTH]; element (m, n) of d[e] is at e·STRIDE_E + m·STRIDE_M + n·STRIDE_N, float.
//
// An adapter's share is thus a longer sum of the same product: nothing is read or
// written twice. Slots come in the order of their experts (group.cu), and rows of x and
// y are found by it as they are read and written: no copy of them in that order exists.
// Launches are for as many tiles as there can be, and blocks of what is beyond leave.
//
// Roofline: 2·WIDTH·(DEPTH + DEPTH2) FLOPs a slot; each expert's matrices are read once
// for each BM of its slots, from the second time on mostly out of the L2 cache.
#line 20 "product.cu"

#define MT (BM / 16 / WARPS_M)
#define NT (BN / 8 / WARPS_N)
#define THREADS (32 * WARPS_M * WARPS_N)

// copy8 brings 8 numbers to shared memory, of which the first `count` are there and the
// others 0. Rows of a width that is no multiple of 8 have no alignment to copy by.
template <bool ALIGNED> __device__ __forceinline__ void copy8(u32 to, const T *from, int count) {
    if constexpr (ALIGNED) {
        copy16(to, from, count > 0 ? 16 : 0);
    } else {
        u32 v[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            u32 low = 2 * i < count ? from[2 * i].bits : 0, high = 2 * i + 1 < count ? from[2 * i + 1].bits : 0;
            v[i] = low | high << 16;
        }
        store_shared(to, v);
    }
}

// A Slab is how the threads copy ROWS rows of COLUMNS numbers: each has 8 numbers of
// every STEP-th row.
template <int ROWS, int COLUMNS> struct Slab {
    static constexpr int across = COLUMNS / 8, step = THREADS / across, per = (ROWS + step - 1) / step;
    static constexpr int stride = COLUMNS + 8, bytes = ROWS * stride * 2;
    __device__ __forceinline__ static int row(int i) { return threadIdx.x / across + i * step; }
    __device__ __forceinline__ static int column() { return threadIdx.x % across * 8; }
    // has reports whether row(i) is always one of the slab.
    __device__ __forceinline__ static bool has(int i) { return (i + 1) * step <= ROWS || row(i) < ROWS; }
    __device__ __forceinline__ static u32 at(u32 slab, int i) { return slab + (row(i) * stride + column()) * 2; }

    // find is the slots of the thread's rows: those from `from` on of a run; −1 beyond.
    __device__ __forceinline__ static void find(int (&slot)[per], const int *order, int from, int end) {
#pragma unroll
        for (int i = 0; i < per; i++) slot[i] = has(i) && from + row(i) < end ? order[from + row(i)] : -1;
    }
    // gather starts the copy of slots' rows of x [·, WIDTH_], columns c and on.
    template <int WIDTH_, int SHARE> __device__ __forceinline__ static void gather(u32 slab, const T *x, const int (&slot)[per], int c) {
        c += column();
#pragma unroll
        for (int i = 0; i < per; i++)
            if (has(i)) copy8<WIDTH_ % 8 == 0>(at(slab, i), x + i64(max(slot[i], 0) / SHARE) * WIDTH_ + c, slot[i] < 0 ? 0 : WIDTH_ - c);
    }
    // take starts the copy of rows r and on, columns c and on, of a matrix [HEIGHT_, WIDTH_].
    template <int HEIGHT_, int WIDTH_> __device__ __forceinline__ static void take(u32 slab, const T *w, int r, int c) {
        c += column();
#pragma unroll
        for (int i = 0; i < per; i++)
            if (has(i)) copy8<WIDTH_ % 8 == 0>(at(slab, i), w + i64(r + row(i)) * WIDTH_ + c, r + row(i) < HEIGHT_ ? WIDTH_ - c : 0);
    }
};

// Where a warp's share of the block's result begins.
__device__ __forceinline__ int warp_row() { return (threadIdx.x >> 5) / WARPS_N * (MT * 16); }
__device__ __forceinline__ int warp_column() { return (threadIdx.x >> 5) % WARPS_N * (NT * 8); }

// multiply: acc += A·B over the BK of a stage. a and b are where the lane reads; A_ROW is
// the bytes from a tile of 16 rows to the next, A_STEP those from 16 of the sum to the
// next 16, and so on. A_OVER and B_OVER: the slab has the sum's index by rows.
template <int A_ROW, int A_STEP, bool A_OVER, int B_ROW, int B_STEP, bool B_OVER>
__device__ __forceinline__ void multiply(float (&acc)[MT][NT][4], u32 a, u32 b) {
#pragma unroll
    for (int s = 0; s < BK / 16; s++) {
        u32 x[MT][4];
#pragma unroll
        for (int m = 0; m < MT; m++) {
            if constexpr (A_OVER) ldmatrix_transposed(x[m], a + m * A_ROW + s * A_STEP);
            else ldmatrix(x[m], a + m * A_ROW + s * A_STEP);
        }
#pragma unroll
        for (int n = 0; n < NT; n += 2) {
            u32 y[4];
            if constexpr (B_OVER) ldmatrix_transposed(y, b + n / 2 * B_ROW + s * B_STEP);
            else ldmatrix(y, b + n / 2 * B_ROW + s * B_STEP);
#pragma unroll
            for (int m = 0; m < MT; m++) {
                mma(acc[m][n], x[m], y[0], y[1]);
                mma(acc[m][n + 1], x[m], y[2], y[3]);
            }
        }
    }
}

__device__ __forceinline__ void clear(float (&acc)[MT][NT][4]) {
#pragma unroll
    for (int m = 0; m < MT; m++)
#pragma unroll
        for (int n = 0; n < NT; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) acc[m][n][i] = 0.0f;
}

// pipeline runs through steps stages: load(stage, step) starts the copies of a step,
// use(stage) computes with them, STAGES − 1 steps later.
template <int BYTES, typename Load, typename Use>
__device__ __forceinline__ void pipeline(u32 pool, int steps, Load load, Use use) {
#pragma unroll
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps) load(pool + s * BYTES, s);
        commit();
    }
    for (int step = 0; step < steps; step++) {
        wait<STAGES - 2>();
        __syncthreads(); // this stage is here, and nobody reads the one before
        int next = step + STAGES - 1;
        if (next < steps) load(pool + next % STAGES * BYTES, next);
        commit();
        use(pool + step % STAGES * BYTES);
    }
}

// write2 writes two numbers of a row side by side, as far as they are columns of y.
__device__ __forceinline__ void write2(T *to, const float *bias, int column, float x, float y, bool add) {
#if WIDTH % 2 == 0
    if (column >= WIDTH) return;
    if (bias) {
        x += bias[0];
        y += bias[1];
    }
    if (add) {
        Vec<T, 2> old = load<2>(to);
        x += to_float(old.v[0]);
        y += to_float(old.v[1]);
    }
    Vec<T, 2> v = {{from_float<T>(x), from_float<T>(y)}};
    store(to, v);
#else
    if (column < WIDTH) to[0] = from_float<T>(x + (bias ? bias[0] : 0.0f) + (add ? to_float(to[0]) : 0.0f));
    if (column + 1 < WIDTH) to[1] = from_float<T>(y + (bias ? bias[1] : 0.0f) + (add ? to_float(to[1]) : 0.0f));
#endif
}

#if PASS != SUMS_PASS

typedef Slab<BM, BK> Left;
#if PASS == ROWS_PASS
typedef Slab<BN, BK> Right;
#else
typedef Slab<BK, BN> Right;
#endif

// load_right starts the copy of a tile of the matrix of an expert, DEPTH_ deep.
template <int DEPTH_> __device__ __forceinline__ void load_right(u32 slab, const T *w, int expert, int k, int n) {
    w += i64(expert) * DEPTH_ * WIDTH;
#if PASS == ROWS_PASS
    Right::take<WIDTH, DEPTH_>(slab, w, n, k);
#else
    Right::take<DEPTH_, WIDTH>(slab, w, k, n);
#endif
}

#define STEPS ((DEPTH + BK - 1) / BK)
#define STEPS2 ((DEPTH2 + BK - 1) / BK)
#define COLUMN_BLOCKS ((WIDTH + BN - 1) / BN)

// product: block (tile of slots, BN columns of y), of which those of one tile of slots
// follow each other. x2 is 0 where nothing is to be added; bias is 0 for none.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
product(T *y, const T *x, const T *w, const T *x2, const T *w2, const float *bias, const int *order, const int *offsets, const int *tiles, float factor, int add) {
    extern __shared__ __align__(128) u8 pool[];
    Run run = tile_run(tiles, offsets, blockIdx.x / COLUMN_BLOCKS, BM);
    if (run.expert < 0) return;
    int n0 = blockIdx.x % COLUMN_BLOCKS * BN, end = run.first + run.count;
    int slot[Left::per];
    Left::find(slot, order, run.first, end);
    float acc[MT][NT][4];
    clear(acc);
    auto load = [&](u32 stage, int step) {
#if DEPTH2 > 0
        if (step >= STEPS) {
            int k = (step - STEPS) * BK;
            Left::gather<DEPTH2, 1>(stage, x2, slot, k);
            load_right<DEPTH2>(stage + Left::bytes, w2, run.expert, k, n0);
            return;
        }
#endif
        Left::gather<DEPTH, X_SHARE>(stage, x, slot, step * BK);
        load_right<DEPTH>(stage + Left::bytes, w, run.expert, step * BK, n0);
    };
    u32 a_lane = warp_row() * Left::stride * 2 + lane_a<Left::stride>();
    auto use = [&](u32 stage) {
        constexpr int a_row = 16 * Left::stride * 2, right = Right::stride * 2;
        u32 b = stage + Left::bytes;
#if PASS == ROWS_PASS
        b += warp_column() * right + lane_b<Right::stride>();
        multiply<a_row, 32, false, 16 * right, 32, false>(acc, stage + a_lane, b);
#else
        b += warp_column() * 2 + lane_a<Right::stride>();
        multiply<a_row, 32, false, 32, 16 * right, true>(acc, stage + a_lane, b);
#endif
    };
    pipeline<Left::bytes + Right::bytes>(shared_address(pool), STEPS + (x2 ? STEPS2 : 0), load, use);

    int lane = threadIdx.x & 31, column = n0 + warp_column() + (lane & 3) * 2;
#pragma unroll
    for (int m = 0; m < MT; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int at = run.first + warp_row() + m * 16 + half * 8 + (lane >> 2);
            if (at >= end) continue;
            T *to = y + i64(order[at]) * WIDTH + column;
            const float *of = bias ? bias + i64(run.expert) * WIDTH + column : nullptr;
#pragma unroll
            for (int n = 0; n < NT; n++)
                write2(to + n * 8, of ? of + n * 8 : nullptr, column + n * 8, acc[m][n][2 * half] * factor, acc[m][n][2 * half + 1] * factor, add);
        }
}

#else

typedef Slab<BK, BM> Left;
typedef Slab<BK, BN> Right;

#define ROW_BLOCKS ((HEIGHT + BM - 1) / BM)
#define COLUMN_BLOCKS ((WIDTH + BN - 1) / BN)

// outer: block (expert, BM rows of its d, BN columns). An expert without slots has
// nothing to add.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
outer(float *d, const T *p, const T *q, const int *order, const int *offsets, float factor) {
    extern __shared__ __align__(128) u8 pool[];
    int expert = blockIdx.x / (ROW_BLOCKS * COLUMN_BLOCKS), block = blockIdx.x % (ROW_BLOCKS * COLUMN_BLOCKS);
    int m0 = block / COLUMN_BLOCKS * BM, n0 = block % COLUMN_BLOCKS * BN;
    int first = offsets[expert], end = offsets[expert + 1], steps = (end - first + BK - 1) / BK;
    if (steps == 0) return;
    // Which slots the next step has is read a step ahead.
    int left[Left::per], right[Right::per];
    Left::find(left, order, first, end);
    Right::find(right, order, first, end);
    float acc[MT][NT][4];
    clear(acc);
    auto load = [&](u32 stage, int step) {
        Left::gather<HEIGHT, P_SHARE>(stage, p, left, m0);
        Right::gather<WIDTH, Q_SHARE>(stage + Left::bytes, q, right, n0);
        Left::find(left, order, first + (step + 1) * BK, end);
        Right::find(right, order, first + (step + 1) * BK, end);
    };
    u32 a_lane = warp_row() * 2 + lane_b<Left::stride>(), b_lane = Left::bytes + warp_column() * 2 + lane_a<Right::stride>();
    auto use = [&](u32 stage) {
        multiply<32, 16 * Left::stride * 2, true, 32, 16 * Right::stride * 2, true>(acc, stage + a_lane, stage + b_lane);
    };
    pipeline<Left::bytes + Right::bytes>(shared_address(pool), steps, load, use);

    int lane = threadIdx.x & 31;
    d += expert * i64(STRIDE_E);
#pragma unroll
    for (int m = 0; m < MT; m++)
#pragma unroll
        for (int n = 0; n < NT; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int row = m0 + warp_row() + m * 16 + (i >> 1) * 8 + (lane >> 2), column = n0 + warp_column() + n * 8 + (lane & 3) * 2 + (i & 1);
                if (row < HEIGHT && column < WIDTH) d[row * i64(STRIDE_M) + column * i64(STRIDE_N)] += acc[m][n][i] * factor;
            }
}
#endif
