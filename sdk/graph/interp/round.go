package interp

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

// round rounds the elements of a value, or of its gradient, in place.
func (r *Run) round(v graph.ValueID, x []float64) []float64 {
	f := r.o.Round
	if f == nil || r.g.Values[v].Type == graph.Index {
		return x
	}
	if r.g.Values[v].Type == graph.Float32 {
		f = Float32
	}
	for i := range x {
		x[i] = f(x[i])
	}
	return x
}

// Float32 is the nearest float32, ties to even.
func Float32(x float64) float64 { return float64(float32(x)) }

// BFloat16 is the nearest bfloat16, ties to even: 8 bits of precision and
// float32's exponents.
func BFloat16(x float64) float64 { return nearest(x, 8, -126, 127) }

// Float16 is the nearest IEEE 754 binary16, ties to even: 11 bits of precision,
// normal from 2⁻¹⁴ and infinite from 65520.
func Float16(x float64) float64 { return nearest(x, 11, -14, 15) }

// nearest rounds x to a number of that many significant bits, the leading one
// included, with exponents from least to most; below are subnormal numbers.
func nearest(x float64, bits, least, most int) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	_, exponent := math.Frexp(x) // |x| in [2^(exponent−1), 2^exponent)
	step := math.Ldexp(1, max(exponent-1, least)-(bits-1))
	y := math.RoundToEven(x/step) * step
	if math.Abs(y) >= math.Ldexp(1, most+1) {
		return math.Copysign(math.Inf(1), x)
	}
	return math.Copysign(y, x)
}
