// What the passes have in common: tiles on their way to shared memory, and what blocks
// leave of sums that several of them have a share in. Before it stand hone.cuh and
// ptx.cuh.
#line 5 "passes.cuh"

// fetch_tile has a block of THREADS threads start the copies of [HIGH, WIDE] numbers of a
// matrix [rows, columns], whose rows lie `stride` numbers apart, from (row, column) on, to
// rows that lie LINE apart; what is beyond its edges is 0. WIDE is a multiple of 8.
template <int HIGH, int WIDE, int LINE, int THREADS, typename T>
__device__ __forceinline__ void fetch_tile(u32 to, const T *x, i64 stride, int row, int column, int rows, int columns) {
    constexpr int across = WIDE / 8, pieces = HIGH * across;
#pragma unroll
    for (int i = 0; i < (pieces + THREADS - 1) / THREADS; i++) {
        int at = i * THREADS + threadIdx.x, r = at / across, c = at % across * 8;
        if (pieces % THREADS && at >= pieces) break;
        bool there = row + r < rows && column + c < columns;
        copy16(to + (r * LINE + c) * 2, there ? x + i64(row + r) * stride + column + c : x, there ? 16 : 0);
    }
}

// total adds up four numbers of shares that lie `apart` numbers from each other, in their
// order: the bits are the same each time.
__device__ __forceinline__ float4 total(const float *shares, i64 at, i64 apart, int count) {
    float4 sum = {};
    for (int i = 0; i < count; i++) {
        float4 v = *reinterpret_cast<const float4 *>(shares + at + i * apart);
        sum.x += v.x, sum.y += v.y, sum.z += v.z, sum.w += v.w;
    }
    return sum;
}

// add_total adds the scaled shares of four numbers to what is there.
__device__ __forceinline__ void add_total(float *to, float scale, const float *shares, i64 at, i64 apart, int count) {
    float4 sum = total(shares, at, apart, count), &old = *reinterpret_cast<float4 *>(to + at);
    old = make_float4(old.x + scale * sum.x, old.y + scale * sum.y, old.z + scale * sum.z, old.w + scale * sum.w);
}

// store_total writes the scaled shares of four numbers.
template <typename T> __device__ __forceinline__ void store_total(T *to, float scale, const float *shares, i64 at, i64 apart, int count) {
    float4 sum = total(shares, at, apart, count);
    store_floats<4>(to, {sum.x * scale, sum.y * scale, sum.z * scale, sum.w * scale});
}
