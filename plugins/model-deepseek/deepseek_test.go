package main

import (
	"testing"

	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, deepseek{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, deepseek{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, deepseek{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, deepseek{}) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	s, err := read([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	want := blocks.Decoder{
		Vocabulary: 129280, Hidden: 7168, Intermediate: 18432, Layers: 61, Heads: 128, KVHeads: 128, HeadWidth: 64, Epsilon: 1e-6,
		Activation: "silu",
	}
	attention := latent{queryRank: 1536, rank: 512, plain: 128, rotated: 64, value: 128}
	mixture := blocks.Mixture{Experts: 256, TopK: 8, Width: 2048}
	if s.Decoder != want || s.latent != attention || s.mixture != mixture || s.shared != 1 || s.dense != 3 || s.groups != 8 ||
		s.keep != 4 || !s.normalise || s.factor != 2.5 || !s.interleaved || s.rope.Width != 64 || s.rope.Length != 4096 {
		t.Errorf("%+v", s)
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, deepseek{}, []modeltest.Mistake{
		{Name: "heads of keys", Configuration: "deepseek", Keys: map[string]any{"num_key_value_heads": 1},
			Want: "config.json: num_key_value_heads: 1 heads of keys for 2 of queries: latent attention has as many"},
		{Name: "groups", Configuration: "deepseek", Keys: map[string]any{"n_group": 5}, Want: "config.json: n_group: 5 groups of 4 experts"},
		{Name: "groups that do not divide", Configuration: "deepseek", Keys: map[string]any{"n_group": 3},
			Want: "graph: model.layers.1.mlp.route (route): 1 of 3 groups of 4 experts"},
		{Name: "scores", Configuration: "deepseek", Keys: map[string]any{"scoring_func": "softmax"},
			Want: `config.json: scoring_func: "softmax" is none that this architecture has: it is always sigmoid`},
		{Name: "an odd head", Configuration: "deepseek", Keys: map[string]any{"qk_rope_head_dim": 3},
			Want: "config.json: head_dim: heads of 3 columns cannot be rotated in pairs"},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, deepseek{}, []modeltest.Mistake{
		{Name: "halves", Configuration: "deepseek", Keys: map[string]any{"rope_interleave": false},
			Want: "rope_interleave: a GGUF file of this architecture cannot say that the halves of a head rotate, not its neighbours: it would be read so"},
		{Name: "mscale", Configuration: "deepseek", Keys: map[string]any{"rope_scaling": map[string]any{"type": "yarn", "factor": 4, "mscale": 0.7, "mscale_all_dim": 1.0}},
			Want: "rope type yarn with another mscale than mscale_all_dim has no place in a GGUF file of this architecture: llama.cpp multiplies neither cosines nor sines"},
	})
}
