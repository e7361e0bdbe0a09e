package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/honeml/hone/plugins/cpu-kernels/workers"
	"github.com/honeml/hone/sdk/kernels/principal"
)

// BenchmarkDecompose finds the principal parts of matrices whose singular values fall, by
// the engine's products.
func BenchmarkDecompose(b *testing.B) {
	for _, shape := range [][2]int{{576, 1536}, {2048, 8192}, {4096, 11008}} {
		b.Run(fmt.Sprint(shape), func(b *testing.B) {
			e := &Engine{pool: workers.New(0)}
			if err := e.multipliers(); err != nil {
				b.Fatal(err)
			}
			m, rng := newMatrix(shape[0], shape[1], heldFloat32), rand.New(rand.NewPCG(1, 2))
			for i := range m.f32 {
				m.f32[i] = float32(rng.NormFloat64() / float64(1+i/shape[1]/16))
			}
			for b.Loop() {
				principal.Decompose(multiplier{e, m}, 16)
			}
		})
	}
}
