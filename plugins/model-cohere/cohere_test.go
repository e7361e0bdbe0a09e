package main

import (
	"testing"

	"github.com/honeml/hone/plugins/internal/modeltest"
	"github.com/honeml/hone/sdk/model/blocks"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, cohere{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, cohere{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, cohere{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, cohere{}) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	for _, test := range []struct {
		config string
		theta  float64
		window int
		third  string // kind of the third layer
	}{
		{`{"architectures": ["CohereForCausalLM"]}`, 500000, 0, blocks.FullAttention},
		{`{"architectures": ["Cohere2ForCausalLM"]}`, 10000, 4096, blocks.SlidingAttention},
	} {
		s, err := read([]byte(test.config))
		if err != nil {
			t.Fatal(err)
		}
		want := blocks.Decoder{
			Vocabulary: 256000, Hidden: 8192, Intermediate: 22528, Layers: 40, Heads: 64, KVHeads: 64, HeadWidth: 128,
			Epsilon: 1e-5, Activation: "silu", Tied: true,
		}
		if s.Decoder != want || s.rope.Theta != test.theta || s.rope.Length != 8192 || s.window != test.window || s.scale != 0.0625 ||
			s.types[2] != test.third || s.types[3] != blocks.FullAttention || s.headNorm || s.bias {
			t.Errorf("%s: %+v", test.config, s)
		}
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, cohere{}, []modeltest.Mistake{
		{Name: "scale", Configuration: "cohere", Keys: map[string]any{"logit_scale": -1}, Want: "config.json: logit_scale: -1 is not above 0"},
		{Name: "epsilon", Configuration: "cohere2", Keys: map[string]any{"layer_norm_eps": 0}, Want: "config.json: layer_norm_eps: 0 is not above 0"},
		{Name: "pattern", Configuration: "cohere2", Keys: map[string]any{"sliding_window_pattern": 0},
			Want: "config.json: sliding_window_pattern: 0 is not a whole number from 1 to a billion"},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, cohere{}, []modeltest.Mistake{
		{Name: "head", Configuration: "cohere", Keys: map[string]any{"tie_word_embeddings": false},
			Want: "tie_word_embeddings: a GGUF file of this architecture has no head of its own"},
		{Name: "scaling", Configuration: "cohere", Keys: map[string]any{"rope_scaling": map[string]any{"type": "dynamic", "factor": 2}},
			Want: `rope type "dynamic" has no place in a GGUF file of this architecture`},
		{Name: "layers", Configuration: "cohere2", Keys: map[string]any{"layer_types": []string{blocks.FullAttention, blocks.SlidingAttention}},
			Want: "layer_types: a GGUF file of this architecture can say no other than one layer without a window after a fixed number with one"},
	})
}
