package rows

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed index.cu
var indexText string

// An Index moves rows by a list of their numbers: the rows that a head computes.
type Index struct {
	pieces          int64
	gather, scatter *device.Kernel
}

// NewIndex is for matrices [·, width] of a type.
func NewIndex(set *device.Set, width int, t device.Type) *Index {
	vector := Vector(t.Size(), width)
	source := device.Source{Name: "index.cu", Text: indexText, Defines: []string{
		DefineType("TYPE", t), Define("WIDTH", width), Define("VEC", vector),
	}}
	return &Index{
		pieces: int64(width / vector),
		gather: set.Kernel(source, "gather"), scatter: set.Kernel(source, "scatter"),
	}
}

// Gather is y[i] = x[index[i]] for count rows of y; index is int32 [count], and a
// negative one gives zeros.
func (x *Index) Gather(q *device.Queue, count int, y, from, index device.Pointer) {
	q.Launch(x.gather, Blocks(int64(count)*x.pieces), y, from, index, int64(count))
}

// Scatter is y[index[i]] = x[i], or += where it accumulates, for count rows of x.
// No row is named twice, a negative one is left out, and the rows of y that are not
// named stay as they are.
func (x *Index) Scatter(q *device.Queue, count int, y, from, index device.Pointer, accumulate bool) {
	q.Launch(x.scatter, Blocks(int64(count)*x.pieces), y, from, index, int64(count), Flag(accumulate))
}
