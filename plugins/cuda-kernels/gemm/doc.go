// Package gemm is large matrix products on Hopper GPUs: a linear's x·Wᵀ and its adapter's
// (x·Aᵀ)·Bᵀ in one, and dy·W with (dy·B)·A on the way back. The small product is the last
// steps of the large one along its inner dimension, so what they give is written once,
// where cuBLASLt writes the one and reads it to add the other. So are DoRA's factors, which
// multiply each column of a sum before it is rounded.
//
// Products run on wgmma, from tiles that TMA fetches: product.cu says how. Sums are taken
// in float32 and in one order, so the same product gives the same bits.
//
// It is not for small products, thin ones (those with A and B alone), float32, nor other
// GPUs: package cublaslt has these.
package gemm
