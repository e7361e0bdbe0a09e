package main

import (
	"reflect"
	"testing"

	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, lfm2{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, lfm2{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, lfm2{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, lfm2{}) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	s, err := read([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	want := blocks.Decoder{
		Vocabulary: 65536, Hidden: 2560, Intermediate: 8192, Layers: 32, Heads: 32, KVHeads: 8, HeadWidth: 80,
		Epsilon: 1e-5, Activation: "silu", Tied: true,
	}
	if s.Decoder != want || s.kernel != 3 || s.convBias || s.rope.Theta != 1000000 || s.rope.Length != 128000 || s.types[31] != blocks.FullAttention {
		t.Errorf("%+v", s)
	}
}

// TestForms: the older keys, and the width of the MLP.
func TestForms(t *testing.T) {
	tests := []struct {
		name  string
		keys  map[string]any
		width int
		types []string
		tied  bool
	}{
		{"new", nil, 16, []string{convolution, blocks.FullAttention}, true},
		{"old", map[string]any{"layer_types": nil, "full_attn_idxs": []int{0}, "block_ff_dim": 30, "tie_embedding": false},
			20, []string{blocks.FullAttention, convolution}, false},
		{"a factor", map[string]any{"block_ffn_dim_multiplier": 1.3}, 20, []string{convolution, blocks.FullAttention}, true},
		{"as it is", map[string]any{"block_auto_adjust_ff_dim": false}, 24, []string{convolution, blocks.FullAttention}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := read(modeltest.Change(t, modeltest.Configurations(t)["lfm2"], test.keys))
			if err != nil || s.Intermediate != test.width || !reflect.DeepEqual(s.types, test.types) || s.Tied != test.tied {
				t.Errorf("width %d, %v, tied %v, %v", s.Intermediate, s.types, s.Tied, err)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, lfm2{}, []modeltest.Mistake{
		{Name: "layer type", Configuration: "lfm2", Keys: map[string]any{"layer_types": []string{"conv", "sliding_attention"}},
			Want: `config.json: layer_types: layer 1 is "sliding_attention"; known are ["full_attention" "conv"]`},
		{Name: "activation", Configuration: "lfm2", Keys: map[string]any{"hidden_act": "relu"},
			Want: "config.json: hidden_act: relu is none that this architecture has: it is always silu"},
		{Name: "no width", Configuration: "lfm2", Keys: map[string]any{"block_ffn_dim_multiplier": 0.01},
			Want: "config.json: block_ffn_dim_multiplier: 0.01 of 16 columns makes no width"},
		{Name: "kernel", Configuration: "lfm2", Keys: map[string]any{"conv_L_cache": 0},
			Want: "config.json: conv_L_cache: 0 is not a whole number from 1 to a billion"},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, lfm2{}, []modeltest.Mistake{
		{Name: "biases", Configuration: "lfm2", Keys: map[string]any{"conv_bias": true},
			Want: "conv_bias: a GGUF file of this architecture has no biases"},
	})
}
