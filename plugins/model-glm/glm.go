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
	glm1 = "GlmForCausalLM"
	glm4 = "Glm4ForCausalLM"
)

// glm builds GLM-4 (GLM Team, 2024): half of each head's columns rotate, in neighbouring
// pairs, gate and up come of one linear, and the later models normalise what blocks add
// too.
type glm struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	architecture string
	rope         rope.Settings
	bias         bool // on q, k and v
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		architecture: c.Architecture(glm1, glm4),
		Decoder: blocks.ReadDecoder(c, blocks.Defaults{
			Vocabulary: 151552, Hidden: 4096, Intermediate: 13696, Layers: 40, Heads: 32, KVHeads: 2, HeadWidth: 128,
			Epsilon: 1.5625e-7, Activation: "silu",
		}),
		bias: c.Bool("attention_bias", true),
	}
	s.rope = rope.Read(c, rope.Options{Theta: 10000, Length: 131072, HeadWidth: s.HeadWidth, Partial: 0.5})
	return s, c.Err()
}

// Describe names what the plugin answers for.
func (glm) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "glm", Version: "0.1.0", Architectures: []string{glm1, glm4}, GGUFArchitectures: []string{"glm4"},
	}, nil
}

// Build writes the model down.
func (glm) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(s.architecture)
	b.MaxLength(req.MaxLength)
	s.rope.Note(b)
	attention := blocks.AttentionSpec{Rotation: blocks.Rotate(b, s.rope, req.MaxLength), BiasQKV: s.bias}
	attention.Rotation.Interleaved = true

	x := s.Embed(b, req.Untied)
	for i := range s.Layers {
		b.Scope("model.layers.%d", i)
		h := s.Attention(b, b.RMSNorm(x, "input_layernorm", s.Epsilon), attention)
		if s.architecture == glm4 {
			h = b.RMSNorm(h, "post_self_attn_layernorm", s.Epsilon)
		}
		x = b.Add(x, h, "self_attn.residual")
		h = s.FusedMLP(b, b.RMSNorm(x, "post_attention_layernorm", s.Epsilon))
		if s.architecture == glm4 {
			h = b.RMSNorm(h, "post_mlp_layernorm", s.Epsilon)
		}
		x = b.Add(x, h, "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// Interface guard.
var _ model.Model = glm{}
