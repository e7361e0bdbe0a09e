package device

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/honeml/hone/plugins/cuda-kernels/cubin"
)

// A Pointer is an address in the GPU's memory; 0 is none.
type Pointer uint64

// Offset is the address bytes further on.
func (p Pointer) Offset(bytes int64) Pointer { return p + Pointer(bytes) }

// Alignment is where buffers that lie one behind the other begin, in bytes.
const Alignment = 256

// Align rounds bytes up to where the next buffer may begin.
func Align(bytes int64) int64 { return (bytes + Alignment - 1) / Alignment * Alignment }

// pack writes arguments where the kernel reads them. An argument is a Pointer, an
// int32, uint32, int64, uint64 or float32, and as long as the kernel's parameter.
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
		default:
			return nil, fmt.Errorf("argument %d is a %T", i, arg)
		}
		if size := len(buffer) - before; size != p.Size {
			return nil, fmt.Errorf("argument %d, a %T, has %d bytes; it takes %d", i, arg, size, p.Size)
		}
	}
	return buffer, nil
}
