package vecmath

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestLongSums: over a million elements the error stays that of a few thousand.
func TestLongSums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, 1_000_003)
	sum, dot, exps := 0.0, 0.0, 0.0
	for i := range x {
		x[i] = r.Float32()
		sum += float64(x[i])
		dot += float64(x[i]) * float64(x[i])
		exps += math.Exp(float64(x[i]))
	}
	tests := []struct {
		name      string
		got, want float64
	}{
		{"sum", float64(Sum(x)), sum},
		{"dot", float64(Dot(x, x)), dot},
		{"exponentials", ExpSum(make([]float32, len(x)), x, 0), exps},
	}
	for _, test := range tests {
		if math.Abs(test.got-test.want) > 3e-7*test.want {
			t.Errorf("%s: got %v, want %v", test.name, test.got, test.want)
		}
	}
}

func TestSoftmax(t *testing.T) {
	tests := []struct {
		name   string
		x      []float32
		want   []float64
		logSum float64
	}{
		{"one", []float32{3}, []float64{1}, 3},
		{"equal", []float32{2, 2, 2, 2}, []float64{0.25, 0.25, 0.25, 0.25}, 2 + math.Log(4)},
		{"far apart", []float32{0, 200}, []float64{0, 1}, 200},
		{"beyond the exponential", []float32{1000, 1000}, []float64{0.5, 0.5}, 1000 + math.Log(2)},
		{"one ruled out", []float32{-infinity, 1, 1}, []float64{0, 0.5, 0.5}, 1 + math.Log(2)},
		{"all ruled out", []float32{-infinity, -infinity}, []float64{0, 0}, math.Inf(-1)},
		{"NaN", []float32{1, nan, 2}, []float64{math.NaN(), math.NaN(), math.NaN()}, math.NaN()},
		{"none", nil, nil, math.Inf(-1)},
	}
	near := func(got float32, want float64) bool {
		return float64(got) == want || math.IsNaN(want) && got != got || math.Abs(float64(got)-want) <= 1e-6*math.Abs(want)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := make([]float32, len(test.x))
			if logSum := Softmax(got, test.x); !near(logSum, test.logSum) {
				t.Errorf("the logarithm of the sum is %v, want %v", logSum, test.logSum)
			}
			for i, v := range got {
				if !near(v, test.want[i]) {
					t.Errorf("got %v, want %v", got, test.want)
				}
			}
		})
	}
}

func TestNothingIsAllocated(t *testing.T) {
	x, y := make([]float32, 100), make([]float32, 100)
	if n := testing.AllocsPerRun(10, func() {
		Exp(y, x)
		Add(y, x, x)
		AddScaled(y, x, Sum(x)+Dot(x, x))
		Softmax(y, x)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkFunctions is the time of an element, in a slice that fits the cache.
func BenchmarkFunctions(b *testing.B) {
	x, y := make([]float32, 1024), make([]float32, 1024)
	for i := range x {
		x[i] = float32(i%100) / 8
	}
	for _, f := range accurate[:8] {
		b.Run(f.name, func(b *testing.B) {
			f := f.f(active)
			for b.Loop() {
				f(y, x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/element")
		})
	}
	b.Run("add", func(b *testing.B) {
		for b.Loop() {
			Add(y, x, x)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/element")
	})
	b.Run("dot", func(b *testing.B) {
		sum := float32(0)
		for b.Loop() {
			sum += Dot(x, y)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/element")
	})
	b.Run("softmax", func(b *testing.B) {
		for b.Loop() {
			Softmax(y, x)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/element")
	})
}
