package rows

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed flat.cu
var flatText string

// A Scale multiplies numbers by a factor and converts them from a type to another:
// casts, sums of two buffers and factors are all this.
type Scale struct {
	vector int
	kernel *device.Kernel
}

// NewScale is the Scale from a type to a type.
func NewScale(set *device.Set, from, to device.Type) *Scale {
	vector := Vector(min(from.Size(), to.Size()))
	return &Scale{vector: vector, kernel: set.Kernel(device.Source{Name: "flat.cu", Text: flatText, Defines: []string{
		DefineType("FROM_TYPE", from), DefineType("TO_TYPE", to), Define("VEC", vector),
	}}, "scale")}
}

// Write is y = factor·x over n numbers. y may be x where the types are the same.
func (s *Scale) Write(q *device.Queue, n int64, y, x device.Pointer, factor float32) {
	s.launch(q, n, y, x, factor, false)
}

// Add is y += factor·x over n numbers.
func (s *Scale) Add(q *device.Queue, n int64, y, x device.Pointer, factor float32) {
	s.launch(q, n, y, x, factor, true)
}

func (s *Scale) launch(q *device.Queue, n int64, y, x device.Pointer, factor float32, accumulate bool) {
	q.Launch(s.kernel, Blocks(device.Ceil(n, int64(s.vector))), y, x, n, factor, Flag(accumulate))
}
