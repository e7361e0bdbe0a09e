package main

import (
	"testing"

	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, granite{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, granite{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, granite{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, granite{}) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	s, err := read([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	want := blocks.Decoder{
		Vocabulary: 32000, Hidden: 4096, Intermediate: 11008, Layers: 32, Heads: 32, KVHeads: 32, HeadWidth: 128,
		Epsilon: 1e-6, Activation: "silu",
	}
	if s.Decoder != want || s.embedding != 1 || s.scores != 1 || s.residual != 1 || s.logits != 1 || s.attentionBias || s.mlpBias {
		t.Errorf("%+v", s)
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, granite{}, []modeltest.Mistake{
		{Name: "logits", Configuration: "granite", Keys: map[string]any{"logits_scaling": 0}, Want: "config.json: logits_scaling: 0 is not above 0"},
		{Name: "residual", Configuration: "granite", Keys: map[string]any{"residual_multiplier": "x"},
			Want: `config.json: residual_multiplier: "x" is not a number`},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, granite{}, []modeltest.Mistake{
		{Name: "activation", Configuration: "granite", Keys: map[string]any{"hidden_act": "relu"},
			Want: "hidden_act: a GGUF file of this architecture cannot say that the activation is relu: it would be read as silu"},
	})
}
