// Package float8 gives the values of the 8-bit floating-point formats that
// checkpoints are stored in: e4m3 and e5m2 of the OCP 8-bit specification, their
// FNUZ variants (finite values, no negative zero, a NaN where it would be; the
// exponent's bias is one greater), and e8m0, the power-of-two scale of the OCP
// microscaling specification.
//
// The scales that such checkpoints keep beside their tensors are other tensors;
// nothing here applies them.
package float8

import (
	"fmt"
	"math"

	"github.com/honeml/hone/sdk/weights/dtype"
)

// Decodes reports whether d is a format of this package.
func Decodes(d dtype.DType) bool {
	switch d {
	case dtype.F8E4M3, dtype.F8E5M2, dtype.F8E4M3FNUZ, dtype.F8E5M2FNUZ, dtype.F8E8M0:
		return true
	default:
		return false
	}
}

// Decode converts the first len(dst) numbers of src, exactly. It fails where d is
// none of the formats, and panics where src is shorter than dst.
func Decode(dst []float32, d dtype.DType, src []byte) error {
	if !Decodes(d) {
		return fmt.Errorf("%s is no 8-bit float", d)
	}
	var values [256]float32
	if len(dst) < len(values) {
		for i, b := range src[:len(dst)] {
			dst[i] = Value(d, b)
		}
		return nil
	}
	for b := range values {
		values[b] = Value(d, byte(b))
	}
	for i, b := range src[:len(dst)] {
		dst[i] = values[b]
	}
	return nil
}

// Value is the value of the bits b in format d, a NaN where d is none of the
// formats.
func Value(d dtype.DType, b byte) float32 {
	sign := float32(1)
	if b&0x80 != 0 {
		sign = -1
	}
	switch d {
	case dtype.F8E4M3:
		if b&0x7f == 0x7f {
			return nan()
		}
		return sign * magnitude(b&0x7f, 3, 7)
	case dtype.F8E5M2:
		if b&0x7c == 0x7c {
			if b&3 != 0 {
				return nan()
			}
			return sign * float32(math.Inf(1))
		}
		return sign * magnitude(b&0x7f, 2, 15)
	case dtype.F8E4M3FNUZ:
		if b == 0x80 {
			return nan()
		}
		return sign * magnitude(b&0x7f, 3, 8)
	case dtype.F8E5M2FNUZ:
		if b == 0x80 {
			return nan()
		}
		return sign * magnitude(b&0x7f, 2, 16)
	case dtype.F8E8M0:
		if b == 0xff {
			return nan()
		}
		return float32(math.Ldexp(1, int(b)-127))
	default:
		return nan()
	}
}

// magnitude is the value of exponent and fraction, of which the fraction takes
// the lower fractionBits.
func magnitude(b byte, fractionBits, bias int) float32 {
	exponent, fraction := int(b>>fractionBits), int(b)&(1<<fractionBits-1)
	if exponent == 0 {
		return float32(math.Ldexp(float64(fraction), 1-bias-fractionBits))
	}
	return float32(math.Ldexp(float64(fraction+1<<fractionBits), exponent-bias-fractionBits))
}

func nan() float32 { return float32(math.NaN()) }
