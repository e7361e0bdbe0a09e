package gemm

import "github.com/honeml/hone/plugins/cpu-kernels/isa"

// A tileFunc sums a tile of C over k elements of K:
//
//	c[i·cStep + j] = alpha · Σ_l a[i·rowStep + l·columnStep] · b[l·bStep + j]
//
// or adds it where accumulate. Steps are in elements; k is at least 1.
type tileFunc func(k int, a *float32, rowStep, columnStep int, b *float32, bStep int, c *float32, cStep int, alpha float32, accumulate bool)

// kernels are what an instruction set implements.
type kernels struct {
	rows    int // of the largest tile
	columns int // of a panel of B, and of a tile of the full width
	vector  int // a tile may also be so many columns wide; columns is once or twice that

	// tiles by width in vectors and by rows, both less one.
	tiles [2][]tileFunc

	float32s  storedKernels[float32]
	bfloat16s storedKernels[uint16]
	float16s  storedKernels[uint16]
}

// An element is what a matrix is stored as: float32, or 16 bits of another type.
type element interface{ float32 | uint16 }

// storedKernels are what an instruction set does with a stored type.
type storedKernels[T element] struct {
	widen func(T) float32

	// transpose widens lanes rows of n elements and writes them as columns:
	// dst[k·dstStep + i] = src[i·srcStep + k]. n is a positive multiple of lanes.
	transpose func(dst *float32, dstStep int, src *T, srcStep, n int)
	// spread widens n rows of vectors·lanes elements:
	// dst[k·dstStep + j] = src[k·srcStep + j]. n and vectors are at least 1.
	spread func(dst *float32, dstStep int, src *T, srcStep, n, vectors int)
	// dots, by the number of rows of x less one, are dot products of rows of x with
	// each of count rows of w: out[i·outStep + j] = Σ_k x[i·xStep + k]·w[j·wStep + k].
	// n is a multiple of lanes, count at least 1.
	dots [4]func(x *float32, xStep int, w *T, wStep, n, count int, out *float32, outStep int)
}

// lanes is what transpose, spread and dots work in.
const lanes = 8

// kernelsFor are the kernels of a level, false where this machine lacks it.
func kernelsFor(level isa.Level) (*kernels, bool) {
	if !isa.Has(level) {
		return nil, false
	}
	if level == isa.Generic {
		return genericKernels(), true
	}
	return vectorKernels(level)
}
