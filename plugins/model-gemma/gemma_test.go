package main

import (
	"encoding/json"
	"testing"

	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, served) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, served) }
func TestFiles(t *testing.T)       { modeltest.Files(t, served) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, served) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	later := blocks.Decoder{
		Vocabulary: 256000, Hidden: 2304, Intermediate: 9216, Layers: 26, Heads: 8, KVHeads: 4, HeadWidth: 256,
		Epsilon: 1e-6, Activation: tanhGELU, Tied: true,
	}
	first := later
	first.Hidden, first.Intermediate, first.Layers, first.Heads, first.KVHeads = 3072, 24576, 28, 16, 16
	third := later
	third.Vocabulary = 262208
	tests := []struct {
		name, config       string
		decoder            blocks.Decoder
		full, sliding      float64 // bases
		scoreCap, logitCap float64
		scale, embedScale  float64
		window, lastWhole  int // the last of the first six layers without a window
	}{
		{"Gemma", `{"architectures": ["GemmaForCausalLM"], "dtype": "bfloat16"}`, first, 1e4, 1e4, 0, 0, 1. / 16, 55.5, 0, 5},
		{"Gemma 2", `{"architectures": ["Gemma2ForCausalLM"]}`, later, 1e4, 1e4, 50, 30, 1. / 16, 48, 4096, 5},
		{"Gemma 2 without caps", `{"architectures": ["Gemma2ForCausalLM"], "attn_logit_softcapping": null, "final_logit_softcapping": null}`, later, 1e4, 1e4, 0, 0, 1. / 16, 48, 4096, 5},
		{"Gemma 3", `{"architectures": ["Gemma3ForCausalLM"]}`, third, 1e6, 1e4, 0, 0, 1. / 16, 48, 4096, 5},
		{"Gemma 3, another scalar", `{"architectures": ["Gemma3ForCausalLM"], "query_pre_attn_scalar": 64, "sliding_window_pattern": 5}`, third, 1e6, 1e4, 0, 0, 1. / 8, 48, 4096, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := read([]byte(test.config))
			if err != nil {
				t.Fatal(err)
			}
			whole := 0
			for i, kind := range s.types[:6] {
				if kind == blocks.FullAttention {
					whole = i
				}
			}
			if s.Decoder != test.decoder || s.full.Theta != test.full || s.sliding.Theta != test.sliding || s.scoreCap != test.scoreCap ||
				s.logitCap != test.logitCap || s.scale != test.scale || s.embedScale != test.embedScale || s.window != test.window || whole != test.lastWhole {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestRotationForms: the settings of RoPE in the form before transformers 5 and in its
// own give the same Graph.
func TestRotationForms(t *testing.T) {
	older := modeltest.Configurations(t)["gemma3"]
	newer := modeltest.Change(t, older, map[string]any{
		"rope_theta": nil, "rope_local_base_freq": nil, "rope_scaling": nil, "rope_parameters": map[string]any{
			"full_attention":    map[string]any{"rope_type": "linear", "factor": 8, "rope_theta": 1e6},
			"sliding_attention": map[string]any{"rope_type": "default", "rope_theta": 1e4},
		},
	})
	texts := make([]string, 2)
	for i, configuration := range [][]byte{older, newer} {
		g, err := gemma{}.Build(t.Context(), &model.BuildRequest{Configuration: configuration})
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = g.Text()
	}
	if texts[0] != texts[1] {
		t.Errorf("the older form gives\n%s\nthe newer\n%s", texts[0], texts[1])
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, gemma{}, []modeltest.Mistake{
		{Name: "cap", Configuration: "gemma2", Keys: map[string]any{"attn_logit_softcapping": -1},
			Want: "config.json: attn_logit_softcapping: -1 is not above 0"},
		{Name: "scalar", Configuration: "gemma3", Keys: map[string]any{"query_pre_attn_scalar": 0},
			Want: "config.json: query_pre_attn_scalar: 0 is not above 0"},
		{Name: "both ways", Configuration: "gemma3", Keys: map[string]any{"use_bidirectional_attention": true},
			Want: "config.json: use_bidirectional_attention: tokens that see later ones are not supported"},
		{Name: "local base", Configuration: "gemma3", Keys: map[string]any{"rope_local_base_freq": "x"},
			Want: `config.json: rope_local_base_freq: "x" is not a number`},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, gemma{}, []modeltest.Mistake{
		{Name: "head", Configuration: "gemma", Keys: map[string]any{"tie_word_embeddings": false},
			Want: "tie_word_embeddings: a GGUF file of this architecture has no head of its own"},
		{Name: "scalar", Configuration: "gemma2", Keys: map[string]any{"query_pre_attn_scalar": 20},
			Want: "query_pre_attn_scalar: a GGUF file of this architecture cannot say it: it would be read as 8"},
		{Name: "no cap", Configuration: "gemma2", Keys: map[string]any{"final_logit_softcapping": nil, "attn_logit_softcapping": json.RawMessage("null")},
			Want: "attn_logit_softcapping, final_logit_softcapping: a GGUF file of this architecture cannot say that there is none"},
		{Name: "layers", Configuration: "gemma3", Keys: map[string]any{"layer_types": []string{blocks.FullAttention, blocks.SlidingAttention}},
			Want: "layer_types: a GGUF file of this architecture can say no other than one layer without a window after a fixed number with one"},
	})
}
