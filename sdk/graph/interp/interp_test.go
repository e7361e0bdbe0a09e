package interp_test

import (
	"math"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/dropout"
	"github.com/honeml/hone/sdk/graph/interp"
)

// ones fills every parameter with 1.
func ones(g *graph.Graph) interp.Params {
	return func(id graph.ParamID) []float64 {
		out := make([]float64, g.Params[id].Elements())
		for i := range out {
			out[i] = 1
		}
		return out
	}
}

// small is an embedding of five columns and a head, with an adapter on the head.
func small(t *testing.T, l adapt.LoRA) *graph.Graph {
	t.Helper()
	b := graph.New("Small")
	b.Logits(b.Linear(b.Embed("embed.weight", 4, 5), "head", 4, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	l.Rank, l.Alpha, l.Targets = 2, 3, []string{"head"}
	if g, err = adapt.Apply(g, l); err != nil {
		t.Fatal(err)
	}
	return g
}

func batchOf(ids ...int32) *graph.Batch {
	b := &graph.Batch{}
	weights := make([]float32, len(ids))
	for i := range weights {
		weights[i] = 1
	}
	b.Append(7, ids, weights)
	return b
}

// TestDropout writes out by hand what a linear with an adapter gives: which
// elements are dropped is a function of seed, step, module, sample, position and
// column.
func TestDropout(t *testing.T) {
	g := small(t, adapt.LoRA{Dropout: 0.25})
	batch := batchOf(1, 2, 3)
	logits := func(o interp.Options) []float64 {
		t.Helper()
		o.Adapter, o.Seed, o.Step = adapt.DefaultName, 11, 22
		run, err := interp.New(g, ones(g), batch, o)
		if err != nil {
			t.Fatal(err)
		}
		out, err := run.Forward()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	key := dropout.NewKey(11, 22, "head")
	multipliers := make([]float32, 5)
	for i, got := range logits(interp.Options{Training: true}) {
		dropout.Row(key, 7, int32(i/4), 0.25, multipliers)
		sum := 0.0 // of dropout(x), x being ones
		for _, m := range multipliers {
			if m != 0 {
				sum += 1 / 0.75
			}
		}
		// 5 from the weight; s = 3/2 times two rows of A, each the sum, through B.
		if want := 5 + 1.5*2*sum; math.Abs(got-want) > 1e-12 {
			t.Errorf("logit %d: %v, want %v", i, got, want)
		}
	}
	for i, got := range logits(interp.Options{}) {
		if want := 5 + 1.5*2*5.0; got != want {
			t.Errorf("outside of training, logit %d: %v, want %v", i, got, want)
		}
	}
}

// TestAdapterOff: with the adapter off the Graph is the model alone.
func TestAdapterOff(t *testing.T) {
	g := small(t, adapt.LoRA{LoRABias: true})
	for name, want := range map[string]float64{"": 5, "other": 5, adapt.DefaultName: 5 + 1.5*(2*5+1)} {
		run, err := interp.New(g, ones(g), batchOf(1, 2), interp.Options{Adapter: name})
		if err != nil {
			t.Fatal(err)
		}
		logits, err := run.Forward()
		if err != nil {
			t.Fatal(err)
		}
		if logits[0] != want {
			t.Errorf("adapter %q: logits of %v, want %v", name, logits[0], want)
		}
	}
}

// TestDoRA: with the norms of the weight's rows as magnitude, and B zero, nothing
// changes; with twice these, what the linear gives doubles.
func TestDoRA(t *testing.T) {
	g := small(t, adapt.LoRA{DoRA: true})
	linear, ok := g.Nodes[1].Op.(*graph.Linear)
	if !ok {
		t.Fatal("node 1 is no linear")
	}
	for factor, want := range map[float64]float64{1: 5, 2: 10} {
		params := func(id graph.ParamID) []float64 {
			values := ones(g)(id)
			for i := range values {
				switch id {
				case linear.Adapter.B:
					values[i] = 0
				case linear.Adapter.Magnitude:
					values[i] = factor * math.Sqrt(5)
				}
			}
			return values
		}
		run, err := interp.New(g, params, batchOf(1, 2), interp.Options{Adapter: adapt.DefaultName})
		if err != nil {
			t.Fatal(err)
		}
		logits, err := run.Forward()
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(logits[0]-want) > 1e-12 {
			t.Errorf("%v times the norms: %v, want %v", factor, logits[0], want)
		}
	}
}

// TestDoRAOfZeros: a row of zeros gives nothing, whatever its magnitude; the magnitude
// has no gradient then, but B has that of an adapter without one.
func TestDoRAOfZeros(t *testing.T) {
	g := small(t, adapt.LoRA{DoRA: true})
	linear, ok := g.Nodes[1].Op.(*graph.Linear)
	if !ok {
		t.Fatal("node 1 is no linear")
	}
	for _, magnitude := range []float64{0, 2} {
		params := func(id graph.ParamID) []float64 {
			values := ones(g)(id)
			switch id {
			case linear.Weight:
				clear(values[:5])
			case linear.Adapter.B:
				clear(values)
			case linear.Adapter.Magnitude:
				values[0] = magnitude
			}
			return values
		}
		run, err := interp.New(g, params, batchOf(1, 2), interp.Options{Adapter: adapt.DefaultName})
		if err != nil {
			t.Fatal(err)
		}
		logits, err := run.Forward()
		if err != nil {
			t.Fatal(err)
		}
		schedule, err := diff.Differentiate(g, diff.Options{Adapter: adapt.DefaultName})
		if err != nil {
			t.Fatal(err)
		}
		_, gradients, err := run.Step(schedule)
		if err != nil {
			t.Fatal(err)
		}
		sum := 1 + 3*math.Exp(logits[1]) // of exp over the vocabulary; the target is not token 0
		if logits[0] != 0 || gradients[linear.Adapter.Magnitude][0] != 0 {
			t.Errorf("magnitude %v: a logit of %v, a gradient of %v", magnitude, logits[0], gradients[linear.Adapter.Magnitude][0])
		}
		if got, want := gradients[linear.Adapter.B][0], 1.5*5/sum; !(math.Abs(got-want) <= 1e-12) {
			t.Errorf("magnitude %v: B has a gradient of %v, want %v", magnitude, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	g := small(t, adapt.LoRA{})
	if _, err := interp.New(g, ones(g), batchOf(1, 4), interp.Options{}); err == nil || !strings.Contains(err.Error(), "token 1 has id 4") {
		t.Errorf("an id beyond the vocabulary: %v", err)
	}
	short := func(graph.ParamID) []float64 { return make([]float64, 3) }
	if _, err := interp.New(g, short, batchOf(1, 2), interp.Options{}); err == nil || !strings.Contains(err.Error(), `parameter "embed.weight": 3 values for a shape of [4 5]`) {
		t.Errorf("parameters of another size: %v", err)
	}
	infinite := func(id graph.ParamID) []float64 {
		out := ones(g)(id)
		if g.Params[id].Name == "head.weight" {
			out[6] = math.Inf(1)
		}
		return out
	}
	run, err := interp.New(g, infinite, batchOf(1, 2), interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Forward(); err == nil || !strings.Contains(err.Error(), `node "head" (linear): output 0 is +Inf at token 0, column 1`) {
		t.Errorf("infinite logits: %v", err)
	}
	if run, err = interp.New(g, ones(g), batchOf(1, 2), interp.Options{Adapter: adapt.DefaultName}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := run.Step(diff.ForwardOnly(g.Clone(), diff.Options{Adapter: adapt.DefaultName})); err == nil || !strings.Contains(err.Error(), "another graph") {
		t.Errorf("a schedule of another graph: %v", err)
	}
	if _, _, err := run.Step(diff.ForwardOnly(g, diff.Options{})); err == nil || !strings.Contains(err.Error(), `the adapter "" on`) {
		t.Errorf("a schedule with another adapter: %v", err)
	}
	schedule, err := diff.Differentiate(g, diff.Options{Adapter: adapt.DefaultName})
	if err != nil {
		t.Fatal(err)
	}
	if run, err = interp.New(g, infinite, batchOf(1, 2), interp.Options{Adapter: adapt.DefaultName}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := run.Step(schedule); err == nil || !strings.Contains(err.Error(), `node "head"`) {
		t.Errorf("infinite logits in a step: %v", err)
	}
}
