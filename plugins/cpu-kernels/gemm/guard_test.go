package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/honeml/hone/plugins/cpu-kernels/internal/guard"
)

// TestNothingBeyondIsTouched multiplies matrices that end where their memory does.
func TestNothingBeyondIsTouched(t *testing.T) {
	levels(t, 2, func(t *testing.T, m *Multiplier) {
		mem := memory{
			rand.New(rand.NewPCG(7, 7)),
			func(n int) []float32 { return guard.Float32s(t, n) },
			func(n int) []uint16 { return guard.Uint16s(t, n) },
		}
		for n, shape := range shapes {
			for way := range 4 {
				kind := kinds[(n+way)%3]
				t.Run(fmt.Sprint(shape, way, kind), func(t *testing.T) {
					a := mem.matrix(shape[0], shape[2], 0, way&1 != 0, "float32")
					b := mem.matrix(shape[2], shape[1], 0, way&2 != 0, kind)
					check(t, m, mem, a, b, 1, true)
				})
			}
		}
	})
}
