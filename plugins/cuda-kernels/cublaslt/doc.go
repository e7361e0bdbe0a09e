// Package cublaslt computes matrix products on NVIDIA GPUs with cuBLASLt, without
// cgo.
//
// How the pieces meet. [Open] takes libcublasLt, which package dl found, and gives a
// [Handle] of the context that is current. A [Product] says what is to be computed, in
// row-major terms; [Handle.Plan] asks the library once which of its algorithms can, and
// gives a [Plan]; [Plan.Run] puts the product on a stream and allocates nothing:
//
//	x := cublaslt.Dense(cublaslt.BFloat16, tokens, in)
//	w := cublaslt.Dense(cublaslt.BFloat16, out, in)
//	y := cublaslt.Dense(cublaslt.BFloat16, tokens, out)
//	plan, err := handle.Plan(cublaslt.Product{A: x, B: w.T(), D: y}, workspaceBytes)
//	err = plan.Run(stream, 1, xAddress, wAddress, 0, 0, yAddress, 0, workspace)
//
// A Plan holds several algorithms, the one that the library holds to be the fastest
// first. [Plan.Choose] takes another, for measuring; [Plan.Algorithm] is one that can
// be written to a file, and [Plan.Use] takes it from there, so that a run that goes on
// computes the same bits.
//
// All sums are taken in float32, and float32 products are not rounded to TF32. A
// product gives the same bits each time: algorithms that add up parts in an order that
// is not fixed, or in the output's type, are never taken.
//
// Streams are the driver's handles, addresses the device's. The context must be
// current on the calling thread; a Plan is for one goroutine at a time.
package cublaslt
