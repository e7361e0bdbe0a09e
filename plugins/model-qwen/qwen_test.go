package main

import (
	"reflect"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, qwen{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, qwen{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, qwen{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, qwen{}) }

// TestDefaults: keys that are absent or null are those of transformers.
func TestDefaults(t *testing.T) {
	decoder := blocks.Decoder{
		Vocabulary: 151936, Hidden: 4096, Intermediate: 22016, Layers: 32, Heads: 32, KVHeads: 32, HeadWidth: 128,
		Epsilon: 1e-6, Activation: "silu",
	}
	tests := []struct {
		name, config string
		bias, biasO  bool
	}{
		{"Qwen 2", `{"architectures": ["Qwen2ForCausalLM"]}`, true, false},
		{"Qwen 3", `{"architectures": ["Qwen3ForCausalLM"]}`, false, false},
		{"Qwen 3, nulls", `{"architectures": ["Qwen3ForCausalLM"], "num_key_value_heads": null, "sliding_window": null, "attention_bias": null}`, false, false},
		{"Qwen 3, biases", `{"architectures": ["Qwen3ForCausalLM"], "attention_bias": true}`, true, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := read([]byte(test.config))
			if err != nil {
				t.Fatal(err)
			}
			if s.Decoder != decoder || s.biasQKV != test.bias || s.biasO != test.biasO || s.window != 0 || s.rope.Theta != 10000 || s.rope.Length != 32768 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestMixtures: keys that are absent are those of transformers, and which layers are
// mixtures.
func TestMixtures(t *testing.T) {
	s, err := read([]byte(`{"architectures": ["Qwen3MoeForCausalLM"]}`))
	if err != nil {
		t.Fatal(err)
	}
	decoder := blocks.Decoder{
		Vocabulary: 151936, Hidden: 2048, Intermediate: 6144, Layers: 24, Heads: 32, KVHeads: 4, HeadWidth: 64, Epsilon: 1e-6, Activation: "silu",
	}
	if s.Decoder != decoder || s.mixture != (blocks.Mixture{Experts: 128, TopK: 8, Width: 768}) || s.normalise || slices.Contains(s.dense, true) {
		t.Errorf("%+v", s)
	}
	keys := map[string]any{"num_hidden_layers": 6, "decoder_sparse_step": 2, "mlp_only_layers": []int{3, 99, -1}}
	s, err = read(modeltest.Change(t, modeltest.Configurations(t)["qwen3moe"], keys))
	if want := []bool{true, false, true, true, true, false}; err != nil || !slices.Equal(s.dense, want) {
		t.Errorf("dense layers %v, want %v, %v", s.dense, want, err)
	}
}

// TestWindows: which layers have a window.
func TestWindows(t *testing.T) {
	const full, sliding = blocks.FullAttention, blocks.SlidingAttention
	tests := []struct {
		name string
		keys map[string]any
		want []string
		size int
	}{
		{"not used", nil, []string{full, full}, 0},
		{"from a layer on", map[string]any{"use_sliding_window": true}, []string{full, sliding}, 4},
		{"all", map[string]any{"use_sliding_window": true, "max_window_layers": 0}, []string{sliding, sliding}, 4},
		{"layer by layer", map[string]any{"use_sliding_window": true, "layer_types": []string{sliding, full}}, []string{sliding, full}, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := read(modeltest.Change(t, modeltest.Configurations(t)["qwen2"], test.keys))
			if err != nil || !reflect.DeepEqual(s.types, test.want) || s.window != test.size {
				t.Errorf("%v, window %d, %v", s.types, s.window, err)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, qwen{}, []modeltest.Mistake{
		{Name: "architecture", Configuration: "qwen2", Keys: map[string]any{"architectures": []string{"Qwen1ForCausalLM"}},
			Want: `config.json: architectures: ["Qwen1ForCausalLM"] has none of ["Qwen2ForCausalLM" "Qwen3ForCausalLM" "Qwen3MoeForCausalLM"]`},
		{Name: "layer types", Configuration: "qwen2", Keys: map[string]any{"layer_types": []string{"full_attention"}},
			Want: "config.json: layer_types: 1 layers, num_hidden_layers says 2"},
		{Name: "layer type", Configuration: "qwen3", Keys: map[string]any{"layer_types": []string{"linear_attention"}},
			Want: `config.json: layer_types: layer 0 is "linear_attention"; known are ["full_attention" "sliding_attention"]`},
		{Name: "window", Configuration: "qwen2", Keys: map[string]any{"use_sliding_window": true, "sliding_window": 0},
			Want: "config.json: sliding_window: 0 is not a whole number from 1 to a billion"},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, qwen{}, []modeltest.Mistake{
		{Name: "window", Configuration: "qwen2", Keys: map[string]any{"use_sliding_window": true},
			Want: "use_sliding_window: a GGUF file of this architecture cannot say that layers have a window of 4: it would be read without"},
		{Name: "weights of experts", Configuration: "qwen3moe", Keys: map[string]any{"norm_topk_prob": false},
			Want: "norm_topk_prob: a GGUF file of this architecture cannot say that the weights of experts are left as they are: llama.cpp makes them add up to 1"},
		{Name: "dense layers", Configuration: "qwen3moe", Keys: map[string]any{"mlp_only_layers": []int{1}},
			Want: "mlp_only_layers, decoder_sparse_step: a GGUF file of this architecture cannot say that layer 1 has no experts"},
		{Name: "activation", Configuration: "qwen3", Keys: map[string]any{"hidden_act": "gelu"},
			Want: "hidden_act: a GGUF file of this architecture cannot say that the activation is gelu: it would be read as silu"},
	})
}
