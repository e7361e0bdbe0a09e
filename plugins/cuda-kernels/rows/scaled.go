package rows

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed scaled.cu
var scaledText string

// A Scaled multiplies each column of a matrix by a factor of its own.
type Scaled struct {
	pieces int64
	kernel *device.Kernel
}

// NewScaled is for matrices [rows, width] of a type that go to ones of another, or of the
// same.
func NewScaled(set *device.Set, width int, from, to device.Type) *Scaled {
	vector := Vector(max(from.Size(), to.Size()), width)
	return &Scaled{pieces: int64(width / vector), kernel: set.Kernel(device.Source{Name: "scaled.cu", Text: scaledText, Defines: []string{
		DefineType("TO_TYPE", to), DefineType("FROM_TYPE", from), Define("WIDTH", width), Define("VEC", vector),
	}}, "scale_columns")}
}

// Write is to[t] = from[t]∘(factor + more) for n rows. factor is float32 [width]; 0: none.
// to may be from.
func (s *Scaled) Write(q *device.Queue, n int, to, from, factor device.Pointer, more float32) {
	s.run(q, n, to, from, factor, more, false)
}

// Add is to[t] += from[t]∘(factor + more).
func (s *Scaled) Add(q *device.Queue, n int, to, from, factor device.Pointer, more float32) {
	s.run(q, n, to, from, factor, more, true)
}

func (s *Scaled) run(q *device.Queue, n int, to, from, factor device.Pointer, more float32, add bool) {
	q.Launch(s.kernel, Blocks(int64(n)*s.pieces), to, from, factor, int64(n), more, Flag(add))
}
