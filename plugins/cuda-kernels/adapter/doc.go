// Package adapter is what a LoRA adapter's backward pass takes from the gradient of a
// linear's output, in one pass over it: the gradient of B, and what goes on to A. As two
// thin matrix products they read it twice.
//
// It is not for the products that read x (package cublaslt has these), nor for those
// whose result is as wide as x or y, which are parts of the large ones (package gemm).
package adapter
