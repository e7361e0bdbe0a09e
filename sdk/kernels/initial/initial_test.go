package initial_test

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/dropout"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/initial"
)

// model has a parameter of each kind.
func model(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.New("SmallForCausalLM")
	x := b.Embed("embed", 50, 40)
	x = b.RMSNorm(x, "rms", 1e-5)
	x = b.Norm(x, "plus_one", graph.NormSpec{Epsilon: 1e-5, PlusOne: true})
	x = b.LayerNorm(x, "layer", 1e-5, true)
	x = b.Linear(x, "up", 60, graph.RoleMLPUp, graph.WithBias(true))
	b.Logits(b.Linear(x, "head", 50, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func draw(t *testing.T, r kernels.RandomWeights, name string) []float32 {
	t.Helper()
	g := model(t)
	v, err := initial.Open(g, &kernels.LoadRequest{Random: &r})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(g.Params, func(p *graph.Param) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no parameter %q", name)
	}
	read, err := v.Reader(g.Params[i])
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, g.Params[i].Elements())
	if err := errors.Join(read(out, 0), v.Unchanged(), v.Close()); err != nil {
		t.Fatal(err)
	}
	// Whatever part is read, in whatever order, is the same.
	for _, from := range []int{0, 1, 7, 8, 13, len(out) - 1} {
		part := make([]float32, min(11, len(out)-from))
		if err := read(part, from); err != nil || !slices.Equal(part, out[from:from+len(part)]) {
			t.Errorf("%s from %d: got %v, %v, want %v", name, from, part, err, out[from:from+len(part)])
		}
	}
	return out
}

func TestVectorsAreConstant(t *testing.T) {
	for name, want := range map[string]float32{
		"rms.weight": 1, "plus_one.weight": 0, "layer.weight": 1, "layer.bias": 0, "up.bias": 0,
	} {
		for i, got := range draw(t, kernels.RandomWeights{Seed: 3, StdDev: 0.5}, name) {
			if got != want {
				t.Errorf("element %d of %s is %v, want %v", i, name, got, want)
				break
			}
		}
	}
}

// TestMatricesAreAsDefined computes elements as the package's comment says.
func TestMatricesAreAsDefined(t *testing.T) {
	const seed, deviation = 3, 0.02
	got := draw(t, kernels.RandomWeights{Seed: seed, StdDev: deviation}, "up.weight")
	key := dropout.NewKey(seed, 0, "up.weight")
	for i, x := range got {
		u := dropout.Philox([4]uint32{uint32(i / 8), 0, 0, 0}, key)[i/2%4] >> (16 * (i % 2)) & 0xffff
		// Φ of the element has to be the middle of its level.
		if level := math.Erfc(-float64(x)/deviation/math.Sqrt2) / 2 * 65536; math.Abs(level-float64(u)-0.5) > 0.1 {
			t.Fatalf("element %d is %v, of level %.2f, want %d.5", i, x, level, u)
		}
	}
}

func TestMatricesAreNormal(t *testing.T) {
	x := draw(t, kernels.RandomWeights{Seed: 3, StdDev: 0.02}, "up.weight")
	sum, squares, beyond := 0.0, 0.0, 0
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
		if math.Abs(float64(v)) > 0.02 {
			beyond++
		}
	}
	n := float64(len(x))
	// Within four deviations of the mean, of the variance and of the share.
	if math.Abs(sum/n) > 4*0.02/math.Sqrt(n) {
		t.Errorf("the mean is %v", sum/n)
	}
	if v := squares / n / (0.02 * 0.02); math.Abs(v-1) > 4*math.Sqrt(2/n) {
		t.Errorf("the variance is %v of what it has to be", v)
	}
	if share := float64(beyond) / n; math.Abs(share-0.3173) > 4*math.Sqrt(0.3173*0.6827/n) {
		t.Errorf("%v are more than a deviation from 0", share)
	}
}

func TestDrawsDependOnSeedAndName(t *testing.T) {
	one := kernels.RandomWeights{Seed: 1, StdDev: 1}
	first := draw(t, one, "up.weight")
	if !slices.Equal(first, draw(t, one, "up.weight")) {
		t.Error("the same seed draws other weights")
	}
	if slices.Equal(first, draw(t, kernels.RandomWeights{Seed: 2, StdDev: 1}, "up.weight")) {
		t.Error("another seed draws the same weights")
	}
	if slices.Equal(first[:100], draw(t, one, "head.weight")[:100]) {
		t.Error("two parameters have the same weights")
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name string
		req  kernels.LoadRequest
		code fault.Code
		say  string
	}{
		{"both", kernels.LoadRequest{Checkpoint: []string{"a.safetensors"}, Random: &kernels.RandomWeights{}}, fault.BadInput, "a.safetensors"},
		{"negative", kernels.LoadRequest{Random: &kernels.RandomWeights{StdDev: -1}}, fault.BadInput, "-1"},
		{"no number", kernels.LoadRequest{Random: &kernels.RandomWeights{StdDev: math.NaN()}}, fault.BadInput, "NaN"},
		{"infinite", kernels.LoadRequest{Random: &kernels.RandomWeights{StdDev: math.Inf(1)}}, fault.BadInput, "Inf"},
		{"a missing file", kernels.LoadRequest{Checkpoint: []string{filepath.Join("testdata", "absent.safetensors")}}, fault.BadWeights, "absent"},
		{"nothing", kernels.LoadRequest{}, fault.BadWeights, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := initial.Open(model(t), &tt.req)
			if !errors.Is(err, tt.code) || !strings.Contains(err.Error(), tt.say) {
				t.Errorf("got %v, want a fault %q that says %q", err, tt.code, tt.say)
			}
		})
	}
}

func BenchmarkNormal(b *testing.B) {
	builder := graph.New("SmallForCausalLM")
	builder.Logits(builder.Linear(builder.Embed("embed", 4096, 4096), "head", 4096, graph.RoleHead))
	g, err := builder.Graph()
	if err != nil {
		b.Fatal(err)
	}
	v, err := initial.Open(g, &kernels.LoadRequest{Random: &kernels.RandomWeights{StdDev: 0.02}})
	if err != nil {
		b.Fatal(err)
	}
	read, err := v.Reader(g.Params[0])
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]float32, 1<<18)
	b.SetBytes(int64(4 * len(dst)))
	for b.Loop() {
		if err := read(dst, 0); err != nil {
			b.Fatal(err)
		}
	}
}
