package main

import (
	"context"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
)

// lfm2 builds LFM2 (Liquid AI, 2025): most of its layers are short convolutions between
// two gates, the others attend with normalised queries and keys.
type lfm2 struct{}

// Describe names what the plugin answers for.
func (lfm2) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "lfm2", Version: "0.1.0", Architectures: []string{architecture}, GGUFArchitectures: []string{"lfm2"},
	}, nil
}

// Build writes the model down.
func (lfm2) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(architecture)
	b.MaxLength(req.MaxLength)
	s.rope.Note(b)
	attention := blocks.AttentionSpec{Rotation: blocks.Rotate(b, s.rope, req.MaxLength), Norm: s.norm, Output: "self_attn.out_proj"}

	x := s.Embed(b, req.Untied)
	for i := range s.Layers {
		b.Scope("model.layers.%d", i)
		h := b.RMSNorm(x, "operator_norm", s.Epsilon)
		if s.types[i] == convolution {
			x = b.Add(x, s.convolve(b, h), "conv.residual")
		} else {
			x = b.Add(x, s.Attention(b, h, attention), "self_attn.residual")
		}
		x = b.Add(x, s.mlp(b, b.RMSNorm(x, "ffn_norm", s.Epsilon)), "feed_forward.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.embedding_norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// The roles of a convolution's linears.
const (
	roleConvIn  graph.Role = "conv.in"
	roleConvOut graph.Role = "conv.out"
)

// convolve is out(after · conv(before · x)), the three of one linear.
func (s settings) convolve(b *graph.Builder, x graph.ValueID) graph.ValueID {
	bias := graph.WithBias(s.convBias)
	parts := b.Split(b.Linear(x, "conv.in_proj", 3*s.Hidden, roleConvIn, bias), "conv.split", 1, s.Hidden, s.Hidden, s.Hidden)
	before, after, x := parts[0], parts[1], parts[2]
	gated := b.Map("conv.before", "gate * x", graph.In("gate", before), graph.In("x", x))
	y := b.Conv(gated, "conv.conv", s.kernel, s.convBias)
	y = b.Map("conv.after", "gate * x", graph.In("gate", after), graph.In("x", y))
	return b.Linear(y, "conv.out_proj", s.Hidden, roleConvOut, bias)
}

// mlp is w2(silu(w1(x)) · w3(x)).
func (s settings) mlp(b *graph.Builder, x graph.ValueID) graph.ValueID {
	gate := b.Linear(x, "feed_forward.w1", s.Intermediate, graph.RoleMLPGate)
	up := b.Linear(x, "feed_forward.w3", s.Intermediate, graph.RoleMLPUp)
	return b.Linear(b.Gated(gate, up, s.Activation, "feed_forward.act"), "feed_forward.w2", s.Hidden, graph.RoleMLPDown)
}

// norm normalises each head's queries or keys.
func (s settings) norm(b *graph.Builder, x graph.ValueID, which string, heads int) graph.ValueID {
	return b.Norm(x, "self_attn."+which+"_layernorm", graph.NormSpec{Epsilon: s.Epsilon, Groups: heads})
}

// Interface guard.
var _ model.Model = lfm2{}
