package main

import (
	"context"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// architecture is the name that configurations carry.
const architecture = "LlamaForCausalLM"

// llama builds Llama (Touvron et al., 2023; Grattafiori et al., 2024).
type llama struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	rope          rope.Settings
	attentionBias bool // on q, k, v and o
	mlpBias       bool
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		Decoder: blocks.ReadDecoder(c, blocks.Defaults{
			Vocabulary: 32000, Hidden: 4096, Intermediate: 11008, Layers: 32, Heads: 32, Epsilon: 1e-6, Activation: "silu",
		}),
		attentionBias: c.Bool("attention_bias", false),
		mlpBias:       c.Bool("mlp_bias", false),
	}
	s.rope = rope.Read(c, rope.Options{Theta: 10000, HeadWidth: s.HeadWidth})
	return s, c.Err()
}

// Describe names what the plugin answers for.
func (llama) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "llama", Version: "0.1.0",
		Architectures: []string{architecture}, GGUFArchitectures: []string{"llama"},
	}, nil
}

// Build writes the model down.
func (llama) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(architecture)
	b.MaxLength(req.MaxLength)
	s.rope.Note(b)
	rotation := blocks.Rotate(b, s.rope, req.MaxLength)

	x := s.Embed(b, req.Untied)
	for i := range s.Layers {
		b.Scope("model.layers.%d", i)
		h := b.RMSNorm(x, "input_layernorm", s.Epsilon)
		h = s.Attention(b, h, blocks.AttentionSpec{Rotation: rotation, BiasQKV: s.attentionBias, BiasO: s.attentionBias})
		x = b.Add(x, h, "self_attn.residual")
		h = b.RMSNorm(x, "post_attention_layernorm", s.Epsilon)
		x = b.Add(x, s.GatedMLP(b, h, s.mlpBias), "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// Interface guard.
var _ model.Model = llama{}
