package main

import (
	"testing"

	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestConformance(t *testing.T) { modeltest.Conformance(t, apertus{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, apertus{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, apertus{}) }

// TestGraphs compares the graphs with testdata/*.graph; go test -update writes them anew.
func TestGraphs(t *testing.T) { modeltest.Graphs(t, apertus{}) }

// TestGolden holds the plugin to transformers and PEFT. xIELU's β and its bound of expm1
// are constants that checkpoints repeat.
func TestGolden(t *testing.T) {
	modeltest.Golden(t, apertus{}, "model.layers.*.mlp.act_fn.beta", "model.layers.*.mlp.act_fn.eps")
}

// TestDefaults: what a configuration does not say is what transformers takes.
func TestDefaults(t *testing.T) {
	s, err := read([]byte(`{"architectures": ["ApertusForCausalLM"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if s.rope.Kind != "llama3" || s.rope.Theta != 12e6 || s.rope.Length != 65536 || s.Activation != xielu || s.Vocabulary != 131072 || s.KVHeads != 32 {
		t.Errorf("%+v", s)
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, apertus{}, []modeltest.Mistake{
		{Name: "heads", Configuration: "small", Keys: map[string]any{"num_key_value_heads": 3},
			Want: "config.json: num_key_value_heads: 3 does not divide num_attention_heads 4"},
	})
}
