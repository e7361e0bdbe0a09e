// Package tensorfile is what the formats of weight files have in common: how a
// tensor in a file is described, and how a file is written whose layout is known
// before its data is.
//
// Packages safetensors and gguf read and write the formats themselves. A program
// that reads a model uses package weights, which joins them into one view.
package tensorfile

import (
	"fmt"

	"github.com/honeml/hone/sdk/weights/dtype"
)

// An Info is a tensor in an open file.
type Info struct {
	Name string
	// DType is dtype.Unknown where the file names a type that hone does not know.
	DType dtype.DType
	// TypeName is the type as the file names it.
	TypeName string
	// Shape is row-major: the last dimension varies fastest. A linear's weight is
	// [out, in].
	Shape []int
	// Data is the tensor's bytes, little-endian, not necessarily aligned. It is
	// part of the file's mapping: valid until the file is closed.
	Data []byte
}

// A Spec declares a tensor that is to be written.
type Spec struct {
	Name  string
	DType dtype.DType
	Shape []int // row-major
}

// Bytes is the size of the tensor's data. It fails, naming the tensor, where
// [dtype.DType.Bytes] does.
func (s Spec) Bytes() (int, error) {
	n, err := s.DType.Bytes(s.Shape)
	if err != nil {
		return 0, fmt.Errorf("tensor %q: %w", s.Name, err)
	}
	return n, nil
}

// A Part is where in a file a tensor's data is to stand.
type Part struct {
	Spec
	Offset int64 // from the start of the file
	Size   int64
}
