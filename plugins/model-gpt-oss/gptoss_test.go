package main

import (
	"testing"

	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, gptOSS{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, gptOSS{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, gptOSS{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, gptOSS{}) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	s, err := read([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	want := blocks.Decoder{
		Vocabulary: 201088, Hidden: 2880, Intermediate: 2880, Layers: 36, Heads: 64, KVHeads: 8, HeadWidth: 64, Epsilon: 1e-5,
		Activation: "silu",
	}
	mixture := blocks.Mixture{Experts: 128, TopK: 4, Width: 2880}
	if s.Decoder != want || s.mixture != mixture || !s.bias || s.window != 128 || s.alpha != 1.702 || s.limit != 7 {
		t.Errorf("%+v", s)
	}
	if r := s.rope; r.Kind != "yarn" || r.Theta != 150000 || r.Length != 131072 || !r.Exact {
		t.Errorf("%+v", r)
	}
	for i, got := range s.types {
		if sliding := got == blocks.SlidingAttention; sliding != (i%2 == 0) {
			t.Errorf("layer %d has %s", i, got)
		}
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, gptOSS{}, []modeltest.Mistake{
		{Name: "limit", Configuration: "gptoss", Keys: map[string]any{"swiglu_limit": 0}, Want: "config.json: swiglu_limit: 0 is not above 0"},
		{Name: "layer types", Configuration: "gptoss", Keys: map[string]any{"layer_types": []string{"full_attention"}},
			Want: "config.json: layer_types: 1 layers, num_hidden_layers says 2"},
	})
}

func TestCannotSay(t *testing.T) {
	const full = blocks.FullAttention
	modeltest.CannotSay(t, gptOSS{}, []modeltest.Mistake{
		{Name: "limit", Configuration: "gptoss", Keys: map[string]any{"swiglu_limit": 5},
			Want: "swiglu_alpha, swiglu_limit: a GGUF file of this architecture cannot say that they are 1.702 and 5: they would be read as 1.702 and 7"},
		{Name: "windows", Configuration: "gptoss", Keys: map[string]any{"layer_types": []string{full, full}},
			Want: "layer_types, sliding_window: a GGUF file of this architecture cannot say that layers other than the first, third, … have a window, or that these have none"},
		{Name: "truncate", Configuration: "gptoss", Keys: map[string]any{"rope_scaling": map[string]any{"rope_type": "yarn", "factor": 4}},
			Want: "rope type yarn with truncate has no place in a GGUF file of this architecture: it would be read as without"},
	})
}
