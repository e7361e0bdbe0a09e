// Dropout of numbers that lie in registers as operands A of products, 16 x 16, by the counters
// of sdk/graph/dropout. One counter decides four columns of a row; each lane reckons two of the
// 64 that an operand has, and lanes tell each other. Before it stand hone.cuh and ptx.cuh.
#line 5 "masks.cuh"

__device__ __forceinline__ void copy(u32 (&to)[4], const u32 (&from)[4]) {
#pragma unroll
    for (int i = 0; i < 4; i++) to[i] = from[i];
}

// keep is numbers under a mask.
__device__ __forceinline__ void keep(u32 (&mask)[4], const u32 (&numbers)[4]) {
#pragma unroll
    for (int i = 0; i < 4; i++) mask[i] &= numbers[i];
}

// halves has all bits of a pair's first number by bit 0 of `first`, of its second by that of
// `second`.
__device__ __forceinline__ u32 halves(u32 first, u32 second) { return (first & 1) * 0xffffu | (second & 1) * 0xffff0000u; }

// decided is which of four columns, from 4·four on, of a row are kept, and in bits 4 to 7 which
// of those eight columns further.
__device__ __forceinline__ u32 decided(u32 sample, u32 position, u32 four, u32 key0, u32 key1, u32 threshold) {
    u32 bits = 0;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        Philox p = philox(sample, position, four + 2 * i, 0, key0, key1);
        bits |= (u32(p.x >= threshold) | u32(p.y >= threshold) << 1 | u32(p.z >= threshold) << 2 | u32(p.w >= threshold) << 3) << 4 * i;
    }
    return bits;
}

// own_row is the row of an operand [rows, columns] that a lane decides for mask_rows, which is
// given its sample and position.
__device__ __forceinline__ int own_row() { return threadIdx.x % 32 / 4 + threadIdx.x % 2 * 8; }

// mask_rows is the mask of an operand [rows, columns] whose first column, a multiple of 4, is
// `column`.
__device__ __forceinline__ void mask_rows(u32 (&mask)[4], u32 sample, u32 position, int column, const u32 *key, u32 threshold) {
    int odd = threadIdx.x % 2;
    u32 mine = decided(sample, position, column / 4 + threadIdx.x % 4 / 2, key[0], key[1], threshold);
    u32 other = __shfl_xor_sync(0xffffffffu, mine, 1);
    u32 upper = (odd ? other : mine) >> 2 * odd, lower = (odd ? mine : other) >> 2 * odd; // rows g and g + 8
    mask[0] = halves(upper, upper >> 1);
    mask[1] = halves(lower, lower >> 1);
    mask[2] = halves(upper >> 4, upper >> 5);
    mask[3] = halves(lower >> 4, lower >> 5);
}

// own_column_row is the same for mask_columns.
__device__ __forceinline__ int own_column_row() {
    int q = threadIdx.x / 4 % 4;
    return threadIdx.x % 4 * 2 + q % 2 + q / 2 * 8;
}

// mask_columns is the mask of an operand [columns, rows].
__device__ __forceinline__ void mask_columns(u32 (&mask)[4], u32 sample, u32 position, int column, const u32 *key, u32 threshold) {
    int lane = threadIdx.x % 32, q = lane / 4 % 4;
    u32 mine = decided(sample, position, column / 4 + lane / 16, key[0], key[1], threshold), of[4]; // rows 2t, 2t + 1, 2t + 8, 2t + 9
#pragma unroll
    for (int i = 0; i < 4; i++) of[i] = __shfl_sync(0xffffffffu, mine, (lane & 0x13) + 4 * i) >> q;
    mask[0] = halves(of[0], of[1]);
    mask[1] = halves(of[0] >> 4, of[1] >> 4);
    mask[2] = halves(of[2], of[3]);
    mask[3] = halves(of[2] >> 4, of[3] >> 4);
}
