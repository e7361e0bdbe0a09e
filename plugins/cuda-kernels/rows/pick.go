package rows

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed pick.cu
var pickText string

// A Pick moves some columns of a matrix by a list of their numbers: those of the tokens
// whose rows of a head are an adapter's own.
type Pick struct {
	width, count, stride int
	take, put            *device.Kernel
}

// NewPick is for count columns of matrices [·, width] of a type.
func NewPick(set *device.Set, width, count int, t device.Type) *Pick {
	source := device.Source{Name: "pick.cu", Text: pickText, Defines: []string{DefineType("TYPE", t)}}
	return &Pick{
		width: width, count: count, stride: device.Ceil(count, pickAlignment) * pickAlignment,
		take: set.Kernel(source, "take"), put: set.Kernel(source, "put"),
	}
}

// pickAlignment is what rows of picked columns are a multiple of, in numbers, so that
// products may read them 16 bytes at a time.
const pickAlignment = 8

// Stride is the numbers from row to row of what Take gives and Put takes: count of them
// are columns, the others zeros.
func (p *Pick) Stride() int { return p.stride }

// Take is d[t, k] = y[t, columns[k]] for n rows, and leaves zeros there. columns is int32
// [count].
func (p *Pick) Take(q *device.Queue, n int, d, y, columns device.Pointer) {
	q.Launch(p.take, Blocks(int64(n)*int64(p.stride)), d, y, columns, int32(p.count), int32(p.stride), int64(p.width), int64(n))
}

// Put is y[t, columns[k]] = d[t, k] for n rows.
func (p *Pick) Put(q *device.Queue, n int, y, d, columns device.Pointer) {
	q.Launch(p.put, Blocks(int64(n)*int64(p.stride)), y, d, columns, int32(p.count), int32(p.stride), int64(p.width), int64(n))
}
