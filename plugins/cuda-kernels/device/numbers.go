package device

import "github.com/honeml/hone/sdk/weights/halffloat"

// Encode rounds numbers to a type and writes them into dst as the GPU holds them.
func (t Type) Encode(dst []byte, numbers []float32) {
	switch t {
	case Float32:
		halffloat.EncodeFloat32(dst, numbers)
	case BFloat16:
		halffloat.EncodeBFloat16(dst, numbers)
	default:
		halffloat.EncodeFloat16(dst, numbers)
	}
}

// Decode is the numbers of a type that data holds, widened.
func (t Type) Decode(data []byte) []float32 {
	numbers := make([]float32, int64(len(data))/t.Size())
	switch t {
	case Float32:
		halffloat.DecodeFloat32(numbers, data)
	case BFloat16:
		halffloat.DecodeBFloat16(numbers, data)
	default:
		halffloat.DecodeFloat16(numbers, data)
	}
	return numbers
}
