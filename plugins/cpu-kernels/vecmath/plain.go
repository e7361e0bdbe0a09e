package vecmath

import "math"

// The functions in plain Go. Those that are transcendental compute in float64, so that
// their result is nearly always the float32 nearest to the exact value.

func plain() *implementation {
	return &implementation{
		exp:      exps,
		expm1:    each(func(x float32) float32 { return float32(math.Expm1(float64(x))) }),
		log:      each(func(x float32) float32 { return float32(math.Log(float64(x))) }),
		log1p:    each(func(x float32) float32 { return float32(math.Log1p(float64(x))) }),
		tanh:     each(tanh),
		sigmoid:  sigmoids,
		softplus: each(softplus),
		erf:      each(func(x float32) float32 { return float32(math.Erf(float64(x))) }),
		sqrt:     each(func(x float32) float32 { return float32(math.Sqrt(float64(x))) }),
		floor:    each(func(x float32) float32 { return float32(math.Floor(float64(x))) }),
		neg:      each(func(x float32) float32 { return -x }),

		add: add, sub: sub, mul: mul, div: div,
		min: pairs(func(a, b float32) float32 { return choose(a < b, a, b) }),
		max: pairs(func(a, b float32) float32 { return choose(a > b, a, b) }),

		less:         pairs(func(a, b float32) float32 { return choose(a < b, 1, 0) }),
		lessEqual:    pairs(func(a, b float32) float32 { return choose(a <= b, 1, 0) }),
		greater:      pairs(func(a, b float32) float32 { return choose(a > b, 1, 0) }),
		greaterEqual: pairs(func(a, b float32) float32 { return choose(a >= b, 1, 0) }),
		equal:        pairs(func(a, b float32) float32 { return choose(a == b, 1, 0) }),
		notEqual:     pairs(func(a, b float32) float32 { return choose(a != b, 1, 0) }),

		addProduct: addProduct, where: where, scale: scale, addScaled: addScaled,
		expSum: expSum, sum: sum, dot: dot, largest: largest,
	}
}

// each and pairs are for what is rare: a call for each element takes longer than its
// arithmetic.
func each(f func(float32) float32) func(dst, x []float32) {
	return func(dst, x []float32) {
		for i, v := range x {
			dst[i] = f(v)
		}
	}
}

func pairs(f func(a, b float32) float32) func(dst, a, b []float32) {
	return func(dst, a, b []float32) {
		for i, v := range a {
			dst[i] = f(v, b[i])
		}
	}
}

func choose(condition bool, a, b float32) float32 {
	if condition {
		return a
	}
	return b
}

func add(dst, a, b []float32) {
	for i, v := range a {
		dst[i] = v + b[i]
	}
}

func sub(dst, a, b []float32) {
	for i, v := range a {
		dst[i] = v - b[i]
	}
}

func mul(dst, a, b []float32) {
	for i, v := range a {
		dst[i] = v * b[i]
	}
}

func div(dst, a, b []float32) {
	for i, v := range a {
		dst[i] = v / b[i]
	}
}

func exps(dst, x []float32) {
	for i, v := range x {
		dst[i] = float32(exp(float64(v)))
	}
}

func sigmoids(dst, x []float32) {
	for i, v := range x {
		dst[i] = float32(1 / (1 + exp(-float64(v))))
	}
}

// exp is eˣ for what float32 can hold: to within 3e-10 of itself, and beyond ±104 as
// there, which rounds to infinity and zero; of NaN it is NaN, whatever n comes to.
func exp(x float64) float64 {
	if x > 104 {
		x = 104
	} else if x < -104 {
		x = -104
	}
	n := math.Floor(x*math.Log2E + 0.5)
	r := x - n*math.Ln2
	// Taylor's series: |r| ≤ log(2)/2, and r⁹/9! is below 3e-10. Even and odd powers
	// are summed side by side.
	s := r * r
	even := 1 + s*(1./2+s*(1./24+s*(1./720+s*(1./40320))))
	odd := 1 + s*(1./6+s*(1./120+s*(1./5040)))
	return (even + r*odd) * math.Float64frombits(uint64(1023+int(n))<<52)
}

// tanh is (e²ˣ − 1)/(e²ˣ + 1), and near 0, where that is a difference of nearly equal
// numbers, the beginning of its series.
func tanh(v float32) float32 {
	x := float64(v)
	if -0.02 < x && x < 0.02 {
		return float32(x - x*x*x*(1./3-x*x*(2./15)))
	}
	e := exp(2 * min(max(x, -20), 20))
	return float32((e - 1) / (e + 1))
}

// softplus is max(x, 0) + log(1 + e^−|x|).
func softplus(v float32) float32 {
	x := float64(v)
	return float32(max(x, 0) + math.Log1p(exp(-math.Abs(x))))
}

func where(dst, c, a, b []float32) {
	for i, v := range c {
		dst[i] = choose(v != 0, a[i], b[i])
	}
}

func scale(dst, x []float32, factor float32) {
	for i, v := range x {
		dst[i] = factor * v
	}
}

func addScaled(dst, x []float32, factor float32) {
	for i, v := range x {
		dst[i] += factor * v
	}
}

func addProduct(dst, a, b []float32) {
	for i, v := range a {
		dst[i] += v * b[i]
	}
}

func expSum(dst, x []float32, shift float32) float32 {
	total := 0.0
	for i, v := range x {
		y := float32(exp(float64(v - shift)))
		dst[i] = y
		total += float64(y)
	}
	return float32(total)
}

func sum(x []float32) float32 {
	// Four sums side by side: none waits for another.
	var s0, s1, s2, s3 float32
	for ; len(x) >= 4; x = x[4:] {
		s0 += x[0]
		s1 += x[1]
		s2 += x[2]
		s3 += x[3]
	}
	for _, v := range x {
		s0 += v
	}
	return (s0 + s1) + (s2 + s3)
}

func dot(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	for ; len(a) >= 4 && len(b) >= 4; a, b = a[4:], b[4:] {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func largest(x []float32) float32 {
	most := float32(math.Inf(-1))
	for _, v := range x {
		if v > most {
			most = v
		}
	}
	return most
}
