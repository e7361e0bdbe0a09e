package main

import (
	"testing"

	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, cohere{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, cohere{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, cohere{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, cohere{}) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	for _, test := range []struct {
		config string
		theta  float64
		window int
		third  string // kind of the third layer
	}{
		{`{"architectures": ["CohereForCausalLM"]}`, 500000, 0, blocks.FullAttention},
		{`{"architectures": ["Cohere2ForCausalLM"]}`, 10000, 4096, blocks.SlidingAttention},
	} {
		s, err := read([]byte(test.config))
		if err != nil {
			t.Fatal(err)
		}
		want := blocks.Decoder{
			Vocabulary: 256000, Hidden: 8192, Intermediate: 22528, Layers: 40, Heads: 64, KVHeads: 64, HeadWidth: 128,
			Epsilon: 1e-5, Activation: "silu", Tied: true,
		}
		if s.Decoder != want || s.rope.Theta != test.theta || s.rope.Length != 8192 || s.window != test.window || s.scale != 0.0625 ||
			s.types[2] != test.third || s.types[3] != blocks.FullAttention || s.headNorm || s.bias {
			t.Errorf("%s: %+v", test.config, s)
		}
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, cohere{}, []modeltest.Mistake{
		{Name: "scale", Configuration: "cohere", Keys: map[string]any{"logit_scale": -1}, Want: "config.json: logit_scale: -1 is not above 0"},
		{Name: "epsilon", Configuration: "cohere2", Keys: map[string]any{"layer_norm_eps": 0}, Want: "config.json: layer_norm_eps: 0 is not above 0"},
		{Name: "pattern", Configuration: "cohere2", Keys: map[string]any{"sliding_window_pattern": 0},
			Want: "config.json: sliding_window_pattern: 0 is not a whole number from 1 to a billion"},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, cohere{}, []modeltest.Mistake{
		{Name: "head", Configuration: "cohere", Keys: map[string]any{"tie_word_embeddings": false},
			Want: "tie_word_embeddings: a GGUF file of this architecture has no head of its own"},
		{Name: "norms", Configuration: "norms", Want: "use_qk_norm: llama.cpp reads norms of queries and keys of models of 64 layers or more alone, this one has 1"},
		{Name: "scaling", Configuration: "cohere", Keys: map[string]any{"rope_scaling": map[string]any{"type": "dynamic", "factor": 2}},
			Want: `rope type "dynamic" has no place in a GGUF file of this architecture`},
		{Name: "layers", Configuration: "cohere2", Keys: map[string]any{"layer_types": []string{blocks.FullAttention, blocks.SlidingAttention}},
			Want: "layer_types: a GGUF file of this architecture can say no other than one layer without a window after a fixed number with one"},
	})
}

// TestNormsInGGUF: norms of queries and keys of a model that has enough layers for
// them to be read go to a file and come back.
func TestNormsInGGUF(t *testing.T) {
	const name = "model.layers.63.self_attn.q_norm.weight"
	configuration := modeltest.Change(t, modeltest.Configurations(t)["norms"], map[string]any{"num_hidden_layers": 64})
	out, err := cohere{}.ToGGUF(t.Context(), &model.ToGGUFRequest{Configuration: configuration, Tensors: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Tensors) != 1 || out.Tensors[0].Name != "blk.63.attn_q_norm.weight" || out.Tensors[0].Source.String() != name {
		t.Errorf("%+v", out.Tensors)
	}
	back, err := cohere{}.FromGGUF(t.Context(), &model.FromGGUFRequest{
		Metadata: map[string]any{
			"general.architecture": "command-r", "command-r.embedding_length": uint64(12), "command-r.block_count": uint64(64),
			"command-r.feed_forward_length": uint64(20), "command-r.attention.head_count": uint64(3), "command-r.context_length": uint64(64),
		},
		Tensors: map[string][]int{"token_embd.weight": {17, 12}, "blk.0.attn_q_norm.weight": {3, 4}, "blk.63.attn_q_norm.weight": {3, 4}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := read(back.Configuration)
	if err != nil || !s.headNorm || back.Tensors[name].String() != "blk.63.attn_q_norm.weight" {
		t.Errorf("%+v, %v, %v", s, err, back.Tensors)
	}
}
