package main

import (
	"testing"

	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, glm{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, glm{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, glm{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, glm{}) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	s, err := read([]byte(`{"architectures": ["Glm4ForCausalLM"]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := blocks.Decoder{
		Vocabulary: 151552, Hidden: 4096, Intermediate: 13696, Layers: 40, Heads: 32, KVHeads: 2, HeadWidth: 128,
		Epsilon: 1.5625e-7, Activation: "silu",
	}
	if s.Decoder != want || s.rope.Width != 64 || s.rope.Length != 131072 || !s.bias {
		t.Errorf("%+v", s)
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, glm{}, []modeltest.Mistake{
		{Name: "part of a head", Configuration: "glm4", Keys: map[string]any{"partial_rotary_factor": 0.4},
			Want: "config.json: partial_rotary_factor: 0.4 of a head of 8 columns is no even number of them"},
		{Name: "bias", Configuration: "glm", Keys: map[string]any{"attention_bias": 1},
			Want: "config.json: attention_bias: 1 is not true or false"},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, glm{}, []modeltest.Mistake{
		{Name: "the first", Configuration: "glm", Want: "GlmForCausalLM has no architecture of GGUF that hone writes"},
	})
}
