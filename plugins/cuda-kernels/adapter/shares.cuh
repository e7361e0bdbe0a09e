// What blocks leave of sums that several of them have a share in. Before it stands hone.cuh.
#line 3 "shares.cuh"

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

// add_total adds the shares of four numbers to what is there.
__device__ __forceinline__ void add_total(float *to, const float *shares, i64 at, i64 apart, int count) {
    float4 sum = total(shares, at, apart, count), &old = *reinterpret_cast<float4 *>(to + at);
    old = make_float4(old.x + sum.x, old.y + sum.y, old.z + sum.z, old.w + sum.w);
}

// store_total writes the scaled shares of four numbers.
template <typename T> __device__ __forceinline__ void store_total(T *to, float scale, const float *shares, i64 at, i64 apart, int count) {
    float4 sum = total(shares, at, apart, count);
    store_floats<4>(to, {sum.x * scale, sum.y * scale, sum.z * scale, sum.w * scale});
}
