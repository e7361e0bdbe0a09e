//go:build ignore

package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Expressions over vectors. Each returns a register of its own and leaves its arguments
// as they are. Operands stand in the order of Go's assembler: the last argument of the
// mathematics comes first.

// Predicates of VCMPPS; all but notEqual are false where an argument is NaN.
const (
	equal          = 0x00
	notEqual       = 0x04
	lessThan       = 0x11
	lessOrEqual    = 0x12
	greaterOrEqual = 0x1d
	greaterThan    = 0x1e
	notLess        = 0x15 // true for NaN
)

const signBit = 0x80000000

func float(v float64) Mem { return bits(math.Float32bits(float32(v))) }

func zero() VecVirtual {
	v := YMM()
	VXORPS(v, v, v)
	return v
}

// loaded is a constant in a register.
func loaded(m Mem) VecVirtual {
	v := YMM()
	VMOVUPS(m, v)
	return v
}

func unary(f func(...Op), x Op) VecVirtual {
	y := YMM()
	f(x, y)
	return y
}

// binary is f(a, b), with b first: it may be in memory.
func binary(f func(...Op), b, a Op) VecVirtual {
	y := YMM()
	f(b, a, y)
	return y
}

func plus(a VecVirtual, b Op) VecVirtual  { return binary(VADDPS, b, a) }
func minus(a VecVirtual, b Op) VecVirtual { return binary(VSUBPS, b, a) }
func times(a VecVirtual, b Op) VecVirtual { return binary(VMULPS, b, a) }
func over(a VecVirtual, b Op) VecVirtual  { return binary(VDIVPS, b, a) }

// timesPlus is a·b + c, rounded once.
func timesPlus(a VecVirtual, b, c Op) VecVirtual {
	y := YMM()
	VMOVAPS(a, y)
	if m, ok := b.(Mem); ok {
		b = loaded(m)
	}
	VFMADD213PS(c, b, y)
	return y
}

// minusTimes is c − a·b, rounded once.
func minusTimes(c, a VecVirtual, b Op) VecVirtual {
	y := YMM()
	VMOVAPS(c, y)
	VFNMADD231PS(b, a, y)
	return y
}

// polynomial is Σ coefficients[i]·xⁱ.
func polynomial(x VecVirtual, coefficients []float64) VecVirtual {
	n := len(coefficients) - 1
	y := loaded(float(coefficients[n]))
	for i := n - 1; i >= 0; i-- {
		VFMADD213PS(float(coefficients[i]), x, y)
	}
	return y
}

// compare is all bits where the predicate holds for a and b, else none.
func compare(predicate uint64, a VecVirtual, b Op) VecVirtual {
	y := YMM()
	VCMPPS(U8(predicate), b, a, y)
	return y
}

// choose is a where the mask's upper bit is set, else b.
func choose(mask, a, b VecVirtual) VecVirtual {
	y := YMM()
	VBLENDVPS(mask, a, b, y)
	return y
}

// absolute is |x|.
func absolute(x VecVirtual) VecVirtual { return binary(VANDPS, bits(^uint32(signBit)), x) }

// withSign is y ≥ 0 with the sign of x.
func withSign(y, x VecVirtual) VecVirtual {
	return binary(VORPS, y, binary(VANDPS, bits(signBit), x))
}

// atMost is min(x, limit), and NaN where x is.
func atMost(x VecVirtual, limit float64) VecVirtual {
	return binary(VMINPS, x, loaded(float(limit)))
}

// atLeast is max(x, limit), and NaN where x is.
func atLeast(x VecVirtual, limit float64) VecVirtual {
	return binary(VMAXPS, x, loaded(float(limit)))
}

func floor(x VecVirtual) VecVirtual {
	y := YMM()
	VROUNDPS(U8(1), x, y)
	return y
}
