package main

import (
	"testing"

	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, starcoder2{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, starcoder2{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, starcoder2{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, starcoder2{}) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	s, err := read([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	want := blocks.Decoder{
		Vocabulary: 49152, Hidden: 3072, Intermediate: 12288, Layers: 30, Heads: 24, KVHeads: 2, HeadWidth: 128,
		Epsilon: 1e-5, Activation: "gelu_tanh", Tied: true,
	}
	if s.Decoder != want || s.window != 0 || !s.bias || s.rope.Length != 4096 {
		t.Errorf("%+v", s)
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, starcoder2{}, []modeltest.Mistake{
		{Name: "epsilon", Configuration: "starcoder2", Keys: map[string]any{"norm_epsilon": -1}, Want: "config.json: norm_epsilon: -1 is not above 0"},
		{Name: "window", Configuration: "starcoder2", Keys: map[string]any{"sliding_window": 0},
			Want: "config.json: sliding_window: 0 is not a whole number from 1 to a billion"},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, starcoder2{}, []modeltest.Mistake{
		{Name: "activation", Configuration: "starcoder2", Keys: map[string]any{"hidden_act": "silu"},
			Want: "hidden_act: a GGUF file of this architecture cannot say that the activation is silu: it would be read as gelu_tanh"},
	})
}
