// Package engine runs a Graph on a CPU, in float32: forward, backward, the
// optimizer, scoring and generation. Frozen weights stay in the dtype in which
// they are held and are widened as they are read.
//
// # From a Graph to a step
//
// [Bind] differentiates the Graph (sdk/graph/diff), decides what is recomputed
// (recompute) and lays every value and gradient out in one arena (live). What
// comes out is a list of bound steps: a kernel for each node with the places of
// its inputs and outputs. A micro-batch of T tokens runs through that list; T may
// be anything up to the plan's maximum.
//
// The head is special: where the logits come from a linear, perhaps through
// element-wise expressions, they are computed a few rows at a time, loss and
// gradient with them, and rows whose prediction has no weight not at all
// (head.go).
//
// # The same bits on any number of threads
//
// Work is cut into pieces whose borders depend on shapes alone. Each element of a
// result is computed by one piece, in one order. Threads only take pieces.
package engine
