package weights

import (
	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/halffloat"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// FromMemory is a checkpoint of one tensor that stands in no file: what expressions over
// computed values are bound to.
func FromMemory(name string, shape []int, values []float32) *Checkpoint {
	data := make([]byte, 4*len(values))
	halffloat.EncodeFloat32(data, values)
	t := &Tensor{Name: name, DType: dtype.F32, Shape: shape, Data: data, File: "memory", typeName: "F32", file: memory{}}
	return &Checkpoint{tensors: map[string]*Tensor{name: t}, names: []string{name}}
}

// memory is the container of what stands in no file.
type memory struct{}

func (memory) Path() string                  { return "memory" }
func (memory) Tensors() []tensorfile.Info    { return nil }
func (memory) Guard(read func() error) error { return read() }
func (memory) Unchanged() error              { return nil }
func (memory) Close() error                  { return nil }

var _ container = memory{}
