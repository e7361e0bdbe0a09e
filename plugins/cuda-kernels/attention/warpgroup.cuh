// What attention's kernels for Hopper share: tiles of a head's columns in shared memory,
// and a warpgroup's products of them.
#line 4 "warpgroup.cuh"

#define WIDTH KEY_WIDTH
#define BLOCKS (WIDTH / 64) // of 64 columns that a tile lies in

// rows_product starts s = A·Bᵀ: 64 rows of A and all rows of B, whose tiles have so many.
template <int A_ROWS, int B_ROWS> __device__ __forceinline__ void rows_product(float (&s)[B_ROWS / 2], u32 a_tile, u32 b_tile) {
    u64 a = rows_operand(a_tile), b = rows_operand(b_tile);
#pragma unroll
    for (int i = 0; i < WIDTH / 16; i++) product(s, a + i / 4 * (A_ROWS * 8) + i % 4 * 2, b + i / 4 * (B_ROWS * 8) + i % 4 * 2, i);
    products_commit();
}

// add_columns_product starts c += A·B, A in registers, B a tile of ROWS rows.
template <int ROWS> __device__ __forceinline__ void add_columns_product(float (&c)[WIDTH / 2], const u32 (&a)[ROWS / 16][4], u32 b_tile) {
    u64 b = columns_operand(b_tile, ROWS * 128);
#pragma unroll
    for (int i = 0; i < ROWS / 16; i++) product<1>(c, a[i], b + i * 128, 1);
    products_commit();
}

// round_all makes a product's numbers an operand A: they have its layout.
template <int N> __device__ __forceinline__ void round_all(u32 (&a)[N / 8][4], const float (&s)[N]) {
#pragma unroll
    for (int i = 0; i < N / 2; i++) a[i / 4][i % 4] = pack2(s[2 * i], s[2 * i + 1]);
}

template <int N> __device__ __forceinline__ void clear(float (&c)[N]) {
#pragma unroll
    for (int i = 0; i < N; i++) c[i] = 0.0f;
}

template <int N> __device__ __forceinline__ void prepare_all(float (&s)[N]) {
    if constexpr (PREPARED) {
#pragma unroll
        for (int i = 0; i < N; i++) s[i] = prepare(s[i]);
    }
}

// write_gradients writes a warpgroup's 64 rows times a factor, or adds them to what is
// there: those from `row` on, the thread's first, that are below limit.
__device__ __forceinline__ void write_gradients(T *to, int pitch, int row, int limit, const float (&c)[WIDTH / 2], float factor, bool add) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = row + half * 8;
        if (r >= limit) continue;
        T *p = to + i64(r) * pitch + (threadIdx.x & 3) * 2;
#pragma unroll
        for (int n = 0; n < WIDTH / 8; n++) {
            store_pair(p + n * 8, c[4 * n + 2 * half] * factor, c[4 * n + 2 * half + 1] * factor, add);
        }
    }
}
