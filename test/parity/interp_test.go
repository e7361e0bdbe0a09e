package parity

import (
	"path/filepath"
	"testing"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/interp"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/weights"
)

// TestInterpreter holds the Graph itself, run by its definition in float64, to the
// logits of transformers: packed documents at once against one by one.
func TestInterpreter(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, name)
			m, marked, adapter := openCase(t, g)
			start := map[string][]float32{}
			if adapter != "" {
				start = readTensors(t, filepath.Join(g.Folder, "start", kernels.AdapterFile))
			}
			params := wide(t, m, marked, start)
			if want, ok := g.tensors["logits/base"]; ok {
				within(t, "logits of the bare model", interpret(t, marked, params, "", pack(g.Probes...)), want, exactTolerance)
			}
			if adapter != "" {
				want := g.tensor(t, "logits/start")
				within(t, "logits with the adapter", interpret(t, marked, params, adapter, pack(g.Probes...)), want, exactTolerance)
			}
		})
	}
}

// interpret is the logits of a micro-batch by the interpreter.
func interpret(t *testing.T, g *graph.Graph, params interp.Params, adapter string, b *graph.Batch) []float64 {
	t.Helper()
	run, err := interp.New(g, params, b, interp.Options{Adapter: adapter})
	if err != nil {
		t.Fatal(err)
	}
	logits, err := run.Forward()
	if err != nil {
		t.Fatal(err)
	}
	return logits
}

// wide are the parameters of g in float64: those of the checkpoint and, by the
// names under which they are saved, what an adapter's file holds.
func wide(t *testing.T, m *basemodel.Model, g *graph.Graph, adapter map[string][]float32) interp.Params {
	t.Helper()
	values := make([][]float64, len(g.Params))
	set := func(id graph.ParamID, v []float32) {
		values[id] = make([]float64, len(v))
		for i, x := range v {
			values[id][i] = float64(x)
		}
	}
	for _, p := range g.Params {
		if p.Source == nil {
			continue
		}
		array, err := weights.Resolve(m.Checkpoint, p.Source)
		if err != nil {
			t.Fatal(err)
		}
		v := make([]float32, p.Elements())
		if err := array.Float32(v, 0); err != nil {
			t.Fatal(err)
		}
		set(p.ID, v)
	}
	for _, s := range kernels.SavedTensors(g) {
		v, ok := adapter[s.Key]
		if ok {
			set(s.Param.ID, v)
		}
		if values[s.Param.ID] == nil {
			t.Fatalf("the adapter has no %s", s.Key)
		}
	}
	return func(id graph.ParamID) []float64 { return values[id] }
}
