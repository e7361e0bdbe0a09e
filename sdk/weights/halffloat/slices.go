package halffloat

import (
	"encoding/binary"
	"math"
	"sync"
	"unsafe"
)

// DecodeFloat16 converts the first len(dst) halves of src, 2*len(dst) bytes. It
// panics where src is shorter.
func DecodeFloat16(dst []float32, src []byte) {
	src = src[:len(src):len(src)][:2*len(dst)]
	table := float16Values()
	whole := len(dst) &^ 3
	for i := 0; i < whole; i += 4 {
		four, d := binary.LittleEndian.Uint64(src[2*i:]), dst[i:i+4:i+4]
		d[0] = table[uint16(four)]
		d[1] = table[uint16(four>>16)]
		d[2] = table[uint16(four>>32)]
		d[3] = table[uint16(four>>48)]
	}
	for i := whole; i < len(dst); i++ {
		dst[i] = FromFloat16(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// float16Values gives the value of every half. A look-up takes a third of the
// time of the arithmetic: the table fits the second-level cache, and the few
// thousand halves that a weight tensor holds mostly the first.
var float16Values = sync.OnceValue(func() *[1 << 16]float32 {
	var values [1 << 16]float32
	for h := range values {
		values[h] = FromFloat16(uint16(h))
	}
	return &values
})

// DecodeBFloat16 converts the first len(dst) bfloat16 numbers of src,
// 2*len(dst) bytes. It panics where src is shorter.
func DecodeBFloat16(dst []float32, src []byte) {
	src = src[:len(src):len(src)][:2*len(dst)]
	whole := len(dst) &^ 7
	for i := 0; i < whole; i += 8 {
		s, d := src[2*i:2*i+16:2*i+16], dst[i:i+8:i+8]
		low, high := binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:])
		d[0] = math.Float32frombits(uint32(low) << 16)
		d[1] = math.Float32frombits(uint32(low) & 0xffff0000)
		d[2] = math.Float32frombits(uint32(low>>32) << 16)
		d[3] = math.Float32frombits(uint32(low>>32) & 0xffff0000)
		d[4] = math.Float32frombits(uint32(high) << 16)
		d[5] = math.Float32frombits(uint32(high) & 0xffff0000)
		d[6] = math.Float32frombits(uint32(high>>32) << 16)
		d[7] = math.Float32frombits(uint32(high>>32) & 0xffff0000)
	}
	for i := whole; i < len(dst); i++ {
		dst[i] = FromBFloat16(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// EncodeFloat16 writes src as halves into the first 2*len(src) bytes of dst. It
// panics where dst is shorter.
func EncodeFloat16(dst []byte, src []float32) {
	dst = dst[:len(dst):len(dst)][:2*len(src)]
	for i, f := range src {
		b := math.Float32bits(f)
		h := uint16(b>>16) & 0x8000
		if a := b & 0x7fffffff; a-leastNormalFloat16 < overflowFloat16-leastNormalFloat16 {
			h |= roundFloat16(a)
		} else {
			h = narrowFloat16(b)
		}
		binary.LittleEndian.PutUint16(dst[2*i:], h)
	}
}

// EncodeBFloat16 writes src as bfloat16 numbers into the first 2*len(src) bytes
// of dst. It panics where dst is shorter.
func EncodeBFloat16(dst []byte, src []float32) {
	dst = dst[:len(dst):len(dst)][:2*len(src)]
	whole := len(src) &^ 3
	for i := 0; i < whole; i += 4 {
		s := src[i : i+4 : i+4]
		binary.LittleEndian.PutUint64(dst[2*i:], uint64(ToBFloat16(s[0]))|
			uint64(ToBFloat16(s[1]))<<16|uint64(ToBFloat16(s[2]))<<32|uint64(ToBFloat16(s[3]))<<48)
	}
	for i := whole; i < len(src); i++ {
		binary.LittleEndian.PutUint16(dst[2*i:], ToBFloat16(src[i]))
	}
}

// DecodeFloat32 reads the first len(dst) float32 of src, 4*len(dst) bytes: no
// conversion, but the bytes may stand at any address, and the machine's order
// need not be the file's. It panics where src is shorter.
func DecodeFloat32(dst []float32, src []byte) {
	src = src[:len(src):len(src)][:4*len(dst)]
	if littleEndian {
		copy(asBytes(dst), src)
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

// EncodeFloat32 writes src into the first 4*len(src) bytes of dst. It panics
// where dst is shorter.
func EncodeFloat32(dst []byte, src []float32) {
	dst = dst[:len(dst):len(dst)][:4*len(src)]
	if littleEndian {
		copy(dst, asBytes(src))
		return
	}
	for i, f := range src {
		binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(f))
	}
}

// WidenFloat16 converts the first len(dst) halves of src. It panics where src is
// shorter.
func WidenFloat16(dst []float32, src []uint16) {
	src = src[:len(src):len(src)][:len(dst)]
	if littleEndian {
		DecodeFloat16(dst, asBytes(src))
		return
	}
	for i, h := range src {
		dst[i] = FromFloat16(h)
	}
}

// WidenBFloat16 converts the first len(dst) bfloat16 numbers of src. It panics
// where src is shorter.
func WidenBFloat16(dst []float32, src []uint16) {
	src = src[:len(src):len(src)][:len(dst)]
	if littleEndian {
		DecodeBFloat16(dst, asBytes(src))
		return
	}
	for i, b := range src {
		dst[i] = FromBFloat16(b)
	}
}

// NarrowFloat16 writes src as halves into the first len(src) elements of dst. It
// panics where dst is shorter.
func NarrowFloat16(dst []uint16, src []float32) {
	dst = dst[:len(dst):len(dst)][:len(src)]
	if littleEndian {
		EncodeFloat16(asBytes(dst), src)
		return
	}
	for i, f := range src {
		dst[i] = ToFloat16(f)
	}
}

// NarrowBFloat16 writes src as bfloat16 numbers into the first len(src) elements
// of dst. It panics where dst is shorter.
func NarrowBFloat16(dst []uint16, src []float32) {
	dst = dst[:len(dst):len(dst)][:len(src)]
	if littleEndian {
		EncodeBFloat16(asBytes(dst), src)
		return
	}
	for i, f := range src {
		dst[i] = ToBFloat16(f)
	}
}

// littleEndian tells whether numbers in memory stand as files hold them.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// asBytes is the memory of s.
func asBytes[T uint16 | float32](s []T) []byte {
	var element T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), int(unsafe.Sizeof(element))*len(s))
}
