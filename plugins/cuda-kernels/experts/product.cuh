// What the products of product.cu and plain.cu share.
//
// Defined by product.go: TYPE, PASS (which kernel), and its shapes; by tiles.go its
// tiles. hone.cuh stands before, and for product.cu ptx.cuh.
#line 6 "product.cuh"

typedef TYPE T;

// The passes: y = x·W[e]ᵀ, y = x·W[e], and sums over an expert's slots.
#define ROWS_PASS 0
#define COLUMNS_PASS 1
#define SUMS_PASS 2

// A run of slots: those of a tile, or of an expert.
struct Run { int expert, first, count; };

// tile_run is the run of a tile of group.cu; one without slots has no expert.
__device__ __forceinline__ Run tile_run(const int *tiles, const int *offsets, int tile, int most) {
    Run r = {tiles[2 * tile], tiles[2 * tile + 1], 0};
    if (r.expert >= 0) r.count = min(offsets[r.expert + 1] - r.first, most);
    return r;
}
