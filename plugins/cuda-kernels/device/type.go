package device

import (
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
)

// A Type is how numbers are held in a buffer of the GPU.
type Type uint8

// The types.
const (
	Float32 Type = iota
	BFloat16
	Float16
)

// Size is the bytes of a number.
func (t Type) Size() int64 {
	if t == Float32 {
		return 4
	}
	return 2
}

// Tensor is the type's name in a tensor map.
func (t Type) Tensor() cuda.TensorType {
	return [...]cuda.TensorType{cuda.TensorFloat32, cuda.TensorBFloat16, cuda.TensorFloat16}[t]
}

// C is the type's name in hone.cuh.
func (t Type) C() string { return [...]string{"float", "bf16", "f16"}[t] }

// String is the type's name in run files and messages.
func (t Type) String() string { return [...]string{"float32", "bfloat16", "float16"}[t] }

// ParseType is the type of that name, as String gives it.
func ParseType(name string) (Type, error) {
	for t := Float32; t <= Float16; t++ {
		if t.String() == name {
			return t, nil
		}
	}
	return 0, fmt.Errorf("a number of type %q", name)
}
