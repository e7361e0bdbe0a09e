package main

import (
	"context"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
)

// gemma builds Gemma (Mesnard et al., 2024), Gemma 2 (Riviere et al., 2024), which has
// a norm before and after each block, windows on every other layer and caps on scores
// and logits, and Gemma 3 (Kamath et al., 2025), which normalises the queries and keys
// of each head instead of capping, and rotates layers without a window by another base.
type gemma struct{}

// Describe names what the plugin answers for.
func (gemma) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "gemma", Version: "0.1.0",
		Architectures: []string{gemma1, gemma2, gemma3}, GGUFArchitectures: []string{"gemma", "gemma2", "gemma3"},
	}, nil
}

// Build writes the model down.
func (gemma) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(s.architecture)
	b.MaxLength(req.MaxLength)
	s.full.Note(b)
	x := s.EmbedScaled(b, s.embedScale, req.Untied)
	full, sliding := s.attention(b, req.MaxLength)
	for i := range s.Layers {
		b.Scope("model.layers.%d", i)
		attention := full
		if s.types[i] == blocks.SlidingAttention {
			attention = sliding
		}
		if s.architecture == gemma1 {
			x = b.Add(x, s.Attention(b, s.norm(b, x, "input_layernorm"), attention), "self_attn.residual")
			x = b.Add(x, s.GatedMLP(b, s.norm(b, x, "post_attention_layernorm"), false), "mlp.residual")
			continue
		}
		h := s.Attention(b, s.norm(b, x, "input_layernorm"), attention)
		x = b.Add(x, s.norm(b, h, "post_attention_layernorm"), "self_attn.residual")
		h = s.GatedMLP(b, s.norm(b, x, "pre_feedforward_layernorm"), false)
		x = b.Add(x, s.norm(b, h, "post_feedforward_layernorm"), "mlp.residual")
	}
	b.Scope("")
	logits := s.Logits(b, s.norm(b, x, "model.norm"), req.Untied)
	if s.logitCap > 0 {
		logits = b.SoftCap(logits, s.logitCap, "logits_cap")
	}
	b.Logits(logits)
	return blocks.Finish(b)
}

// norm is an RMS norm that multiplies by 1 + weight.
func (s settings) norm(b *graph.Builder, x graph.ValueID, module string) graph.ValueID {
	return b.Norm(x, module, graph.NormSpec{Epsilon: s.Epsilon, PlusOne: true})
}

// attention is how layers that see all tokens attend, and how those with a window do.
func (s settings) attention(b *graph.Builder, maxLength int) (full, sliding blocks.AttentionSpec) {
	full = blocks.AttentionSpec{
		Rotation: blocks.Rotate(b, s.full, maxLength), BiasQKV: s.bias, BiasO: s.bias, Scale: s.scale, Cap: s.scoreCap,
	}
	if s.architecture == gemma3 {
		full.Norm = blocks.HeadNorm(graph.NormSpec{Epsilon: s.Epsilon, PlusOne: true})
	}
	sliding = full
	sliding.Rotation, sliding.Window = blocks.Rotate(b, s.sliding, maxLength), s.window
	return full, sliding
}

// Interface guard.
var _ model.Model = gemma{}
