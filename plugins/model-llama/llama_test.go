package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

// small is the small configuration.
func small(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "small.json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// change is that with other keys; a nil value removes one.
func change(t testing.TB, keys map[string]any) []byte {
	t.Helper()
	return modeltest.Change(t, small(t), keys)
}

func build(t testing.TB, config []byte, untied bool) *graph.Graph {
	t.Helper()
	g, err := llama{}.Build(t.Context(), &model.BuildRequest{Configuration: config, MaxLength: 64, Untied: untied})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestGraph: the Graph of a small configuration, written out.
func TestGraph(t *testing.T) { modeltest.Graphs(t, llama{}) }

// TestHead: whose weights the head has, and where from.
func TestHead(t *testing.T) {
	tests := []struct {
		name         string
		tied, untied bool
		param        string
		source       string
		role         graph.Role
	}{
		{"tied", true, false, "model.embed_tokens.weight", "model.embed_tokens.weight|lm_head.weight", graph.RoleEmbed},
		{"two tensors that differ", true, true, "lm_head.weight", "lm_head.weight|model.embed_tokens.weight", graph.RoleHead},
		{"not tied", false, false, "lm_head.weight", "lm_head.weight|model.embed_tokens.weight", graph.RoleHead},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := build(t, change(t, map[string]any{"tie_word_embeddings": test.tied}), test.untied)
			linears := g.Linears()
			head, ok := g.Nodes[linears[len(linears)-1]].Op.(*graph.Linear)
			if !ok || head.Module != "lm_head" {
				t.Fatalf("the last linear is %+v", head)
			}
			p := g.Params[head.Weight]
			if p.Name != test.param || p.Source.String() != test.source || p.Role != test.role {
				t.Errorf("%s from %s, role %s", p.Name, p.Source, p.Role)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct {
		name string
		keys map[string]any
		want string
	}{
		{"heads that do not divide", map[string]any{"hidden_size": 13}, "config.json: hidden_size: 13 is no multiple of num_attention_heads 3, and there is no head_dim"},
		{"key heads that do not divide", map[string]any{"num_key_value_heads": 2}, "config.json: num_key_value_heads: 2 does not divide num_attention_heads 3"},
		{"no heads", map[string]any{"num_attention_heads": 0}, "config.json: num_attention_heads: 0 is not a whole number from 1 to a billion"},
		{"layers that are text", map[string]any{"num_hidden_layers": "two"}, `config.json: num_hidden_layers: "two" is not a whole number`},
		{"too many layers", map[string]any{"num_hidden_layers": 100000}, "config.json: num_hidden_layers: 100000 layers, at most 2000 are allowed"},
		{"epsilon", map[string]any{"rms_norm_eps": -1}, "config.json: rms_norm_eps: -1 is not above 0"},
		{"activation", map[string]any{"hidden_act": "xielu"}, `config.json: hidden_act: activation "xielu" is not known; known are gelu, gelu_new, gelu_pytorch_tanh, relu, silu, swish`},
		{"an odd head", map[string]any{"head_dim": 5}, "config.json: head_dim: heads of 5 columns cannot be rotated in pairs"},
		{"tie", map[string]any{"tie_word_embeddings": "no"}, `config.json: tie_word_embeddings: "no" is not true or false`},
		{"rope", map[string]any{"rope_parameters": map[string]any{"rope_type": "linear"}}, `config.json: rope_parameters.factor: is missing, rope type "linear" needs it`},
		{"wide", map[string]any{"intermediate_size": 100000000}, `graph: model.layers.0.mlp.gate_proj (linear): output 0 would have 100000000 columns, at most 16777216 are allowed`},
		{"frequencies", map[string]any{"rope_parameters": nil, "rope_theta": 1e-300}, "rope: the settings give pair 1 the frequency +Inf"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := llama{}.Build(t.Context(), &model.BuildRequest{Configuration: change(t, test.keys)})
			if err == nil || err.Error() != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
			if !errors.Is(err, fault.InvalidModel) {
				t.Error("it is no fault.InvalidModel")
			}
		})
	}
}

// TestDefaults: keys that are absent or null are those of transformers.
func TestDefaults(t *testing.T) {
	plain, err := read([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	nulls, err := read([]byte(`{"num_key_value_heads": null, "head_dim": null, "rope_scaling": null, "hidden_size": null}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]settings{"absent": plain, "null": nulls} {
		d := s.Decoder
		if d.Vocabulary != 32000 || d.Hidden != 4096 || d.Intermediate != 11008 || d.Layers != 32 || d.Heads != 32 || d.KVHeads != 32 ||
			d.HeadWidth != 128 || d.Epsilon != 1e-6 || d.Activation != "silu" || d.Tied || s.attentionBias || s.mlpBias ||
			s.rope.Theta != 10000 || s.rope.Kind != "default" || s.rope.Length != 2048 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// FuzzBuild: a configuration is refused or gives a valid Graph; nothing panics or
// grows without bound.
func FuzzBuild(f *testing.F) {
	f.Add(small(f), 64, false)
	f.Add(change(f, map[string]any{"head_dim": 8, "num_hidden_layers": 3, "rope_parameters": nil, "rope_scaling": map[string]any{"type": "dynamic", "factor": 2}}), 300, true)
	f.Add([]byte(`{}`), 0, false)
	f.Add([]byte(`{"rope_scaling": {"type": "yarn", "factor": 4, "truncate": false}}`), 1<<20, false)
	f.Fuzz(func(t *testing.T, config []byte, maxLength int, untied bool) {
		g, err := llama{}.Build(t.Context(), &model.BuildRequest{Configuration: config, MaxLength: maxLength, Untied: untied})
		switch {
		case err != nil && !errors.Is(err, fault.InvalidModel):
			t.Errorf("%v is no fault.InvalidModel", err)
		case err == nil:
			if err := g.Validate(); err != nil {
				t.Error(err)
			}
		}
		_, err = llama{}.ToGGUF(t.Context(), &model.ToGGUFRequest{
			Configuration: config, Tensors: []string{"model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.bias"},
		})
		if err != nil && !errors.Is(err, fault.InvalidModel) && !errors.Is(err, fault.Unsupported) {
			t.Errorf("%v has no code", err)
		}
	})
}
