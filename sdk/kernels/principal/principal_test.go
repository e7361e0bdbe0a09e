package principal_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels/principal"
)

// orthonormal are n orthonormal rows of a width.
func orthonormal(rng *rand.Rand, n, width int) [][]float64 {
	rows := make([][]float64, n)
	for i := range rows {
		rows[i] = make([]float64, width)
		for j := range rows[i] {
			rows[i][j] = rng.NormFloat64()
		}
		for range 2 {
			for _, before := range rows[:i] {
				d := inner(rows[i], before)
				for j := range rows[i] {
					rows[i][j] -= d * before[j]
				}
			}
		}
		length := math.Sqrt(inner(rows[i], rows[i]))
		for j := range rows[i] {
			rows[i][j] /= length
		}
	}
	return rows
}

func inner(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// constructed is a matrix of known singular values.
func constructed(rows, columns int, values []float64) []float32 {
	rng := rand.New(rand.NewPCG(uint64(rows), uint64(columns)))
	left, right := orthonormal(rng, len(values), rows), orthonormal(rng, len(values), columns)
	sums := make([]float64, rows*columns)
	for k, value := range values {
		for i := range rows {
			f := value * left[k][i]
			for j, v := range right[k] {
				sums[i*columns+j] += f * v
			}
		}
	}
	out := make([]float32, len(sums))
	for i, s := range sums {
		out[i] = float32(s)
	}
	return out
}

// spectrum is n singular values by their number, from 1 on.
func spectrum(n int, of func(i float64) float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = of(float64(i + 1))
	}
	return out
}

// left is ‖M − P‖ for the first parts of it.
func left(m []float32, columns int, p principal.Parts) float64 {
	rows, sum := len(m)/columns, 0.0
	for i := range rows {
		for j := range columns {
			d := float64(m[i*columns+j])
			for k, value := range p.Values {
				d -= value * float64(p.Left[k*rows+i]) * float64(p.Right[k*columns+j])
			}
			sum += d * d
		}
	}
	return math.Sqrt(sum)
}

// TestTruncation: what the principal part leaves is what the singular values beyond it
// make inevitable, up to a thousandth; the values and the orthogonality are as good.
func TestTruncation(t *testing.T) {
	slow := func(i float64) float64 { return 1 / math.Sqrt(i) }
	for _, test := range []struct {
		name                string
		rows, columns, rank int
		values              []float64
	}{
		{"wide", 90, 300, 8, spectrum(90, slow)},
		{"tall", 300, 90, 8, spectrum(90, slow)},
		{"falling slower", 200, 200, 8, spectrum(200, func(i float64) float64 { return math.Pow(i, -0.2) })},
		{"flat", 150, 200, 6, spectrum(150, func(float64) float64 { return 2 })},
		{"with a cliff", 150, 200, 6, spectrum(150, func(i float64) float64 { return math.Exp(-3*math.Max(0, i-6)) + 1e-3 })},
		{"far apart", 120, 140, 5, spectrum(120, func(i float64) float64 { return math.Pow(10, -i) })},
		{"of tiny numbers", 150, 200, 6, spectrum(150, func(i float64) float64 { return 1e-30 / i })},
		{"small", 64, 80, 3, spectrum(64, func(i float64) float64 { return math.Pow(i, -0.2) })},
		{"as many ranks as rows", 12, 40, 12, spectrum(12, slow)},
		{"more ranks than rows", 5, 40, 9, spectrum(5, slow)},
		{"square, whole", 20, 20, 20, spectrum(20, slow)},
		{"of lower rank", 60, 80, 10, spectrum(4, slow)},
		{"a row", 1, 30, 1, []float64{3}},
		{"a column", 30, 1, 1, []float64{3}},
		{"a number", 1, 1, 1, []float64{3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := constructed(test.rows, test.columns, test.values)
			p := principal.Decompose(principal.Dense(m, test.rows, test.columns), test.rank)
			found := min(test.rank, test.rows, test.columns)
			if len(p.Values) != found || len(p.Left) != found*test.rows || len(p.Right) != found*test.columns {
				t.Fatalf("%d values, %d and %d numbers of vectors for a rank of %d", len(p.Values), len(p.Left), len(p.Right), found)
			}
			beyond := 0.0
			for _, v := range test.values[min(found, len(test.values)):] {
				beyond += v * v
			}
			inevitable, noise := math.Sqrt(beyond), 1e-6*test.values[0]
			if got := left(m, test.columns, p); !(got <= 1.001*inevitable+3*noise) {
				t.Errorf("%.6g is left, %.6g has to be", got, inevitable)
			}
			for k, got := range p.Values {
				want := 0.0
				if k < len(test.values) {
					want = test.values[k]
				}
				if !(math.Abs(got-want) <= 1e-2*want+noise) {
					t.Errorf("singular value %d is %.6g, want %.6g", k, got, want)
				}
			}
			if !slices.IsSortedFunc(p.Values, func(a, b float64) int { return -int(math.Copysign(1, a-b)) }) && test.name != "flat" {
				t.Errorf("the singular values do not fall: %v", p.Values)
			}
			orthogonal(t, p.Left, test.rows, p.Values, noise)
			orthogonal(t, p.Right, test.columns, p.Values, noise)
			for k := range p.Values {
				v := p.Right[k*test.columns : (k+1)*test.columns]
				if slices.Max(v) < -slices.Min(v) {
					t.Errorf("the largest element of right vector %d is negative", k)
				}
			}
		})
	}
}

