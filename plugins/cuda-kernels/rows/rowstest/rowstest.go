// Package rowstest has what tests of kernels that go row by row share: numbers to
// try, and the comparison with a reference in float64.
package rowstest

import (
	"math"
	"math/rand/v2"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
)

// Types are the types that kernels know.
func Types() []device.Type { return []device.Type{device.Float32, device.BFloat16, device.Float16} }

// A Buffer is numbers on the GPU and, as they are held there, here.
type Buffer struct {
	device.Pointer
	Type    device.Type
	Numbers []float32
}

// Random uploads n numbers drawn from a normal distribution, the same for the same
// seed.
func Random(b *devicetest.Bench, t device.Type, n int, seed uint64) Buffer {
	b.Helper()
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	numbers := make([]float32, n)
	for i := range numbers {
		numbers[i] = devicetest.Round(t, float32(r.NormFloat64()))
	}
	return Buffer{Pointer: b.Upload(t, numbers), Type: t, Numbers: numbers}
}

// Empty is room for n numbers, each NaN.
func Empty(b *devicetest.Bench, t device.Type, n int) Buffer {
	b.Helper()
	return Buffer{Pointer: b.Alloc(t, n), Type: t, Numbers: make([]float32, n)}
}

// Result is what a test's kernel writes or adds to: random numbers where it
// accumulates, else NaN.
func Result(b *devicetest.Bench, t device.Type, n int, accumulate bool) Buffer {
	b.Helper()
	if accumulate {
		return Random(b, t, n, 77)
	}
	return Empty(b, t, n)
}

// At is number i in float64.
func (b Buffer) At(i int) float64 { return float64(b.Numbers[i]) }

// epsilon is the distance from 1 to the next number of a type.
func epsilon(t device.Type) float64 {
	return map[device.Type]float64{device.Float32: 0x1p-23, device.BFloat16: 0x1p-7, device.Float16: 0x1p-10}[t]
}

// Compare fails the test where a buffer on the GPU is not what a reference says, once
// rounded: each may be off by half of its type's spacing and by slack, what float32
// arithmetic loses on the way.
func Compare(b *devicetest.Bench, what string, got Buffer, want []float64, slack float64) {
	b.Helper()
	numbers := b.Download(got.Pointer, got.Type, len(want))
	for i, w := range want {
		g := float64(numbers[i])
		bound := math.Abs(w)*epsilon(got.Type)*0.502 + slack
		if got.Type == device.Float16 {
			bound += 0x1p-25
		}
		if math.IsNaN(g) || math.Abs(g-w) > bound {
			b.Errorf("%s[%d] = %v, want %v within %.2g", what, i, g, w, bound)
			return
		}
	}
}

// Same fails the test where two buffers on the GPU differ in a bit.
func Same(b *devicetest.Bench, what string, x, y Buffer) {
	b.Helper()
	n := len(x.Numbers)
	first, second := b.Download(x.Pointer, x.Type, n), b.Download(y.Pointer, y.Type, n)
	for i := range first {
		if math.Float32bits(first[i]) != math.Float32bits(second[i]) {
			b.Fatalf("%s[%d]: %v, then %v", what, i, first[i], second[i])
		}
	}
}
