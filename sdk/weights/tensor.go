package weights

import (
	"fmt"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// DType is the type of a tensor's elements; package dtype lists them.
type DType = dtype.DType

// container is an open file that holds tensors.
type container interface {
	Path() string
	Tensors() []tensorfile.Info
	Guard(read func() error) error
	Unchanged() error
	Close() error
}

// A Tensor is an array in a file. Its methods may be called from several
// goroutines at once.
type Tensor struct {
	Name string
	// DType is dtype.Unknown for a type that hone has no name for: such a tensor
	// can be listed, not read.
	DType DType
	// Shape is row-major: a linear's weight is [out, in].
	Shape []int
	// Data is the tensor's bytes, little-endian, at any alignment. It is part of
	// the file's mapping, valid until the checkpoint is closed. Reading it outside
	// View ends the process if the file is cut short meanwhile.
	Data []byte
	// File is the path of the file that holds it.
	File string

	typeName string // as the file names the type
	file     container
}

// Elements is the number of elements.
func (t *Tensor) Elements() int { return product(t.Shape) }

// View calls read with the tensor's bytes. It fails where the file was cut short
// since it was opened, or the checkpoint was closed. Parallel readers each call
// View: only the goroutine that calls it is protected.
func (t *Tensor) View(read func(data []byte) error) error {
	if err := t.file.Guard(func() error { return read(t.Data) }); err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return nil
}

// Readable fails where [Tensor.Float32] cannot convert the tensor's type.
func (t *Tensor) Readable() error {
	if Decodes(t.DType) {
		return nil
	}
	return fmt.Errorf("tensor %q in %s: its type is %s, which hone cannot convert to float32", t.Name, t.File, t.typeName)
}

// Float32 converts the elements [offset, offset+len(dst)), counted in row-major
// order, to float32. Quantised types are dequantised; neither end of the range
// need be that of a block. 64-bit types are rounded to the nearest.
func (t *Tensor) Float32(dst []float32, offset int) error {
	if err := t.Readable(); err != nil {
		return err
	}
	if n := t.Elements(); offset < 0 || offset > n || len(dst) > n-offset {
		return fmt.Errorf("tensor %q: elements %d to %d of %d", t.Name, offset, offset+len(dst), n)
	}
	if len(dst) == 0 {
		return nil
	}
	return t.View(func(data []byte) error { return decode(dst, t.DType, data, offset) })
}

// product is the number of elements of a shape that is known to have one.
func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
