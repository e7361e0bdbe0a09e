// What the forward pass and the gradient of queries share on Hopper: tiles of rows that
// blocks take, and which of a tile of keys their rows see. Defined are KEYS, the rows of a
// tile of keys, ROWS or half of that, and KEY_STAGES and VALUE_STAGES, how many tiles of keys
// and of values a block holds.
#line 6 "tile_rows.cuh"

#define ROWS 128      // of a tile of queries
#define GROUP_ROWS 64 // of a warpgroup
#define GROUP_BYTES (GROUP_ROWS * WIDTH * 2)
#define QUERY_BYTES (2 * GROUP_BYTES)
#define KEY_BYTES (KEYS * WIDTH * 2)

// make_key_barriers makes those of the rings of keys and of values, which eight warps
// read.
template <typename Shared> __device__ __forceinline__ void make_key_barriers(const Shared &shared) {
    for (u32 i = 0; i < KEY_STAGES; i++) {
        barrier_init(shared.key_here(i), 1);
        barrier_init(shared.key_free(i), 8);
    }
    for (u32 i = 0; i < VALUE_STAGES; i++) {
        barrier_init(shared.value_here(i), 1);
        barrier_init(shared.value_free(i), 8);
    }
}

// copy_keys starts the copy of a tile of keys, or of values, once its place is free.
__device__ __forceinline__ void copy_keys(u32 to, const TensorMap &map, int head, int key, u32 free, u32 here, u32 parity) {
    barrier_wait(free, parity ^ 1);
    barrier_expect(here, KEY_BYTES);
    tile_load(to, map, 0, key, head / GROUP * BLOCKS, here);
}

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

// last_keys is the row that a tile's last tile of keys begins with: its first ones are
// that, and those before it.
__device__ __forceinline__ int last_keys(int row) { return row + ROWS - KEYS; }

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
