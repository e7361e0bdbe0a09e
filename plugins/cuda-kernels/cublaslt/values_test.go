package cublaslt

import (
	"encoding/binary"
	"math"
)

// decode is the first element of data.
func decode(t Type, data []byte) float64 {
	switch t {
	case BFloat16:
		return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(data)) << 16))
	case Float16:
		return half(binary.LittleEndian.Uint16(data))
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(data)))
}

func decodeAll(t Type, data []byte) []float64 {
	out := make([]float64, len(data)/t.Bytes())
	for i := range out {
		out[i] = decode(t, data[i*t.Bytes():])
	}
	return out
}

// encode rounds to the nearest value of the type, ties to even; values are finite and
// not so small that Float16 has them with fewer bits.
func encode(t Type, data []byte, value float64) {
	switch t {
	case BFloat16:
		bits := math.Float32bits(float32(value))
		binary.LittleEndian.PutUint16(data, uint16((bits+0x7fff+bits>>16&1)>>16))
	case Float16:
		bits := math.Float32bits(float32(value))
		sign := uint16(bits >> 16 & 0x8000)
		bits = bits&0x7fffffff + 0xfff + bits>>13&1
		if bits < 113<<23 { // below the smallest normal number
			binary.LittleEndian.PutUint16(data, sign)
			return
		}
		binary.LittleEndian.PutUint16(data, sign|uint16(bits>>13-112<<10))
	default:
		binary.LittleEndian.PutUint32(data, math.Float32bits(float32(value)))
	}
}

func half(bits uint16) float64 {
	sign := 1.0
	if bits&0x8000 != 0 {
		sign = -1
	}
	exponent, fraction := int(bits>>10&31), float64(bits&0x3ff)
	if exponent == 0 {
		return sign * math.Ldexp(fraction, -24)
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// epsilon is the largest relative error of rounding to the type.
func epsilon(t Type) float64 {
	switch t {
	case BFloat16:
		return 1.0 / 256
	case Float16:
		return 1.0 / 2048
	}
	return 1.0 / (1 << 24)
}
