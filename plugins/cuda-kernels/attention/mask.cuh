// What all of attention's kernels share: which keys a query sees.
//
// Defined by attention.go: TYPE, HEADS, KV_HEADS, KEY_WIDTH, VALUE_WIDTH, SCALE,
// WINDOW, CHUNK (0: none), CAP (0: none), SINKS (0 or 1).
#include "hone.cuh"
#line 7 "mask.cuh"

typedef TYPE T; // a number

#define GROUP (HEADS / KV_HEADS)
#define CAPPED (CAP > 0.0f)
#define CHUNK_OR_ONE (CHUNK > 0 ? CHUNK : 1) // so that no branch divides by 0

// first_key is the first row that the query in a row sees; the last is the row
// itself. It does not fall from one row to the next.
__device__ __forceinline__ int first_key(int row, int start) {
    int first = start, position = row - start;
    if (WINDOW > 0) first = max(first, row - (WINDOW - 1));
    if (CHUNK > 0) first = max(first, start + position - position % CHUNK_OR_ONE);
    return first;
}

// begin_of is first_key of a row that may be past the last one.
__device__ __forceinline__ int begin_of(const int *doc_start, int row, int rows) {
    row = min(row, rows - 1);
    return first_key(row, doc_start[row]);
}

// last_query is the last row that sees the key in a row; the first is the row
// itself. It does not fall from one row to the next.
__device__ __forceinline__ int last_query(int row, int start, int end) {
    int last = end - 1, position = row - start;
    if (WINDOW > 0) last = min(last, row + (WINDOW - 1));
    if (CHUNK > 0) last = min(last, start + position - position % CHUNK_OR_ONE + (CHUNK - 1));
    return last;
}
