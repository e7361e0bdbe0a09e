package main

import (
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, phi{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, phi{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, phi{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, phi{}) }

// TestDefaults: keys that are absent or null are those of transformers.
func TestDefaults(t *testing.T) {
	for _, config := range []string{`{}`, `{"num_key_value_heads": null, "sliding_window": null, "rope_scaling": null}`} {
		s, err := read([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		want := blocks.Decoder{
			Vocabulary: 32064, Hidden: 3072, Intermediate: 8192, Layers: 32, Heads: 32, KVHeads: 32, HeadWidth: 96,
			Epsilon: 1e-5, Activation: "silu",
		}
		if s.Decoder != want || s.window != 0 || s.rope.Theta != 10000 || s.rope.Length != 4096 || s.rope.Width != 96 {
			t.Errorf("%s: %+v", config, s)
		}
	}
}

// TestLength: the run's longest document chooses between the lists of divisors.
func TestLength(t *testing.T) {
	for _, test := range []struct {
		length int
		want   []float32
	}{{32, []float32{1, 0.046415888 / 1.5, 0.0021544348 / 2}}, {33, []float32{1, 0.046415888 / 2, 0.0021544348 / 4}}} {
		g, err := phi{}.Build(t.Context(), &model.BuildRequest{Configuration: modeltest.Configurations(t)["phi4mini"], MaxLength: test.length})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range g.Nodes {
			r, ok := n.Op.(*graph.RoPE)
			if ok && !slices.EqualFunc(r.Freq, test.want, func(a, b float32) bool { return a/b < 1.000001 && b/a < 1.000001 }) {
				t.Errorf("documents of up to %d tokens: %s has the frequencies %v, want %v", test.length, n.Name, r.Freq, test.want)
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, phi{}, []modeltest.Mistake{
		{Name: "window", Configuration: "phi3", Keys: map[string]any{"sliding_window": 0},
			Want: "config.json: sliding_window: 0 is not a whole number from 1 to a billion"},
		{Name: "divisors", Configuration: "phi4mini", Keys: map[string]any{"partial_rotary_factor": 0.5},
			Want: "rope: long_factor has 3 numbers, want one for each of 2 pairs"},
		{Name: "scaling", Configuration: "phi3", Keys: map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 2}},
			Want: `config.json: rope_scaling: rope type "linear": models of this architecture have default or longrope`},
		{Name: "part of a head", Configuration: "phi4mini", Keys: map[string]any{"partial_rotary_factor": 0.45},
			Want: "config.json: partial_rotary_factor: 0.45 of a head of 8 columns is no even number of them"},
	})
}
