package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/graph/interp"
	"github.com/honeml/hone/sdk/kernels"
)

// adaptedCase is a small model with adapters; with zeros, rows of some weights and their
// magnitudes are 0, and so are magnitudes of rows that are not.
func adaptedCase(t testing.TB, l adapt.LoRA, hidden int, zeros bool) *graphtest.Case {
	t.Helper()
	const vocabulary = 21
	b := graph.New("Test")
	x := b.Embed("embed", vocabulary, hidden)
	h := b.RMSNorm(x, "norm", 1e-5)
	y := b.Gated(b.Linear(h, "gate", 2*hidden, graph.RoleMLPGate), b.Linear(h, "up", 2*hidden, graph.RoleMLPUp, graph.WithBias(true)), "silu", "act")
	x = b.Add(x, b.Linear(y, "down", hidden, graph.RoleMLPDown), "sum")
	b.Logits(b.Linear(x, "head", vocabulary, graph.RoleHead))
	g, err := b.Graph()
	if err == nil {
		l.Alpha = 8
		g, err = adapt.Apply(g, l)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(4, uint64(l.Rank)))
	c := &graphtest.Case{Graph: g, Batch: &graph.Batch{}, Adapter: adapt.DefaultName, Seed: 5, Step: 1}
	for _, p := range g.Params {
		values := make([]float64, p.Elements())
		for i := range values {
			values[i] = float64(float32(0.4 * r.NormFloat64()))
		}
		c.Values = append(c.Values, values)
	}
	for _, n := range g.Nodes {
		a := graph.AdapterOf(n.Op)
		if a == nil || !zeros {
			continue
		}
		o := n.Op.(*graph.Linear)
		clear(c.Values[o.Weight][:g.Params[o.Weight].Shape[1]]) // its first row
		clear(c.Values[a.B][:a.Rank])
		c.Values[a.Magnitude][0], c.Values[a.Magnitude][2] = 0, 0
	}
	for sample, length := range []int{5, 8} {
		tokens, weights := make([]int32, length), make([]float32, length)
		for i := range tokens {
			tokens[i], weights[i] = int32(r.IntN(vocabulary)), 1
		}
		c.Batch.Append(int32(sample), tokens, weights)
	}
	return c
}

// TestDoRA: adapters with magnitudes, forward and backward: with dropout, on the head,
// where rows or magnitudes are zeros; of a width whose norms come from products that tensor
// cores make where the rank allows that, and of one that vectors do not divide.
func TestDoRA(t *testing.T) {
	gpu := openGPU(t)
	limits := map[string]float64{"fp32": 1e-4, "bf16": 0.08, "fp16": 0.02}
	for name, l := range map[string]adapt.LoRA{
		"plain": {Rank: 8, Targets: []string{"auto"}}, "dropout": {Rank: 8, Dropout: 0.3, Targets: []string{"auto"}},
		"head": {Rank: 3, RSLoRA: true, Targets: []string{"auto", "head"}}, "head, dropout": {Rank: 3, Dropout: 0.3, Targets: []string{"head"}},
	} {
		for _, zeros := range []bool{false, true} {
			for hidden, o := range map[int]Options{16: of(gpu), 9: {}} {
				for precision, limit := range limits {
					t.Run(fmt.Sprintf("%s, %d wide, zeros %v, %s", name, hidden, zeros, precision), func(t *testing.T) {
						l.DoRA = true
						tryWith(t, gpu, adaptedCase(t, l, hidden, zeros), precision, limit, o)
					})
				}
			}
		}
	}
}

// TestRandomDoRA: the same in random graphs.
func TestRandomDoRA(t *testing.T) {
	gpu := openGPU(t)
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c := graphtest.Random(rand.New(rand.NewPCG(9, seed)), graphtest.Options{Dense: true, DoRA: true})
			run, err := interp.New(c.Graph, rounded(c, "fp32"), c.Batch, interp.Options{Adapter: c.Adapter})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := run.Forward(); err != nil || c.Batch.TotalWeight() == 0 {
				t.Skip("there is nothing to compare: ", err)
			}
			tryCase(t, gpu, c, "fp32", 1e-2)
		})
	}
}

// TestDoRAPlans: the outputs of linears with magnitudes are kept for the backward pass, but
// not those of a head or with a bias, and not with dropout.
func TestDoRAPlans(t *testing.T) {
	for name, test := range map[string]struct {
		lora adapt.LoRA
		want int
	}{
		"plain":   {adapt.LoRA{Rank: 8, Targets: []string{"auto", "head"}}, 2},
		"dropout": {adapt.LoRA{Rank: 8, Dropout: 0.1, Targets: []string{"auto"}}, 0},
	} {
		test.lora.DoRA = true
		e := bindToTrain(t, adaptedCase(t, test.lora, 16, false).Graph, Options{})
		kept := 0
		for _, d := range e.doras {
			if d.keepsOutput() {
				kept++
			}
			if d.span.bytes == 0 {
				t.Errorf("%s: the norms of %s have no memory", name, d.n.name())
			}
		}
		if kept != test.want {
			t.Errorf("%s: %d outputs are kept, want %d", name, kept, test.want)
		}
	}
}

