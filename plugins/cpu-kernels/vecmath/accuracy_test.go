package vecmath

import (
	"math"
	"testing"

	"github.com/honeml/hone/plugins/cpu-kernels/isa"
)

// implementations are those of this machine.
func implementations(t *testing.T, f func(t *testing.T, f *implementation)) {
	t.Run("plain", func(t *testing.T) { f(t, plain()) })
	for _, level := range isa.Supported() {
		if v := vectorised(level); v != nil {
			t.Run(level.String(), func(t *testing.T) { f(t, v) })
		}
	}
}

// ulp is the unit of the last place at v: the distance of the float32 numbers around it.
func ulp(v float64) float64 {
	_, e := math.Frexp(v)
	return math.Ldexp(1, max(e-24, -149))
}

// A function of one argument, the exact one, and what it may be off by.
type function struct {
	name    string
	f       func(i *implementation) func(dst, x []float32)
	exact   func(float64) float64
	allowed float64 // in the last place
}

var accurate = []function{
	{"exp", func(i *implementation) func(dst, x []float32) { return i.exp }, math.Exp, 1.1},
	{"log", func(i *implementation) func(dst, x []float32) { return i.log }, math.Log, 1},
	{"expm1", func(i *implementation) func(dst, x []float32) { return i.expm1 }, math.Expm1, 3},
	{"log1p", func(i *implementation) func(dst, x []float32) { return i.log1p }, math.Log1p, 3},
	{"tanh", func(i *implementation) func(dst, x []float32) { return i.tanh }, math.Tanh, 3},
	{"sigmoid", func(i *implementation) func(dst, x []float32) { return i.sigmoid }, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 3},
	{"softplus", func(i *implementation) func(dst, x []float32) { return i.softplus }, func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }, 3},
	{"erf", func(i *implementation) func(dst, x []float32) { return i.erf }, math.Erf, 3},
	{"sqrt", func(i *implementation) func(dst, x []float32) { return i.sqrt }, math.Sqrt, 0.5},
	{"floor", func(i *implementation) func(dst, x []float32) { return i.floor }, math.Floor, 0},
	{"neg", func(i *implementation) func(dst, x []float32) { return i.neg }, func(x float64) float64 { return -x }, 0},
}

// arguments are numbers of all magnitudes and both signs, the special ones, and more of
// those around one.
func arguments() []float32 {
	special := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 1, -1, 0.5, 2, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32,
		0x1p-126, math.MaxFloat32, -math.MaxFloat32, 88.72283, 88.72284, -87.33655, -103.97208, -103.97209, -104.5, 0.921875, 3.95, 9.01, 16.6, -17.3}
	var x []float32
	for _, v := range special {
		x = append(x, float32(v))
	}
	for bits := uint32(0); bits < 0x7f800000; bits += 4099 {
		v := math.Float32frombits(bits)
		x = append(x, v, -v)
	}
	for bits := math.Float32bits(1. / 64); bits < math.Float32bits(128); bits += 521 {
		v := math.Float32frombits(bits)
		x = append(x, v, -v)
	}
	return x
}

func TestAccuracy(t *testing.T) {
	x := arguments()
	implementations(t, func(t *testing.T, i *implementation) {
		for _, test := range accurate {
			t.Run(test.name, func(t *testing.T) {
				y := make([]float32, len(x))
				test.f(i)(y, x)
				worst, at := 0.0, float32(0)
				for n, v := range x {
					want, got := test.exact(float64(v)), float64(y[n])
					rounded := float32(want)
					switch {
					case math.IsNaN(want) != math.IsNaN(got):
						t.Fatalf("of %v: got %v, want %v", v, got, want)
					case math.IsNaN(want):
						continue
					case math.IsInf(float64(rounded), 0) || math.IsInf(got, 0):
						// What rounds to infinity may be the largest number, and the reverse.
						if math.Signbit(got) != math.Signbit(want) || math.Abs(got) < 0.9999997*math.MaxFloat32 || math.Abs(want) < 0.9999997*math.MaxFloat32 {
							t.Fatalf("of %v: got %v, want %v", v, got, want)
						}
						continue
					}
					if off := math.Abs(got-want) / ulp(want); off > worst {
						worst, at = off, v
					}
				}
				t.Logf("off by %.3f in the last place at most, at %v", worst, at)
				if worst > test.allowed {
					t.Errorf("of %v: off by %.3f in the last place, more than %v", at, worst, test.allowed)
				}
			})
		}
	})
}
