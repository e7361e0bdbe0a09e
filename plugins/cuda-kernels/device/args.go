package device

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/honeml/hone/plugins/cuda-kernels/cubin"
	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
)

// A Pointer is an address in the GPU's memory; 0 is none.
type Pointer uint64

// Offset is the address bytes further on.
func (p Pointer) Offset(bytes int64) Pointer { return p + Pointer(bytes) }

// Alignment is where buffers that lie one behind the other begin, in bytes.
const Alignment = 256

// Align rounds bytes up to where the next buffer may begin.
func Align(bytes int64) int64 { return (bytes + Alignment - 1) / Alignment * Alignment }

// A TensorMap is what a kernel copies tiles by (hopper.cuh). Its parameter is const
// __grid_constant__ TensorMap.
type TensorMap = cuda.TensorMap

// pack writes arguments where the kernel reads them. An argument is a Pointer, an
// int32, uint32, int64, uint64, float32 or TensorMap, or several int32 or TensorMap, which
// a struct of the kernel's holds, and as long as the kernel's parameter.
func pack(buffer []byte, parameters []cubin.Parameter, args []any) ([]byte, error) {
	if len(args) != len(parameters) {
		return nil, fmt.Errorf("%d arguments, it takes %d", len(args), len(parameters))
	}
	buffer = buffer[:0]
	for i, arg := range args {
		p := parameters[i]
		for len(buffer) < p.Offset {
			buffer = append(buffer, 0)
		}
		before := len(buffer)
		switch a := arg.(type) {
		case Pointer:
			buffer = binary.LittleEndian.AppendUint64(buffer, uint64(a))
		case uint64:
			buffer = binary.LittleEndian.AppendUint64(buffer, a)
		case int64:
			buffer = binary.LittleEndian.AppendUint64(buffer, uint64(a))
		case int32:
			buffer = binary.LittleEndian.AppendUint32(buffer, uint32(a))
		case uint32:
			buffer = binary.LittleEndian.AppendUint32(buffer, a)
		case float32:
			buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(a))
		case []int32:
			for _, v := range a {
				buffer = binary.LittleEndian.AppendUint32(buffer, uint32(v))
			}
		case TensorMap:
			buffer = append(buffer, a[:]...)
		case []TensorMap:
			for i := range a {
				buffer = append(buffer, a[i][:]...)
			}
		default:
			return nil, fmt.Errorf("argument %d is a %T", i, arg)
		}
		if size := len(buffer) - before; size != p.Size {
			return nil, fmt.Errorf("argument %d, a %T, has %d bytes; it takes %d", i, arg, size, p.Size)
		}
	}
	return buffer, nil
}

// mapped reports whether TensorMaps are among the parameters: they are then given to
// the driver one by one, as it sees to a map's alignment only so.
func mapped(parameters []cubin.Parameter) bool {
	return slices.ContainsFunc(parameters, func(p cubin.Parameter) bool { return p.Size > 0 && p.Size%len(TensorMap{}) == 0 })
}

// split is where each parameter lies in what pack wrote.
func split(each [][]byte, buffer []byte, parameters []cubin.Parameter) [][]byte {
	each = each[:0]
	for _, p := range parameters {
		each = append(each, buffer[p.Offset:][:p.Size])
	}
	return each
}
