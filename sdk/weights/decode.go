package weights

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/float8"
	"github.com/honeml/hone/sdk/weights/halffloat"
	"github.com/honeml/hone/sdk/weights/quant"
)

// maxBlock is the most elements a block has, of the types that are decoded.
const maxBlock = 256

// Decodes reports whether tensors of type d can be read as float32.
func Decodes(d DType) bool {
	switch d {
	case dtype.F32, dtype.F16, dtype.BF16, dtype.F64, dtype.Bool,
		dtype.I8, dtype.I16, dtype.I32, dtype.I64, dtype.U8, dtype.U16, dtype.U32, dtype.U64:
		return true
	default:
		return float8.Decodes(d) || quant.Dequantizes(d)
	}
}

// decode converts elements of data from offset on.
func decode(dst []float32, d DType, data []byte, offset int) error {
	if d.Quantized() {
		return decodeBlocks(dst, d, data, offset)
	}
	size := d.BlockBytes()
	src := data[offset*size:][:len(dst)*size]
	switch d {
	case dtype.F32:
		halffloat.DecodeFloat32(dst, src)
	case dtype.F16:
		halffloat.DecodeFloat16(dst, src)
	case dtype.BF16:
		halffloat.DecodeBFloat16(dst, src)
	default:
		if float8.Decodes(d) {
			return float8.Decode(dst, d, src)
		}
		number := numberOf(d)
		if number == nil {
			return fmt.Errorf("converting %s to float32 is not supported", d)
		}
		for i := range dst {
			dst[i] = number(src[i*size:])
		}
	}
	return nil
}

// numberOf is the function that reads a number of type d.
func numberOf(d DType) func(b []byte) float32 {
	order := binary.LittleEndian
	switch d {
	case dtype.F64:
		return func(b []byte) float32 { return float32(math.Float64frombits(order.Uint64(b))) }
	case dtype.Bool, dtype.U8:
		return func(b []byte) float32 { return float32(b[0]) }
	case dtype.U16:
		return func(b []byte) float32 { return float32(order.Uint16(b)) }
	case dtype.U32:
		return func(b []byte) float32 { return float32(order.Uint32(b)) }
	case dtype.U64:
		return func(b []byte) float32 { return float32(order.Uint64(b)) }
	case dtype.I8:
		return func(b []byte) float32 { return float32(int8(b[0])) }
	case dtype.I16:
		return func(b []byte) float32 { return float32(int16(order.Uint16(b))) }
	case dtype.I32:
		return func(b []byte) float32 { return float32(int32(order.Uint32(b))) }
	case dtype.I64:
		return func(b []byte) float32 { return float32(int64(order.Uint64(b))) }
	default:
		return nil
	}
}

// decodeBlocks dequantises a range that need not begin or end with a block: whole
// blocks go straight to dst, those at the ends through a buffer.
func decodeBlocks(dst []float32, d DType, data []byte, offset int) error {
	size, byteLen := d.BlockSize(), d.BlockBytes()
	for len(dst) > 0 {
		block, skip := offset/size, offset%size
		n := len(dst) / size * size
		if skip != 0 || n == 0 {
			var whole [maxBlock]float32
			if err := quant.Dequantize(whole[:size], d, data[block*byteLen:]); err != nil {
				return err
			}
			n = copy(dst, whole[skip:size])
		} else if err := quant.Dequantize(dst[:n], d, data[block*byteLen:]); err != nil {
			return err
		}
		dst, offset = dst[n:], offset+n
	}
	return nil
}
