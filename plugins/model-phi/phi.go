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
const architecture = "Phi3ForCausalLM"

// phi builds Phi-3 (Abdin et al., 2024) and what came after it under its name: a
// Llama with queries, keys and values of one linear, and gate and up of one.
type phi struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	rope   rope.Settings
	window int // each token sees so many, itself included; 0: all
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{Decoder: blocks.ReadDecoder(c, blocks.Defaults{
		Vocabulary: 32064, Hidden: 3072, Intermediate: 8192, Layers: 32, Heads: 32, Epsilon: 1e-5, Activation: "silu",
	})}
	s.rope = rope.Read(c, rope.Options{Theta: 10000, Length: 4096, HeadWidth: s.HeadWidth})
	if s.rope.Kind != "default" && s.rope.Kind != "longrope" {
		c.Failf("rope_scaling", "rope type %q: models of this architecture have default or longrope", s.rope.Kind)
	}
	if c.Has("sliding_window") {
		s.window = c.Int("sliding_window", 0)
	}
	return s, c.Err()
}

// Describe names what the plugin answers for.
func (phi) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "phi", Version: "0.1.0", Architectures: []string{architecture}, GGUFArchitectures: []string{"phi3"},
	}, nil
}

// Build writes the model down.
func (phi) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(architecture)
	b.MaxLength(req.MaxLength)
	s.rope.Note(b)
	attention := blocks.AttentionSpec{Rotation: blocks.Rotate(b, s.rope, req.MaxLength), Window: s.window}

	x := s.Embed(b, req.Untied)
	for i := range s.Layers {
		b.Scope("model.layers.%d", i)
		h := b.RMSNorm(x, "input_layernorm", s.Epsilon)
		x = b.Add(x, s.FusedAttention(b, h, attention), "self_attn.residual")
		h = b.RMSNorm(x, "post_attention_layernorm", s.Epsilon)
		x = b.Add(x, s.FusedMLP(b, h), "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// Interface guard.
var _ model.Model = phi{}
