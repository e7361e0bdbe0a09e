package main

import (
	"testing"

	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, mixtral{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, mixtral{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, mixtral{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, mixtral{}) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	s, err := read([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	want := blocks.Decoder{
		Vocabulary: 32000, Hidden: 4096, Intermediate: 14336, Layers: 32, Heads: 32, KVHeads: 8, HeadWidth: 128, Epsilon: 1e-5,
		Activation: "silu",
	}
	mixture := blocks.Mixture{Experts: 8, TopK: 2, Width: 14336}
	if s.Decoder != want || s.mixture != mixture || s.window != 0 || s.rope.Theta != 1000000 || s.rope.Length != 131072 {
		t.Errorf("%+v", s)
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, mixtral{}, []modeltest.Mistake{
		{Name: "too many at a time", Configuration: "mixtral", Keys: map[string]any{"num_experts_per_tok": 4},
			Want: "config.json: num_experts_per_tok: 4 of 3 experts"},
		{Name: "too many", Configuration: "mixtral", Keys: map[string]any{"num_local_experts": 40000},
			Want: "config.json: num_local_experts: 40000 experts in each of 2 layers, at most 65536 in all are allowed"},
		{Name: "none", Configuration: "mixtral", Keys: map[string]any{"num_local_experts": 0},
			Want: "config.json: num_local_experts: 0 is not a whole number from 1 to a billion"},
	})
}
