package vecmath

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/honeml/hone/plugins/cpu-kernels/internal/guard"
)

// lengths take the loops through no, one and several whole vectors, and every rest.
var lengths = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 71, 100, 1000}

var (
	nan      = float32(math.NaN())
	infinity = float32(math.Inf(1))
)

// values are random numbers with special ones among them.
func values(t testing.TB, r *rand.Rand, n int) []float32 {
	special := []float32{0, float32(math.Copysign(0, -1)), 1, nan, infinity, -infinity}
	x := guard.Float32s(t, n)
	for i := range x {
		x[i] = float32(r.IntN(9)-4) / 2 // often equal to another
		if r.IntN(4) == 0 {
			x[i] = special[r.IntN(len(special))]
		}
	}
	return x
}

func same(a, b float32) bool { return a == b || a != a && b != b }

func truth(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

func TestOperationsOfTwo(t *testing.T) {
	tests := []struct {
		name  string
		f     func(i *implementation) func(dst, a, b []float32)
		exact func(a, b float32) float32
	}{
		{"add", func(i *implementation) func(dst, a, b []float32) { return i.add }, func(a, b float32) float32 { return a + b }},
		{"sub", func(i *implementation) func(dst, a, b []float32) { return i.sub }, func(a, b float32) float32 { return a - b }},
		{"mul", func(i *implementation) func(dst, a, b []float32) { return i.mul }, func(a, b float32) float32 { return a * b }},
		{"div", func(i *implementation) func(dst, a, b []float32) { return i.div }, func(a, b float32) float32 { return a / b }},
		{"min", func(i *implementation) func(dst, a, b []float32) { return i.min }, func(a, b float32) float32 {
			if a < b {
				return a
			}
			return b
		}},
		{"max", func(i *implementation) func(dst, a, b []float32) { return i.max }, func(a, b float32) float32 {
			if a > b {
				return a
			}
			return b
		}},
		{"less", func(i *implementation) func(dst, a, b []float32) { return i.less }, func(a, b float32) float32 { return truth(a < b) }},
		{"lessEqual", func(i *implementation) func(dst, a, b []float32) { return i.lessEqual }, func(a, b float32) float32 { return truth(a <= b) }},
		{"greater", func(i *implementation) func(dst, a, b []float32) { return i.greater }, func(a, b float32) float32 { return truth(a > b) }},
		{"greaterEqual", func(i *implementation) func(dst, a, b []float32) { return i.greaterEqual }, func(a, b float32) float32 { return truth(a >= b) }},
		{"equal", func(i *implementation) func(dst, a, b []float32) { return i.equal }, func(a, b float32) float32 { return truth(a == b) }},
		{"notEqual", func(i *implementation) func(dst, a, b []float32) { return i.notEqual }, func(a, b float32) float32 { return truth(a != b) }},
	}
	implementations(t, func(t *testing.T, i *implementation) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				for _, n := range lengths {
					a, b, dst := values(t, r, n), values(t, r, n), guard.Float32s(t, n)
					test.f(i)(dst, a, b)
					for k := range dst {
						if want := test.exact(a[k], b[k]); !same(dst[k], want) || want == 0 && math.Signbit(float64(want)) != math.Signbit(float64(dst[k])) {
							t.Fatalf("element %d of %d: of %v and %v got %v, want %v", k, n, a[k], b[k], dst[k], want)
						}
					}
				}
			})
		}
	})
}

func TestWhere(t *testing.T) {
	implementations(t, func(t *testing.T, i *implementation) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, n := range lengths {
			c, a, b, dst := values(t, r, n), values(t, r, n), values(t, r, n), guard.Float32s(t, n)
			i.where(dst, c, a, b)
			for k := range dst {
				want := b[k]
				if c[k] != 0 {
					want = a[k]
				}
				if !same(dst[k], want) {
					t.Fatalf("element %d of %d: where %v, %v, %v is %v", k, n, c[k], a[k], b[k], dst[k])
				}
			}
		}
	})
}

// small are random numbers between -1 and 1.
func small(t testing.TB, r *rand.Rand, n int) []float32 {
	x := guard.Float32s(t, n)
	for i := range x {
		x[i] = 2*r.Float32() - 1
	}
	return x
}

