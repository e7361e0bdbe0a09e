// Slots in the order of their experts: a counting sort that keeps slots of one expert
// in their order, so that sums over them have the same bits each time.
//
// indices [slots]: the expert of each slot. order [slots]: slots, by expert; those of
// expert e are order[offsets[e]], … order[offsets[e+1]−1]. tiles [most, 2]: runs of up
// to TILE slots of one expert: the expert, −1 for none, and where in order it begins.
//
// Defined by group.go: EXPERTS, SHARE (slots of a block), TILE.
//
// Moves 12 bytes a slot and 8·EXPERTS a share; three launches, none of which depends on
// the counts.
#include "hone.cuh"
#line 14 "group.cu"

// group_count: counts[share, e] are the slots of a share that are expert e's.
extern "C" __global__ void __launch_bounds__(256) group_count(int *counts, const int *indices, int slots) {
    __shared__ int count[EXPERTS];
    for (int e = threadIdx.x; e < EXPERTS; e += 256) count[e] = 0;
    __syncthreads();
    int begin = blockIdx.x * SHARE, end = min(begin + SHARE, slots);
    for (int i = begin + threadIdx.x; i < end; i += 256) atomicAdd(&count[indices[i]], 1);
    __syncthreads();
    for (int e = threadIdx.x; e < EXPERTS; e += 256) counts[i64(blockIdx.x) * EXPERTS + e] = count[e];
}

// group_scan: one block. It turns counts into where in order the share's slots of each
// expert begin, and writes offsets [EXPERTS+1] and tiles.
extern "C" __global__ void __launch_bounds__(1024) group_scan(int *counts, int *offsets, int *tiles, int shares, int most) {
    __shared__ int begins[EXPERTS + 1], first[EXPERTS + 1];
    for (int e = threadIdx.x; e < EXPERTS; e += 1024) {
        int sum = 0;
#pragma unroll 8
        for (int b = 0; b < shares; b++) {
            int n = counts[i64(b) * EXPERTS + e];
            counts[i64(b) * EXPERTS + e] = sum;
            sum += n;
        }
        begins[e] = sum;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        int slots = 0, used = 0;
        for (int e = 0; e < EXPERTS; e++) {
            int n = begins[e];
            begins[e] = slots;
            first[e] = used;
            slots += n;
            used += (n + TILE - 1) / TILE;
        }
        begins[EXPERTS] = slots;
        first[EXPERTS] = used;
    }
    __syncthreads();
    for (int e = threadIdx.x; e <= EXPERTS; e += 1024) offsets[e] = begins[e];
    for (int e = threadIdx.x; e < EXPERTS; e += 1024) {
#pragma unroll 8
        for (int b = 0; b < shares; b++) counts[i64(b) * EXPERTS + e] += begins[e];
        for (int i = first[e]; i < first[e + 1]; i++) {
            tiles[2 * i] = e;
            tiles[2 * i + 1] = begins[e] + (i - first[e]) * TILE;
        }
    }
    for (int i = first[EXPERTS] + threadIdx.x; i < most; i += 1024) {
        tiles[2 * i] = -1;
        tiles[2 * i + 1] = 0;
    }
}

// group_place: a warp puts the slots of its share in their places, 32 at a time.
extern "C" __global__ void __launch_bounds__(32) group_place(int *order, const int *counts, const int *indices, int slots) {
    __shared__ int next[EXPERTS];
    int lane = threadIdx.x, begin = blockIdx.x * SHARE, end = min(begin + SHARE, slots);
    for (int e = lane; e < EXPERTS; e += 32) next[e] = counts[i64(blockIdx.x) * EXPERTS + e];
    __syncwarp();
    for (int i = begin; i < end; i += 32) {
        bool mine = i + lane < end;
        int e = mine ? indices[i + lane] : -1 - lane;
        u32 same = __match_any_sync(0xffffffffu, e), before = same & ((1u << lane) - 1);
        int at = mine ? next[e] + __popc(before) : 0;
        __syncwarp();
        if (mine) {
            order[at] = i + lane;
            if (!before) next[e] += __popc(same);
        }
        __syncwarp();
    }
}
