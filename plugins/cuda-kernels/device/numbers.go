package device

import (
	"encoding/binary"
	"math"

	"github.com/honeml/hone/sdk/weights/halffloat"
)

// Encode rounds numbers to a type and writes them into dst as the GPU holds them.
func (t Type) Encode(dst []byte, numbers []float32) {
	if t == Float32 {
		halffloat.EncodeFloat32(dst, numbers)
		return
	}
	words := make([]uint16, len(numbers))
	if t == BFloat16 {
		halffloat.NarrowBFloat16(words, numbers)
	} else {
		halffloat.NarrowFloat16(words, numbers)
	}
	for i, w := range words {
		binary.LittleEndian.PutUint16(dst[2*i:], w)
	}
}

// Decode is the numbers of a type that data holds, widened.
func (t Type) Decode(data []byte) []float32 {
	numbers := make([]float32, int64(len(data))/t.Size())
	if t == Float32 {
		for i := range numbers {
			numbers[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		return numbers
	}
	words := make([]uint16, len(numbers))
	for i := range words {
		words[i] = binary.LittleEndian.Uint16(data[2*i:])
	}
	if t == BFloat16 {
		halffloat.WidenBFloat16(numbers, words)
	} else {
		halffloat.WidenFloat16(numbers, words)
	}
	return numbers
}
