// Package adapter is what LoRA adapters take from the matrices that linears read and
// write, in one pass over each: from x what goes on to B, and the gradient of A, for all
// adapters on x together ([Input]); from dy the gradient of B, and what goes on to A
// ([Backward]). As thin matrix products they read these once for each.
//
// It is not for the products whose result is as wide as x or y, which are parts of the
// large ones (package gemm).
package adapter
