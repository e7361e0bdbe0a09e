package interp

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
)

// TestBalancePyTorch compares f, P, L and the gradient by the logits with PyTorch's; see
// testdata/gen_balance.py.
func TestBalancePyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/balance.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]struct {
		F, P     [][]float64
		Loss     []float64
		Chosen   [][]float64
		Total    float64
		Gradient []float64
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	batch := &graph.Batch{}
	for i, weights := range [][]float32{{0, 1, 1, 0.5, 0, 1, 2}, {0}, {0, 1, 0.25, 1}} {
		batch.Append(int32(i), make([]int32, len(weights)), weights)
	}
	route := graph.Route{Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1, Balance: 0.7}
	softmax, after, sigmoid := route, route, route
	softmax.Experts, softmax.TopK, softmax.Normalise, softmax.Factor = 5, 2, true, 2.5 // which L does not see
	after.Experts, after.TopK, after.After = 6, 3, true
	sigmoid.Experts, sigmoid.TopK, sigmoid.Sigmoid, sigmoid.Groups, sigmoid.GroupTop, sigmoid.Bias = 8, 2, true, 2, 2, 0
	for name, o := range map[string]graph.Route{"softmax": softmax, "after": after, "sigmoid": sigmoid} {
		t.Run(name, func(t *testing.T) {
			want := golden[name]
			r := &Run{batch: batch, params: func(graph.ParamID) []float64 { return filled(name+".bias", o.Experts, 0.5) }}
			logits := filled(name, batch.Tokens()*o.Experts, 4)
			indices, _ := r.route(&o, logits)
			if !slices.Equal(indices, slices.Concat(want.Chosen...)) {
				t.Fatalf("chose %v, PyTorch %v", indices, want.Chosen)
			}
			document := 0
			for start := 0; start < batch.Tokens(); start = int(batch.DocEnd[start]) {
				end := int(batch.DocEnd[start])
				f, p, loss := sharesOf(&o, indices, start, end), make([]float64, o.Experts), 0.0
				for tok := start; tok < end; tok++ {
					for i, s := range normalised(&o, logits[tok*o.Experts:(tok+1)*o.Experts]) {
						p[i] += s / float64(end-start)
					}
				}
				for i := range f {
					loss += o.Balance * f[i] * p[i]
				}
				near(t, "f", f, want.F[document])
				near(t, "P", p, want.P[document])
				near(t, "L", []float64{loss}, want.Loss[document:document+1])
				document++
			}
			near(t, "the sum", []float64{r.balance(&o, logits, indices)}, []float64{want.Total})
			near(t, "the gradient", r.balanceBackward(&o, logits, indices), want.Gradient)
		})
	}
}

// filled is fill of the scripts: size·u, u from a hash of the name and the index.
func filled(name string, n int, size float64) []float64 {
	seed := 0
	for i, b := range []byte(name) {
		seed += (i + 1) * int(b)
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = size * (float64((uint64(seed)*40503+uint64(i)*2654435761)%(1<<32))/(1<<31) - 1)
	}
	return out
}

func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, PyTorch has %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= 1e-11*(1+math.Abs(want[i]))) {
			t.Errorf("%s, number %d: %.15g, PyTorch has %.15g", what, i, got[i], want[i])
		}
	}
}

// TestBalanceBounds: where every expert is chosen equally often and scores are equal, L
// is its coefficient; where all tokens choose the same with certainty, it is as many
// times that as there are experts for each chosen. Sigmoids that vanish do no harm.
func TestBalanceBounds(t *testing.T) {
	batch := &graph.Batch{}
	batch.Append(0, make([]int32, 4), []float32{0, 2, 0.5, 0})
	r := &Run{batch: batch}
	for _, sigmoid := range []bool{false, true} {
		o := &graph.Route{Experts: 4, TopK: 1, Sigmoid: sigmoid, Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1, Balance: 0.5}
		if got := r.balance(o, make([]float64, 16), []float64{0, 1, 2, 3}); math.Abs(got-2.5*0.5) > 1e-12 {
			t.Errorf("sigmoid %v, all alike: %v", sigmoid, got)
		}
		low := -900.0
		certain := []float64{low, low / 2, low, low, low, low / 2, low, low, low, low / 2, low, low, low, low / 2, low, low}
		if got := r.balance(o, certain, []float64{1, 1, 1, 1}); math.Abs(got-2.5*0.5*4) > 1e-12 {
			t.Errorf("sigmoid %v, one for all: %v", sigmoid, got)
		}
		for i, d := range r.balanceBackward(o, certain, []float64{1, 1, 1, 1}) {
			if math.Abs(d) > 1e-12 {
				t.Errorf("sigmoid %v, one for all: gradient %d is %v", sigmoid, i, d)
			}
		}
	}
}
