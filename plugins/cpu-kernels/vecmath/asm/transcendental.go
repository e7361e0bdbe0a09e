//go:build ignore

package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// log(2) as the float32 nearest to it and the rest.
var (
	ln2High = float64(float32(math.Ln2))
	ln2Low  = math.Ln2 - ln2High
	// ln2Short has so few bits that a product with an exponent is exact, and ln2Rest
	// is what it lacks.
	ln2Short = 0.693359375
	ln2Rest  = math.Ln2 - ln2Short
)

// reduced is x as n·log(2) + r, |r| ≤ log(2)/2: n as integers, r as floats.
func reduced(x VecVirtual) (n, r VecVirtual) {
	turns := YMM()
	VROUNDPS(U8(0), times(x, float(math.Log2E)), turns)
	n = unary(VCVTPS2DQ, turns)
	r = minusTimes(x, turns, float(ln2High))
	r = minusTimes(r, turns, float(ln2Low))
	return n, r
}

// twoTo is 2ⁿ for integers -126 ≤ n ≤ 127.
func twoTo(n VecVirtual) VecVirtual {
	return binaryImm(VPSLLD, 23, binary(VPADDD, bits(127), n))
}

func binaryImm(f func(...Op), i uint64, x VecVirtual) VecVirtual {
	y := YMM()
	f(Imm(i), x, y)
	return y
}

// exp is eˣ: infinity from where it exceeds float32, rounded to subnormal numbers and
// zero at the other end. 2ⁿ is multiplied in two halves, each of which is normal.
func exp(x VecVirtual) VecVirtual {
	n, r := reduced(atLeast(atMost(x, 89), -104))
	tail := timesPlus(polynomial(r, expTail), times(r, r), r)
	half := binaryImm(VPSRAD, 1, n)
	y := times(plus(tail, float(1)), twoTo(half))
	return times(y, twoTo(binary(VPSUBD, half, n)))
}

// expm1 is eˣ − 1 = 2·(2ⁿ⁻¹·(eʳ − 1) + (2ⁿ⁻¹ − ½)): half of it, so that 2ⁿ⁻¹ is finite
// for all n.
func expm1(x VecVirtual) VecVirtual {
	n, r := reduced(atLeast(atMost(x, 89), -20))
	tail := timesPlus(polynomial(r, expm1Tail), times(r, r), r)
	scale := twoTo(binary(VPSUBD, bits(1), n))
	y := timesPlus(tail, scale, minus(scale, float(0.5)))
	return plus(y, y)
}

// logPlus is log(u) + c for normal u > 0 and small c: with u = 2ᵉ·(1 + f) and
// 1/√2 ≤ 1 + f < √2, e·log(2) + f − f²/2 + f³·logTail(f). shift, if not nil, is added
// to e.
func logPlus(u, c, shift VecVirtual) VecVirtual {
	least := math.Float32bits(math.Sqrt2 / 2)
	offset := binary(VPSUBD, bits(least), u)
	exponent := binaryImm(VPSRAD, 23, offset)
	mantissa := binary(VPSUBD, binaryImm(VPSLLD, 23, exponent), u)
	e := unary(VCVTDQ2PS, exponent)
	if shift != nil {
		e = plus(e, shift)
	}
	f := minus(mantissa, float(1))
	square := times(f, f)
	small := times(e, float(ln2Rest))
	if c != nil {
		small = plus(small, c)
	}
	small = timesPlus(times(polynomial(f, logTail), f), square, small)
	small = minusTimes(small, square, loaded(float(0.5)))
	return timesPlus(e, float(ln2Short), plus(f, small))
}

// undefined completes a logarithm y of u: where u is 0, below 0, infinite or NaN.
func undefined(y, u VecVirtual) VecVirtual {
	y = choose(compare(notLess, u, float(math.Inf(1))), u, y)
	y = choose(compare(equal, u, zero()), loaded(float(math.Inf(-1))), y)
	return choose(compare(lessThan, u, zero()), loaded(bits(0x7fc00000)), y)
}

// logarithm is log(x). Subnormal numbers are made normal by 2²³ first.
func logarithm(x VecVirtual) VecVirtual {
	tiny := compare(lessThan, x, float(0x1p-126))
	u := choose(tiny, times(x, float(0x1p23)), x)
	return undefined(logPlus(u, nil, binary(VANDPS, float(-23), tiny)), x)
}

// log1p is log(1 + x): with u = 1 + x rounded, log(u) + (x − (u − 1))/u.
func log1p(x VecVirtual) VecVirtual {
	u := plus(x, float(1))
	return undefined(logPlus(u, over(minus(x, minus(u, float(1))), u), nil), u)
}

// tanh is (e²ˣ − 1)/(e²ˣ + 1), for |x|.
func tanh(x VecVirtual) VecVirtual {
	a := atMost(absolute(x), 10)
	t := expm1(plus(a, a))
	return withSign(over(t, plus(t, float(2))), x)
}

// sigmoid is 1/(1 + e⁻ˣ), or eˣ/(1 + eˣ) below 0.
func sigmoid(x VecVirtual) VecVirtual {
	e := exp(binary(VORPS, bits(signBit), x)) // of −|x|
	one := loaded(float(1))
	return over(choose(x, e, one), plus(e, one))
}

// softplus is log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|).
func softplus(x VecVirtual) VecVirtual {
	e := exp(binary(VORPS, bits(signBit), x))
	u := plus(e, float(1))
	l := logPlus(u, over(minus(e, minus(u, float(1))), u), nil)
	return plus(l, atLeast(x, 0))
}

// erf is x + x·erfNear(x²) near 0, and 1 − exp(−erfFar(|x|)) with the sign of x
// further off.
func erf(x VecVirtual) VecVirtual {
	a := atMost(absolute(x), 3.95)
	near := timesPlus(polynomial(times(a, a), erfNear), a, a)
	e := exp(binary(VXORPS, bits(signBit), polynomial(a, erfFar)))
	far := binary(VSUBPS, e, loaded(float(1)))
	return withSign(choose(compare(lessThan, a, float(0.921875)), near, far), x)
}
