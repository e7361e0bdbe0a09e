// What the forward pass and the gradient of queries share on Hopper: tiles of rows that
// blocks take, and which of a tile of keys their rows see.
#line 4 "tile_rows.cuh"

#define ROWS 128      // of a tile of queries
#define KEYS 128      // of a tile of keys
#define GROUP_ROWS 64 // of a warpgroup

// A tile is a head and ROWS rows. A block begins with that of its own number, and then
// takes whichever no block has taken yet: the last rows first, as they tend to see the
// most keys. What they compute does not depend on who takes them.
__device__ __forceinline__ int tiles_of(int rows) { return (rows + ROWS - 1) / ROWS * HEADS; }

struct Tile {
    int head, row;
    __device__ __forceinline__ Tile(int index, int rows) {
        head = index % HEADS;
        row = ((rows + ROWS - 1) / ROWS - 1 - index / HEADS) * ROWS;
    }
};

// Those that were taken beyond each block's first, and the blocks that found none: 0
// between launches, which must follow each other.
__device__ u32 taken, finished;

__device__ __forceinline__ int take_tile() { return gridDim.x + atomicAdd(&taken, 1); }
__device__ __forceinline__ void end_tiles() {
    if (atomicAdd(&finished, 1) == gridDim.x - 1) {
        taken = 0;
        finished = 0;
    }
}

// mask takes away the keys that a row does not see: of s's columns, from `key` on,
// those before the row's first, and those after the row where `behind`.
template <bool BEHIND> __device__ __forceinline__ void mask(float (&s)[KEYS / 2], int row, int key, const int (&first)[2]) {
    key += (threadIdx.x & 3) * 2;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int least = first[half] - key, most = row + 8 * half - key;
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
            for (int i = 0; i < 2; i++)
                if (8 * n + i < least || (BEHIND && 8 * n + i > most)) s[4 * n + 2 * half + i] = -HONE_INFINITY;
    }
}