// orthogonal checks the vectors of values that are more than noise.
func orthogonal(t *testing.T, vectors []float32, width int, values []float64, noise float64) {
	t.Helper()
	for i := range values {
		for j := range i + 1 {
			sum, want := 0.0, 0.0
			for k := range width {
				sum += float64(vectors[i*width+k]) * float64(vectors[j*width+k])
			}
			if i == j {
				want = 1
			}
			if values[i] > 2*noise && !(math.Abs(sum-want) <= 1e-4) {
				t.Errorf("vectors %d and %d have the product %.6g", j, i, sum)
			}
		}
	}
}

// TestZero: of a matrix of zeros all is zero.
func TestZero(t *testing.T) {
	for _, shape := range [][2]int{{40, 60}, {3, 2}, {1, 1}} {
		p := principal.Decompose(principal.Dense(make([]float32, shape[0]*shape[1]), shape[0], shape[1]), 2)
		for _, v := range slices.Concat(p.Left, p.Right) {
			if v != 0 {
				t.Fatalf("%v: an element of %v", shape, v)
			}
		}
		if slices.Max(p.Values) != 0 {
			t.Errorf("%v: values %v", shape, p.Values)
		}
	}
}

// TestNotFinite: of a matrix with such numbers nothing is found, and that soon.
func TestNotFinite(t *testing.T) {
	for _, x := range []float32{float32(math.NaN()), float32(math.Inf(1)), -math.MaxFloat32} {
		for _, shape := range [][2]int{{90, 130}, {6, 5}} {
			m := constructed(shape[0], shape[1], []float64{1})
			for i := range m {
				if i%7 == 0 {
					m[i] = x
				}
			}
			p := principal.Decompose(principal.Dense(m, shape[0], shape[1]), 3)
			if v := p.Values[0]; v-v == 0 && x-x != 0 {
				t.Errorf("of a matrix %v with %v the largest singular value is %v", shape, x, v)
			}
		}
	}
}

// TestThreads: the bits are the same on any number of them, and in every call.
func TestThreads(t *testing.T) {
	m := principal.Dense(constructed(70, 130, spectrum(70, func(i float64) float64 { return 1 / i })), 70, 130)
	want := principal.Decompose(m, 9)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, n := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(n)
		got := principal.Decompose(m, 9)
		if !slices.Equal(got.Values, want.Values) || !slices.Equal(got.Left, want.Left) || !slices.Equal(got.Right, want.Right) {
			t.Errorf("on %d threads it is another", n)
		}
	}
}

// TestFactors: s·B·A is the principal part, with either scaling, and both have the same
// share of it.
func TestFactors(t *testing.T) {
	const rows, columns, rank = 20, 30, 4
	m := constructed(rows, columns, spectrum(20, func(i float64) float64 { return 1 / i }))
	dense := principal.Dense(m, rows, columns)
	p := principal.Decompose(dense, rank)
	for _, a := range []*graph.Adapter{{Rank: rank, Alpha: 6}, {Rank: rank, Alpha: 6, RSLoRA: true}} {
		down, up := principal.Factors(a, dense)
		for i := range rows {
			for j := range columns {
				got, want := 0.0, 0.0
				for k := range rank {
					got += a.Scaling() * float64(up[i*rank+k]) * float64(down[k*columns+j])
					want += p.Values[k] * float64(p.Left[k*rows+i]) * float64(p.Right[k*columns+j])
				}
				if !(math.Abs(got-want) <= 1e-6) {
					t.Fatalf("scaling %v, element %d %d: %v, want %v", a.Scaling(), i, j, got, want)
				}
			}
		}
		for k := range rank {
			across, along := 0.0, 0.0
			for j := range columns {
				across += float64(down[k*columns+j]) * float64(down[k*columns+j])
			}
			for i := range rows {
				along += float64(up[i*rank+k]) * float64(up[i*rank+k])
			}
			if want := p.Values[k] / a.Scaling(); !(math.Abs(across-want) <= 1e-5*want && math.Abs(along-want) <= 1e-5*want) {
				t.Errorf("rank %d: squares of %v in A and %v in B, want %v", k, across, along, want)
			}
		}
	}
	// More ranks than the matrix has: the others are zero.
	down, up := principal.Factors(&graph.Adapter{Rank: 3, Alpha: 1}, principal.Dense([]float32{1, 2, 3, 4}, 2, 2))
	if down[4] != 0 || down[5] != 0 || up[2] != 0 || up[5] != 0 {
		t.Errorf("A %v and B %v of a matrix of two rows have a third rank", down, up)
	}
}

// TestLinears: of linears that share an adapter one is listed; those without a start are
// not.
func TestLinears(t *testing.T) {
	b := graph.New("Small")
	x := b.Embed("embed", 16, 8)
	x = b.Linear(b.Linear(x, "up", 8, graph.RoleMLPUp), "down", 8, graph.RoleMLPDown)
	b.Logits(b.Linear(x, "head", 16, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	for init, want := range map[adapt.Init]int{adapt.InitLoRA: 0, adapt.InitPiSSA: 2} {
		marked, err := adapt.Apply(g, adapt.LoRA{Rank: 2, Alpha: 2, Targets: []string{adapt.Auto}, Init: init})
		if err != nil {
			t.Fatal(err)
		}
		if got := principal.Linears(marked); len(got) != want {
			t.Errorf("init %q: %d linears, want %d", init, len(got), want)
		}
	}
}

func BenchmarkDecompose(b *testing.B) {
	for _, shape := range [][3]int{{576, 1536, 16}, {2048, 8192, 16}, {576, 1536, 128}} {
		b.Run(fmt.Sprint(shape), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			m := make([]float32, shape[0]*shape[1])
			for i := range m {
				m[i] = float32(rng.NormFloat64())
			}
			for b.Loop() {
				principal.Decompose(principal.Dense(m, shape[0], shape[1]), shape[2])
			}
		})
	}
}
