// The instructions of sm_80 that C++ has no name for: copies to shared memory and
// products on tensor cores. Before it stand hone.cuh and BF16, 1 where numbers are
// bf16 and 0 where they are f16.
#line 5 "ptx.cuh"

__device__ __forceinline__ u32 shared_address(const void *p) { return u32(__cvta_generic_to_shared(p)); }

// copy16 starts a copy of 16 bytes to shared memory: `bytes` of them, the others 0.
__device__ __forceinline__ void copy16(u32 to, const void *from, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
__device__ __forceinline__ void copy4(u32 to, const void *from, int bytes) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
// commit ends a group of copies; wait waits until at most N groups are under way.
__device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> __device__ __forceinline__ void wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

__device__ __forceinline__ void store_shared(u32 to, const u32 (&v)[4]) {
    asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(v[0]), "r"(v[1]), "r"(v[2]), "r"(v[3]) : "memory");
}

__device__ __forceinline__ void store_shared(u32 to, u16 v) { asm volatile("st.shared.u16 [%0], %1;" ::"r"(to), "h"(v) : "memory"); }
__device__ __forceinline__ void load_shared(u32 (&v)[4], u32 from) {
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];" : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3]) : "r"(from) : "memory");
}
__device__ __forceinline__ u32 load_shared(u32 from) {
    u32 v;
    asm volatile("ld.shared.b32 %0, [%1];" : "=r"(v) : "r"(from) : "memory");
    return v;
}

// ldmatrix reads four matrices of 8x8: row i of matrix j from lane 8j+i's address.
__device__ __forceinline__ void ldmatrix(u32 (&r)[4], u32 p) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(p) : "memory");
}
__device__ __forceinline__ void ldmatrix_transposed(u32 (&r)[4], u32 p) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(p) : "memory");
}

// Where a lane's ldmatrix reads, in bytes from the tile's start, for rows STRIDE
// numbers apart: lane_a of an operand A [M][K], or of B [K][N] transposed; lane_b of
// B [N][K], or of A [K][M] transposed.
template <int STRIDE> __device__ __forceinline__ u32 lane_a() {
    u32 lane = threadIdx.x & 31;
    return ((lane & 15) * STRIDE + (lane >> 4) * 8) * 2;
}
template <int STRIDE> __device__ __forceinline__ u32 lane_b() {
    u32 lane = threadIdx.x & 31;
    return (((lane & 7) + (lane >> 4) * 8) * STRIDE + ((lane >> 3) & 1) * 8) * 2;
}

#if BF16
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
#define PACK "cvt.rn.bf16x2.f32 "
#else
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
#define PACK "cvt.rn.f16x2.f32 "
#endif

// mma: c += A·B, 16x8 by 16.
__device__ __forceinline__ void mma(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm(MMA "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// pack2 rounds two numbers to T, x in the low half.
__device__ __forceinline__ u32 pack2(float x, float y) {
    u32 r;
    asm(PACK "%0, %1, %2;" : "=r"(r) : "f"(y), "f"(x));
    return r;
}

// unpack is a number of those that pack2 rounded, 0 for the one in the low half.
__device__ __forceinline__ float unpack(u32 pair, int i) {
    u16 bits = u16(i ? pair >> 16 : pair);
#if BF16
    return to_float(bf16{bits});
#else
    return to_float(f16{bits});
#endif
}

// exp2_fast and reciprocal err by two units of a float's last place.
__device__ __forceinline__ float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
__device__ __forceinline__ float reciprocal(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
