package main

import (
	"errors"
	"reflect"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, served) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, served) }
func TestFiles(t *testing.T)       { modeltest.Files(t, served) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, served) }

// TestDefaults: keys that are absent or null are those of transformers.
func TestDefaults(t *testing.T) {
	tests := []struct {
		name, config    string
		window, kvHeads int
	}{
		{"absent", `{"architectures": ["MistralForCausalLM"]}`, 4096, 8},
		{"null", `{"architectures": ["MistralForCausalLM"], "sliding_window": null, "num_key_value_heads": null, "head_dim": null}`, 0, 32},
		{"given", `{"architectures": ["MistralForCausalLM"], "sliding_window": 17, "num_key_value_heads": 4}`, 17, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := read([]byte(test.config))
			if err != nil {
				t.Fatal(err)
			}
			d := s.Decoder
			if s.window != test.window || d.KVHeads != test.kvHeads || d.Vocabulary != 32000 || d.Hidden != 4096 || d.Intermediate != 14336 ||
				d.Layers != 32 || d.Heads != 32 || d.HeadWidth != 128 || d.Epsilon != 1e-6 || d.Activation != "silu" || d.Tied ||
				s.rope.Theta != 10000 || s.rope.Length != 131072 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestWindows: which layers have a window.
func TestWindows(t *testing.T) {
	const full, sliding = blocks.FullAttention, blocks.SlidingAttention
	tests := []struct {
		name, configuration string
		keys                map[string]any
		types               []string
		window              int
	}{
		{"Mistral", "small", nil, []string{sliding, sliding}, 16},
		{"Mistral with types of layers, which do not count", "small", map[string]any{"layer_types": []string{full, sliding}}, []string{sliding, sliding}, 16},
		{"Ministral", "ministral", nil, []string{sliding, full}, 4},
		{"Ministral without types", "ministral", map[string]any{"layer_types": nil}, []string{sliding, sliding}, 4},
		{"Ministral 3", "ministral3", nil, []string{full, full}, 0},
		{"Ministral 3 with a window", "ministral3", map[string]any{"sliding_window": 4}, []string{sliding, sliding}, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := read(modeltest.Change(t, modeltest.Configurations(t)[test.configuration], test.keys))
			if err != nil || !reflect.DeepEqual(s.types, test.types) || s.window != test.window {
				t.Errorf("%v, window %d, %v", s.types, s.window, err)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, mistral{}, []modeltest.Mistake{
		{Name: "window", Configuration: "small", Keys: map[string]any{"sliding_window": 0},
			Want: "config.json: sliding_window: 0 is not a whole number from 1 to a billion"},
		{Name: "window that is text", Configuration: "small", Keys: map[string]any{"sliding_window": "all"},
			Want: `config.json: sliding_window: "all" is not a whole number`},
		{Name: "key heads", Configuration: "small", Keys: map[string]any{"num_attention_heads": 6, "num_key_value_heads": 4},
			Want: "config.json: num_key_value_heads: 4 does not divide num_attention_heads 6"},
		{Name: "no rotation", Configuration: "ministral3", Keys: map[string]any{"rope_parameters": nil},
			Want: "config.json: rope_parameters: is missing, this architecture needs it"},
		{Name: "growth", Configuration: "ministral3", Keys: map[string]any{"rope_parameters": map[string]any{"rope_type": "default", "llama_4_scaling_beta": -1}},
			Want: "config.json: rope_parameters.llama_4_scaling_beta: -1 is not above 0"},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, mistral{}, []modeltest.Mistake{
		{Name: "window", Configuration: "ministral3", Keys: map[string]any{"sliding_window": 4},
			Want: "sliding_window: a GGUF file of this architecture cannot say that layers have a window of 4: it would be read without"},
	})
}

// TestGGUF: a file of Mistral is one of llama, which the plugin writes and does not
// read; one of Ministral 3 comes back as it was, in either form of its factor.
func TestGGUF(t *testing.T) {
	for _, name := range []string{"small", "ministral"} {
		configuration := modeltest.Configurations(t)[name]
		out, err := mistral{}.ToGGUF(t.Context(), &model.ToGGUFRequest{Configuration: configuration, Tensors: []string{"model.norm.weight"}})
		if err != nil {
			t.Fatal(err)
		}
		if out.Architecture != "llama" || len(out.Tensors) != 1 || out.Metadata["llama.attention.key_length"] != uint32(6) {
			t.Errorf("%s: %s, %v, %v", name, out.Architecture, out.Tensors, out.Metadata)
		}
	}
	if _, err := (mistral{}).FromGGUF(t.Context(), &model.FromGGUFRequest{}); !errors.Is(err, fault.Unsupported) {
		t.Errorf("FromGGUF: %v", err)
	}
	for key, want := range map[string]float32{"": 1.2772589, "mistral3.rope.scaling.yarn_log_multiplier": 1} {
		r, err := mistral{}.FromGGUF(t.Context(), converted(key))
		if err != nil {
			t.Fatal(err)
		}
		s, err := read(r.Configuration)
		if err != nil {
			t.Fatal(err)
		}
		if _, factor, err := s.rope.Frequencies(64); err != nil || factor != want || s.beta != 0.1 || s.step != 8 {
			t.Errorf("%q: factor %v, beta %v, step %d, %v", key, factor, s.beta, s.step, err)
		}
	}
}

// converted is a file of Ministral 3 as llama.cpp's converter writes it, with one key
// more whose value is 1.
func converted(key string) *model.FromGGUFRequest {
	metadata := map[string]any{key: 1.0, "general.architecture": "mistral3"}
	for k, v := range map[string]any{
		"embedding_length": uint64(8), "block_count": uint64(1), "feed_forward_length": uint64(20), "attention.head_count": uint64(2),
		"attention.key_length": uint64(4), "context_length": uint64(128), "rope.freq_base": 1e6, "attention.temperature_scale": 0.1,
		"rope.scaling.type": "yarn", "rope.scaling.factor": 16.0, "rope.scaling.original_context_length": uint64(8),
	} {
		metadata["mistral3."+k] = v
	}
	return &model.FromGGUFRequest{Metadata: metadata, Tensors: map[string][]int{"token_embd.weight": {30, 8}}}
}
