package main

import (
	"context"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// The names that configurations carry.
const (
	qwen2 = "Qwen2ForCausalLM"
	qwen3 = "Qwen3ForCausalLM"
)

// qwen builds Qwen 2 and 2.5 (Yang et al., 2024), which have biases on queries,
// keys and values, and Qwen 3 (Yang et al., 2025), which normalises the queries
// and keys of each head instead.
type qwen struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	architecture string
	rope         rope.Settings
	biasQKV      bool
	biasO        bool
	types        []string // of layers
	window       int      // of sliding layers; 0: none
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{architecture: c.Architecture(qwen2, qwen3)}
	defaults := blocks.Defaults{
		Vocabulary: 151936, Hidden: 4096, Intermediate: 22016, Layers: 32, Heads: 32, KVHeads: 32, Epsilon: 1e-6, Activation: "silu",
	}
	if s.architecture == qwen3 {
		defaults.HeadWidth = 128
		s.biasQKV = c.Bool("attention_bias", false)
		s.biasO = s.biasQKV
	} else {
		s.biasQKV = true
	}
	s.Decoder = blocks.ReadDecoder(c, defaults)
	s.rope = rope.Read(c, rope.Options{Theta: 10000, Length: 32768, HeadWidth: s.HeadWidth})
	if c.Bool("use_sliding_window", false) && !c.Null("sliding_window") {
		s.window = c.Int("sliding_window", 4096)
	}
	whole := c.IntFrom("max_window_layers", 28, 0)
	s.types = s.LayerTypes(c, func(layer int) string {
		if s.window > 0 && layer >= whole {
			return blocks.SlidingAttention
		}
		return blocks.FullAttention
	})
	return s, c.Err()
}

// Describe names what the plugin answers for.
func (qwen) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "qwen", Version: "0.1.0",
		Architectures: []string{qwen2, qwen3}, GGUFArchitectures: []string{"qwen2", "qwen3"},
	}, nil
}

// Build writes the model down.
func (qwen) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(s.architecture)
	b.MaxLength(req.MaxLength)
	s.rope.Note(b)
	attention := blocks.AttentionSpec{Rotation: blocks.Rotate(b, s.rope, req.MaxLength), BiasQKV: s.biasQKV, BiasO: s.biasO}
	if s.architecture == qwen3 {
		attention.Norm = blocks.HeadNorm(graph.NormSpec{Epsilon: s.Epsilon})
	}

	x := s.Embed(b, req.Untied)
	for i := range s.Layers {
		b.Scope("model.layers.%d", i)
		attention.Window = 0
		if s.types[i] == blocks.SlidingAttention {
			attention.Window = s.window
		}
		h := b.RMSNorm(x, "input_layernorm", s.Epsilon)
		x = b.Add(x, s.Attention(b, h, attention), "self_attn.residual")
		h = b.RMSNorm(x, "post_attention_layernorm", s.Epsilon)
		x = b.Add(x, s.GatedMLP(b, h, false), "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// Interface guard.
var _ model.Model = qwen{}
