package main

import (
	"context"
	"math"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
)

// deepseek builds DeepSeek V3 (DeepSeek-AI, 2024): latent attention, and mixtures of
// experts in groups beside experts that serve every token. Layers that predict further
// tokens, beyond num_hidden_layers, are left out.
type deepseek struct{}

// Describe names what the plugin answers for.
func (deepseek) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "deepseek", Version: "0.1.0", Architectures: []string{architecture}, GGUFArchitectures: []string{"deepseek2"},
	}, nil
}

// Build writes the model down.
func (deepseek) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
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
		x = b.Add(x, s.attention(b, h, rotation), "self_attn.residual")
		h = b.RMSNorm(x, "post_attention_layernorm", s.Epsilon)
		if i < s.dense {
			h = s.GatedMLP(b, h, false)
		} else {
			h = s.experts(b, h)
		}
		x = b.Add(x, h, "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// The roles of latent attention's linears: those that compress, and those that expand.
const (
	roleQueryDown    graph.Role = "attn.q_a"
	roleQueryUp      graph.Role = "attn.q_b"
	roleKeyValueDown graph.Role = "attn.kv_a"
	roleKeyValueUp   graph.Role = "attn.kv_b"
)

// latentEpsilon is that of the norms inside of attention, whatever rms_norm_eps says.
const latentEpsilon = 1e-6

// attention is multi-head latent attention (DeepSeek-AI, 2024): queries, and keys and
// values together, come of vectors of lower rank. Of keys, the columns that rotate come
// of x itself, one head for all.
func (s settings) attention(b *graph.Builder, x graph.ValueID, r blocks.Rotation) graph.ValueID {
	width := s.plain + s.rotated
	bias := graph.WithBias(s.bias)
	var q graph.ValueID
	if s.queryRank == 0 {
		q = b.Linear(x, "self_attn.q_proj", s.Heads*width, graph.RoleAttnQ)
	} else {
		q = b.Linear(x, "self_attn.q_a_proj", s.queryRank, roleQueryDown, bias)
		q = b.Linear(b.RMSNorm(q, "self_attn.q_a_layernorm", latentEpsilon), "self_attn.q_b_proj", s.Heads*width, roleQueryUp)
	}
	down := b.Linear(x, "self_attn.kv_a_proj_with_mqa", s.rank+s.rotated, roleKeyValueDown, bias)
	parts := b.Split(down, "self_attn.kv_a_split", 1, s.rank, s.rotated)
	up := b.RMSNorm(parts[0], "self_attn.kv_a_layernorm", latentEpsilon)
	up = b.Linear(up, "self_attn.kv_b_proj", s.Heads*(s.plain+s.value), roleKeyValueUp)
	kv := b.Split(up, "self_attn.kv_b_split", s.Heads, s.plain, s.value)

	rotate := graph.RoPE{Freq: r.Freq, Factor: r.Factor, Interleaved: s.interleaved, Heads: 1}
	shared := b.RoPE(parts[1], "self_attn.k_rope", rotate)
	rotate.Heads, rotate.Offset = s.Heads, s.plain
	q = b.RoPE(q, "self_attn.q_rope", rotate)
	k := b.Concat("self_attn.k", s.Heads, graph.Part(kv[0]), graph.Repeated(shared))
	y := b.Attention(q, k, kv[1], "self_attn", graph.AttentionSpec{
		Heads: s.Heads, KVHeads: s.Heads, Scale: s.rope.Scores() / math.Sqrt(float64(width)),
	})
	return b.Linear(y, "self_attn.o_proj", s.Hidden, graph.RoleAttnO, bias)
}

// experts is a layer's mixture and, beside it, one MLP as wide as all shared experts.
// A bias that training balances experts by counts for the choice, not for the weights
// (Wang et al., 2024).
func (s settings) experts(b *graph.Builder, x graph.ValueID) graph.ValueID {
	logits := b.Linear(x, "mlp.gate", s.mixture.Experts, graph.RoleRouter, graph.Float32Out())
	indices, weights := s.mixture.Choose(b, logits, blocks.RouteSpec{
		Sigmoid: true, Bias: "mlp.gate.e_score_correction_bias",
		Groups: s.groups, Keep: s.keep, GroupTop: min(2, s.mixture.Experts/s.groups),
		Normalise: s.normalise, NormEpsilon: 1e-20, Factor: s.factor,
	})
	y := s.Mixed(b, x, indices, weights, s.mixture, experts)
	if s.shared == 0 {
		return y
	}
	return b.Add(y, s.GatedMLPAt(b, x, "mlp.shared_experts", s.mixture.Width*s.shared, false), "mlp.sum")
}

// experts is what checkpoints call the linears of an expert.
var experts = blocks.ExpertNames{
	Gate: "mlp.experts.%d.gate_proj", Up: "mlp.experts.%d.up_proj", Down: "mlp.experts.%d.down_proj",
}

// Interface guard.
var _ model.Model = deepseek{}
