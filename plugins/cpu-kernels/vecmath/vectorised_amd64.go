package vecmath

import "github.com/honeml/hone/plugins/cpu-kernels/isa"

// vectorised is the assembly for a level, nil where there is none. AVX-512 would not
// make functions faster that wait for memory as these do.
func vectorised(level isa.Level) *implementation {
	if level < isa.AVX2 {
		return nil
	}
	return &implementation{
		exp: one(expAVX2), expm1: one(expm1AVX2), log: one(logAVX2), log1p: one(log1pAVX2),
		tanh: one(tanhAVX2), sigmoid: one(sigmoidAVX2), softplus: one(softplusAVX2), erf: one(erfAVX2),
		sqrt: one(sqrtAVX2), floor: one(floorAVX2), neg: one(negAVX2),

		add: two(addAVX2), sub: two(subAVX2), mul: two(mulAVX2), div: two(divAVX2), min: two(minAVX2), max: two(maxAVX2),
		less: two(lessAVX2), lessEqual: two(lessEqualAVX2), greater: two(greaterAVX2),
		greaterEqual: two(greaterEqualAVX2), equal: two(equalAVX2), notEqual: two(notEqualAVX2),
		addProduct: two(addProductAVX2),
		where: func(dst, c, a, b []float32) {
			if len(c) > 0 {
				whereAVX2(&dst[0], &c[0], &a[0], &b[0], len(c))
			}
		},
		scale: withFactor(scaleAVX2), addScaled: withFactor(addScaledAVX2),

		expSum: func(dst, x []float32, shift float32) float32 {
			if len(x) == 0 {
				return 0
			}
			return expSumAVX2(&dst[0], &x[0], len(x), shift)
		},
		sum: func(x []float32) float32 {
			if len(x) == 0 {
				return 0
			}
			return sumAVX2(&x[0], len(x))
		},
		dot: func(a, b []float32) float32 {
			if len(a) == 0 {
				return 0
			}
			return dotAVX2(&a[0], &b[0], len(a))
		},
		largest: func(x []float32) float32 {
			if len(x) == 0 {
				return largest(nil)
			}
			return largestAVX2(&x[0], len(x))
		},
	}
}

func one(f func(dst, x *float32, n int)) func(dst, x []float32) {
	return func(dst, x []float32) {
		if len(x) > 0 {
			f(&dst[0], &x[0], len(x))
		}
	}
}

func two(f func(dst, a, b *float32, n int)) func(dst, a, b []float32) {
	return func(dst, a, b []float32) {
		if len(a) > 0 {
			f(&dst[0], &a[0], &b[0], len(a))
		}
	}
}

func withFactor(f func(dst, x *float32, n int, factor float32)) func(dst, x []float32, factor float32) {
	return func(dst, x []float32, factor float32) {
		if len(x) > 0 {
			f(&dst[0], &x[0], len(x), factor)
		}
	}
}