func TestScaledAndAdded(t *testing.T) {
	near := func(got, want float64) bool { return math.Abs(got-want) <= 2e-7 }
	implementations(t, func(t *testing.T, i *implementation) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, n := range lengths {
			x, y := small(t, r, n), small(t, r, n)
			scaled, plus, product := guard.Float32s(t, n), small(t, r, n), small(t, r, n)
			before := append(append([]float32{}, plus...), product...)
			i.scale(scaled, x, 0.7)
			i.addScaled(plus, x, -0.3)
			i.addProduct(product, x, y)
			for k := range n {
				a, b := float64(x[k]), float64(y[k])
				if !near(float64(scaled[k]), float64(float32(0.7))*a) {
					t.Errorf("scale, element %d of %d: %v of %v", k, n, scaled[k], x[k])
				}
				if !near(float64(plus[k]), float64(before[k])-float64(float32(0.3))*a) {
					t.Errorf("addScaled, element %d of %d: %v", k, n, plus[k])
				}
				if !near(float64(product[k]), float64(before[n+k])+a*b) {
					t.Errorf("addProduct, element %d of %d: %v", k, n, product[k])
				}
			}
		}
	})
}

func TestReductions(t *testing.T) {
	implementations(t, func(t *testing.T, i *implementation) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, n := range lengths {
			x, y := small(t, r, n), small(t, r, n)
			sum, dot, exps, greatest := 0.0, 0.0, 0.0, math.Inf(-1)
			for k, v := range x {
				sum += float64(v)
				dot += float64(v) * float64(y[k])
				exps += math.Exp(float64(v - 0.25))
				greatest = max(greatest, float64(v))
			}
			tolerance := 2e-7 * (1 + math.Sqrt(float64(n)))
			if got := float64(i.sum(x)); math.Abs(got-sum) > tolerance {
				t.Errorf("the sum of %d is %v, want %v", n, got, sum)
			}
			if got := float64(i.dot(x, y)); math.Abs(got-dot) > tolerance {
				t.Errorf("the dot product of %d is %v, want %v", n, got, dot)
			}
			if got := float64(i.largest(x)); got != greatest {
				t.Errorf("the largest of %d is %v, want %v", n, got, greatest)
			}
			dst := guard.Float32s(t, n)
			if got := float64(i.expSum(dst, x, 0.25)); math.Abs(got-exps) > 2e-7*(1+exps) {
				t.Errorf("the sum of %d exponentials is %v, want %v", n, got, exps)
			}
			for k, v := range dst {
				if want := math.Exp(float64(x[k] - 0.25)); math.Abs(float64(v)-want) > 2e-7*want {
					t.Errorf("exponential %d of %d is %v, want %v", k, n, v, want)
				}
			}
		}
	})
}

func TestLargestOfSpecialNumbers(t *testing.T) {
	implementations(t, func(t *testing.T, i *implementation) {
		for _, n := range lengths {
			for at := range min(n, 70) {
				x := guard.Float32s(t, n)
				for k := range x {
					x[k] = -infinity
				}
				x[at] = nan
				if got := i.largest(x); got != -infinity {
					t.Fatalf("NaN as element %d of %d: the largest is %v", at, n, got)
				}
				x[at] = -5
				if got := i.largest(x); got != -5 {
					t.Fatalf("-5 as element %d of %d: the largest is %v", at, n, got)
				}
			}
		}
	})
}

// TestElementsDoNotDependOnTheirPlace: whether in a whole vector or in the rest, an
// element has the same bits.
func TestElementsDoNotDependOnTheirPlace(t *testing.T) {
	implementations(t, func(t *testing.T, i *implementation) {
		r := rand.New(rand.NewPCG(9, 9))
		x := guard.Float32s(t, 97)
		for k := range x {
			x[k] = float32(r.NormFloat64() * 8)
		}
		for _, f := range accurate {
			whole := make([]float32, len(x))
			f.f(i)(whole, x)
			for from := range 20 {
				for _, n := range lengths {
					if from+n > len(x) {
						continue
					}
					part := guard.Float32s(t, n)
					f.f(i)(part, x[from:from+n])
					for k, v := range part {
						if math.Float32bits(v) != math.Float32bits(whole[from+k]) && v == v {
							t.Fatalf("%s of %v is %v at %d of %d, and %v elsewhere", f.name, x[from+k], v, k, n, whole[from+k])
						}
					}
				}
			}
		}
	})
}

func TestInPlace(t *testing.T) {
	x, y := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, make([]float32, 10)
	Exp(y, x)
	Exp(x, x)
	for k := range x {
		if x[k] != y[k] {
			t.Errorf("element %d: %v in place, %v elsewhere", k, x[k], y[k])
		}
	}
}

func TestShortSlicesPanic(t *testing.T) {
	long, short := make([]float32, 9), make([]float32, 8)[:8:8]
	tests := map[string]func(){
		"the result":          func() { Exp(short, long) },
		"the second argument": func() { Add(long, long, short) },
		"a third":             func() { Where(long, long, long, short) },
		"of a reduction":      func() { Dot(long, short) },
		"to be added to":      func() { AddScaled(short, long, 1) },
		"of exponentials":     func() { ExpSum(short, long, 0) },
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
			}()
			f()
		})
	}
}
