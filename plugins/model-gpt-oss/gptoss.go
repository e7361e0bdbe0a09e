package main

import (
	"context"
	"fmt"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
)

// gptOSS builds gpt-oss (OpenAI, 2025): biases nearly everywhere, sinks in the softmax
// of attention (Xiao et al., 2024), a window on every other layer, and in each a mixture
// of experts.
type gptOSS struct{}

// Describe names what the plugin answers for.
func (gptOSS) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "gpt-oss", Version: "0.1.0", Architectures: []string{architecture}, GGUFArchitectures: []string{"gpt-oss"},
	}, nil
}

// Build writes the model down.
func (gptOSS) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(architecture)
	b.MaxLength(req.MaxLength)
	s.rope.Note(b)
	attention := blocks.AttentionSpec{
		Rotation: blocks.Rotate(b, s.rope, req.MaxLength), BiasQKV: s.bias, BiasO: s.bias, Sinks: "self_attn.sinks",
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
		x = b.Add(x, s.experts(b, h), "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// experts is a layer's mixture. The scores of the chosen experts alone make their
// weights. Gates and ups alternate in the rows of one linear.
func (s settings) experts(b *graph.Builder, x graph.ValueID) graph.ValueID {
	m := s.mixture
	logits := b.Linear(x, "mlp.router", m.Experts, graph.RoleRouter, graph.WithBias(true))
	indices, weights := m.Choose(b, logits, blocks.RouteSpec{After: true})
	up := b.ExpertLinear(x, indices, blocks.ExpertsGateUp, graph.ExpertLinear{
		Experts: m.Experts,
		Weight:  expertWeight(b, blocks.ExpertsGateUp, m.Experts, 2*m.Width, s.Hidden, graph.RoleExpertUp),
		Bias:    b.Param(blocks.ExpertsGateUp+"_bias", []int{m.Experts, 2 * m.Width}, graph.RoleExpertUp),
	})
	parts := b.Split(up, "mlp.experts.split", m.Width, 1, 1)
	act := fmt.Sprintf("min(gate, %[1]v) * sigmoid(%[2]v * min(gate, %[1]v)) * (max(min(up, %[1]v), -%[1]v) + 1)", s.limit, s.alpha)
	h := b.Map("mlp.experts.act", act, graph.In("gate", parts[0]), graph.In("up", parts[1]))
	y := b.ExpertLinear(h, indices, blocks.ExpertsDown, graph.ExpertLinear{
		Experts: m.Experts,
		Weight:  expertWeight(b, blocks.ExpertsDown, m.Experts, s.Hidden, m.Width, graph.RoleExpertDown),
		Bias:    b.Param(blocks.ExpertsDown+"_bias", []int{m.Experts, s.Hidden}, graph.RoleExpertDown),
	})
	return b.Combine(y, weights, "mlp.combine")
}

// expertWeight declares the weight of a linear of all experts, which a checkpoint holds
// transposed, or packed, as the published ones do.
func expertWeight(b *graph.Builder, name string, experts, out, in int, role graph.Role) graph.ParamID {
	path := b.Path(name)
	source := graph.FromTensor(path).Permute(0, 2, 1).Else(packed(path))
	return b.Param(name, []int{experts, out, in}, role, graph.From(source))
}

// packed is the weight of that name where a checkpoint holds it in MXFP4.
func packed(path string) *graph.Source {
	return graph.MXFP4(graph.FromTensor(path+packedEnding), graph.FromTensor(path+"_scales"))
}

// packedEnding is what the name of a packed weight's numbers ends in.
const packedEnding = "_blocks"

// Interface guard.
var _ model.Model = gptOSS{}
