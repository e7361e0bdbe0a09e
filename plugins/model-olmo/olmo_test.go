package main

import (
	"encoding/json"
	"testing"

	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, olmo{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, olmo{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, olmo{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, olmo{}) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	for _, test := range []struct {
		config string
		theta  float64
		window int
		third  string // kind of the third layer
	}{
		{`{"architectures": ["Olmo2ForCausalLM"]}`, 10000, 0, blocks.FullAttention},
		{`{"architectures": ["Olmo3ForCausalLM"]}`, 500000, 4096, blocks.SlidingAttention},
	} {
		s, err := read([]byte(test.config))
		if err != nil {
			t.Fatal(err)
		}
		want := blocks.Decoder{
			Vocabulary: 50304, Hidden: 4096, Intermediate: 11008, Layers: 32, Heads: 32, KVHeads: 32, HeadWidth: 128,
			Epsilon: 1e-5, Activation: "silu",
		}
		if s.Decoder != want || s.full.Theta != test.theta || s.full.Length != 2048 || s.window != test.window ||
			s.types[2] != test.third || s.types[3] != blocks.FullAttention {
			t.Errorf("%s: %+v", test.config, s)
		}
	}
}

// TestScaling: scaling is that of layers without a window.
func TestScaling(t *testing.T) {
	s, err := read(modeltest.Configurations(t)["olmo3"])
	if err != nil || s.full.Kind != "yarn" || s.sliding.Kind != "default" {
		t.Errorf("%s and %s, %v", s.full.Kind, s.sliding.Kind, err)
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, olmo{}, []modeltest.Mistake{
		{Name: "window", Configuration: "olmo3", Keys: map[string]any{"sliding_window": 0},
			Want: "config.json: sliding_window: 0 is not a whole number from 1 to a billion"},
		{Name: "layers", Configuration: "olmo3", Keys: map[string]any{"layer_types": []string{"full_attention"}},
			Want: "config.json: layer_types: 1 layers, num_hidden_layers says 2"},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, olmo{}, []modeltest.Mistake{
		{Name: "tie", Configuration: "olmo2", Keys: map[string]any{"tie_word_embeddings": true},
			Want: "tie_word_embeddings: a GGUF file of this architecture has a head of its own"},
		{Name: "no window", Configuration: "olmo3", Keys: map[string]any{"sliding_window": json.RawMessage("null")},
			Want: "sliding_window: a GGUF file of this architecture is one of OLMo 2 if it has no window"},
		{Name: "scaling of windows", Configuration: "olmo3", Keys: map[string]any{"rope_scaling": nil, "rope_parameters": map[string]any{
			"full_attention":    map[string]any{"rope_type": "default", "rope_theta": 10000},
			"sliding_attention": map[string]any{"rope_type": "linear", "factor": 2, "rope_theta": 10000},
		}}, Want: "rope_parameters: a GGUF file of this architecture cannot say that layers with a window have scaling or a base of their own"},
	})
}
