// Package halffloat converts between float32 and the two 16-bit formats that
// weights and activations are kept in: IEEE 754 half precision (float16: 5 bits
// of exponent, 10 of fraction) and bfloat16 (the upper half of a float32).
//
// Widening is exact. Narrowing rounds to the nearest value and ties to even;
// what lies beyond the largest finite value becomes an infinity, and a NaN stays
// a NaN, made quiet, with its sign and the upper bits of its payload.
//
// The single conversions come first; the slice conversions below them are what
// to use on more than a few values. Those named Decode and Encode take the 16-bit
// side as little-endian bytes at any alignment, as weight files hold it; those
// named Widen and Narrow take it as []uint16 in the machine's own order.
//
// DecodeFloat32 and EncodeFloat32 complete the set, for callers that choose by type.
//
// It is not for arithmetic on 16-bit values.
package halffloat

import "math"

// FromFloat16 is the value of the half-precision number with the bits h.
func FromFloat16(h uint16) float32 { return math.Float32frombits(wideFloat16(h)) }

// ToFloat16 is the bits of the half-precision number nearest to f.
func ToFloat16(f float32) uint16 { return narrowFloat16(math.Float32bits(f)) }

// FromBFloat16 is the value of the bfloat16 number with the bits b.
func FromBFloat16(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// ToBFloat16 is the bits of the bfloat16 number nearest to f.
func ToBFloat16(f float32) uint16 { return narrowBFloat16(math.Float32bits(f)) }

// wideFloat16 gives the bits of the float32 that equals the half h.
//
// Shifted into place, the half's exponent reads 112 too low for a float32's bias.
// Multiplying by 2^112 mends that, and for a subnormal half normalises too: it is
// exact. Infinities and NaN come out at 2^16 and above, where the exponent is
// set by hand, so that a payload is kept as it is.
func wideFloat16(h uint16) uint32 {
	const twoTo112 = 0x1p112
	sign := uint32(h&0x8000) << 16
	wide := math.Float32bits(math.Float32frombits(uint32(h&0x7fff)<<13) * twoTo112)
	if h&0x7c00 == 0x7c00 {
		wide |= 0x7f800000
	}
	return sign | wide
}

// Bits of the float32 at the ends of what narrows to a normal half.
const (
	leastNormalFloat16 = 0x38800000 // 2^-14
	overflowFloat16    = 0x477ff000 // 65520, halfway between the largest half and 2^16
)

// narrowFloat16 gives the bits of the half nearest to the float32 with the bits b.
func narrowFloat16(b uint32) uint16 {
	const infinity = 0x7f800000
	sign := uint16(b>>16) & 0x8000
	b &= 0x7fffffff
	switch {
	case b > infinity:
		return sign | 0x7e00 | uint16(b>>13)&0x3ff
	case b >= overflowFloat16:
		return sign | 0x7c00
	case b < leastNormalFloat16:
		// Beside 0.5 a float32's last place is 2^-24, as a subnormal half's is:
		// the sum is rounded where the half must be, ties to even.
		sum := math.Float32frombits(b) + 0.5
		return sign | uint16(math.Float32bits(sum)-math.Float32bits(0.5))
	default:
		return sign | roundFloat16(b)
	}
}

// roundFloat16 is narrowFloat16 for the bits of a positive float32 that narrows
// to a normal half: it moves the exponent from one bias to the other, and a half
// of the last place, less the tie to even, rounds.
func roundFloat16(b uint32) uint16 {
	return uint16((b + 0xfff + b>>13&1 - 112<<23) >> 13)
}

// narrowBFloat16 gives the bits of the bfloat16 nearest to the float32 with the
// bits b.
func narrowBFloat16(b uint32) uint16 {
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
