// Package attention is graph.Attention on a GPU: forward, backward, and one token at
// a time over a cache.
//
// bfloat16 and float16 with heads of 8, 16, … 256 columns run on tensor cores, by
// FlashAttention-2's algorithm (Dao, 2023): forward.cu and backward.cu, from the
// tiles and products of tile.cuh and the instructions of device.PTX. Float32,
// and heads of any other width, run on plain.cu, which has the same kernels by the same
// names. Neither holds a matrix of all queries by all keys.
//
// Where [Spec.Arch] is Hopper's, heads of 64, 128 or 256 columns run on kernels of their own,
// by FlashAttention-3's algorithm (Shah et al., 2024): hopper_forward.cu, and for the
// gradients hopper_keys.cu, or hopper_wide_keys.cu for 256 columns, and hopper_queries.cu, from
// the instructions of device.Hopper.
//
// The keys that a query sees are one run of rows that ends with the query's own
// (mask.cuh), and the queries that see a key one run that begins with the key's own.
// So each kernel goes over the tiles of a run, and windows, chunks and documents
// only say where it begins and ends.
//
// It is not for rotating queries and keys (package rope), nor for the linears around.
package attention
