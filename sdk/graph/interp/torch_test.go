package interp_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/interp"
)

// golden is what PyTorch gives for a model; see testdata/gen_torch.py.
type golden struct {
	Loss      float64
	Logits    []float64
	Gradients map[string][]float64
}

// TestPyTorch compares four models with the same written in PyTorch, in float64:
// logits, loss and the gradient of every parameter.
func TestPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/torch.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]golden
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		graph   func() (*graph.Graph, error)
		adapter string
	}{
		{"llama", llama, adapt.DefaultName},
		{"gemma", gemma, ""},
		{"odd", odd, ""},
		{"mixture", mixture, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, err := test.graph()
			if err != nil {
				t.Fatal(err)
			}
			compare(t, g, interp.Options{Adapter: test.adapter}, want[test.name], 1e-11)
		})
	}
}

// TestPEFT compares models that PEFT adapts, with transformers' float32 between its
// float64: a mixture's experts, by which is seen what an adapter's rows and columns mean;
// and in training, with dropout and trained weights, DoRA with magnitudes of zero, and
// PiSSA, whose dropout leaves alone what the adapter began with.
func TestPEFT(t *testing.T) {
	for _, test := range []struct {
		name    string
		graph   func() (*graph.Graph, error)
		options interp.Options
	}{
		{"experts", mixtral, interp.Options{Adapter: adapt.DefaultName}},
		{"dora", doraLlama, interp.Options{Adapter: adapt.DefaultName, Training: true, Seed: 3, Step: 5}},
		{"pissa", pissaLlama, interp.Options{Adapter: adapt.DefaultName, Training: true, Seed: 3, Step: 5}},
	} {
		t.Run(test.name, func(t *testing.T) {
			data, err := os.ReadFile("testdata/" + test.name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var want golden
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			g, err := test.graph()
			if err != nil {
				t.Fatal(err)
			}
			compare(t, g, test.options, want, 1e-6)
		})
	}
}

func compare(t *testing.T, g *graph.Graph, options interp.Options, want golden, tolerance float64) {
	t.Helper()
	batch := &graph.Batch{}
	batch.Append(0, []int32{1, 4, 2, 9, 0, 3, 7}, []float32{0, 1, 1, 0.5, 0, 1, 2})
	batch.Append(1, []int32{5}, []float32{0})
	batch.Append(2, []int32{8, 8, 6, 1}, []float32{0, 1, 0.25, 1})
	values := map[graph.ParamID][]float64{}
	for _, p := range g.Params {
		values[p.ID] = fill(g, p)
	}
	run, err := interp.New(g, func(id graph.ParamID) []float64 { return values[id] }, batch, options)
	if err != nil {
		t.Fatal(err)
	}
	logits, err := run.Forward()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "logits", logits, want.Logits, tolerance)
	schedule, err := diff.Differentiate(g, diff.Options{Adapter: options.Adapter})
	if err != nil {
		t.Fatal(err)
	}
	loss, gradients, err := run.Step(schedule)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "loss", []float64{loss}, []float64{want.Loss}, tolerance)
	if len(want.Gradients) != len(gradients) {
		t.Errorf("%d gradients, PyTorch has %d", len(gradients), len(want.Gradients))
	}
	for id, got := range gradients {
		same(t, "gradient of "+g.Params[id].Name, got, want.Gradients[g.Params[id].Name], tolerance)
	}
}

// same holds numbers to a part of the largest.
func same(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, PyTorch has %d", what, len(got), len(want))
		return
	}
	largest := 0.0
	for _, w := range want {
		largest = math.Max(largest, math.Abs(w))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tolerance*(1+largest)) {
			t.Errorf("%s, number %d: %.15g, PyTorch has %.15g", what, i, got[i], want[i])
			return
		}
	}
}

// fill is the script's: half of a hash of the name and the index, around 1 for the
// weights of norms that do not add 1 themselves, around 0 elsewhere; every third of
// DoRA's magnitudes is 0.
func fill(g *graph.Graph, p *graph.Param) []float64 {
	seed, mean := 0, 0.0
	for i, b := range []byte(p.Name) {
		seed += (i + 1) * int(b)
	}
	for _, n := range g.Nodes {
		if o, ok := n.Op.(*graph.Norm); ok && o.Weight == p.ID && !o.PlusOne {
			mean = 1
		}
	}
	out := make([]float64, p.Elements())
	for i := range out {
		out[i] = mean + 0.5*(float64((uint64(seed)*40503+uint64(i)*2654435761)%(1<<32))/(1<<31)-1)
		if p.Init == graph.InitRowNorms && i%3 == 0 {
			out[i] = 0
		}
	}
	return out
}
