// Package device is a GPU as the kernel packages see it: numbers' types, compiled
// kernels, and a queue of work.
//
// A kernel package names what it needs from a [Set], which compiles all [Source]s
// together, and afterwards launches its [Kernel]s on a [Queue]. A Queue keeps the
// first error, so that a node's launches follow each other without a check after
// each; whoever runs the step asks [Queue.Err].
//
// hone.cuh is what all kernels include: the 16-bit types, vectors, sums over warps
// and blocks, the random numbers of dropout. ptx.cuh has the instructions of tensor
// cores since sm_80, hopper.cuh those that Hopper alone has.
//
// It is not for what kernels compute (norm, attention and the others beside it do),
// nor for what order they run in (package engine).
package device