// TestDoRANorms: norms come from products with A where W is frozen and held in the
// activations' type of 16 bits, and the memory of these is planned.
func TestDoRANorms(t *testing.T) {
	g := func(rank int) *graph.Graph {
		return llamaWith(t, shape{1, 512, 4, 2, 128, 1024, 512}, adapt.LoRA{Rank: rank, Alpha: 32, DoRA: true, Targets: []string{"auto"}})
	}
	trained := g(16)
	for _, p := range trained.Params {
		p.Trainable = p.Trainable || strings.HasSuffix(p.Name, "down_proj.weight")
	}
	tensorCores := Options{Processors: 132, SharedBytes: 227 << 10}
	for name, test := range map[string]struct {
		g        *graph.Graph
		settings kernels.Settings
		o        Options
		want     int
	}{
		"bf16": {g(16), kernels.Settings{Precision: "bf16"}, tensorCores, 7}, "fp16": {g(16), kernels.Settings{Precision: "fp16"}, tensorCores, 7},
		"fp32": {g(16), kernels.Settings{Precision: "fp32"}, tensorCores, 0}, "an odd rank": {g(12), kernels.Settings{}, tensorCores, 0},
		"held as fp32": {g(16), kernels.Settings{WeightType: "float32"}, tensorCores, 0}, "a trained weight": {trained, kernels.Settings{}, tensorCores, 6},
		"no GPU": {g(16), kernels.Settings{}, Options{}, 0},
	} {
		test.settings.Adapter, test.settings.MaxLength, test.settings.TokensPerStep = adapt.DefaultName, 16, 16
		e, err := Bind(&kernels.BindRequest{Graph: test.g, Settings: test.settings, Phases: kernels.Phases{Train: true}}, test.o)
		if err != nil {
			t.Fatal(name, err)
		}
		got := 0
		for _, d := range e.doras {
			vectors := int64(2)
			if d.norms != nil {
				got++
				vectors++
			}
			if want := vectors * 4 * int64(d.n.out); d.span.bytes != want {
				t.Errorf("%s: norms of %s have %d bytes, want %d", name, d.n.name(), d.span.bytes, want)
			}
			if need := d.normBytes(); need > e.scratchSpan.bytes || (need > 0) != (d.norms != nil) {
				t.Errorf("%s: the norms of %s take %d bytes of %d", name, d.n.name(), need, e.scratchSpan.bytes)
			}
		}
		if got != test.want {
			t.Errorf("%s: %d norms come from products, want %d", name, got, test.want)
		}
	}
}

// TestDoRAProducts: on Hopper GPUs the products of linears with magnitudes are scaled as
// they are written, where they are hone's own.
func TestDoRAProducts(t *testing.T) {
	g := llamaWith(t, shape{1, 4096, 32, 8, 128, 4096, 512}, adapt.LoRA{Rank: 16, Alpha: 32, DoRA: true, Targets: []string{"auto"}})
	for name, test := range map[string]struct {
		o      Options
		passes float64
	}{
		"Hopper":      {Options{Arch: device.HopperArch, Processors: 132, SharedBytes: 227 << 10}, 0},
		"another GPU": {Options{Arch: "sm_80", Processors: 108, SharedBytes: 163 << 10}, 2},
		"cuBLASLt":    {Options{Arch: device.HopperArch, Processors: 132, SharedBytes: 227 << 10, Library: true}, 2},
	} {
		e, err := planOf(t, g, test.o)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range e.doras {
			if (d.forth != nil) != (test.passes == 0) {
				t.Errorf("%s: %s has a kernel: %v", name, d.n.name(), d.forth != nil)
			}
			if passes, products := d.work(8192, false); passes != test.passes || products != 0 {
				t.Errorf("%s: %s takes %v passes and %v products forward", name, d.n.name(), passes, products)
			}
			if passes, products := d.work(8192, true); passes != 3 || products != 0 {
				t.Errorf("%s: %s takes %v passes and %v products backward", name, d.n.name(), passes, products)
			}
			if passes, _ := d.work(16, false); passes != 2 {
				t.Errorf("%s: %s takes %v passes on 16 rows", name, d.n.name(), passes)
			}
		}
	}
}
