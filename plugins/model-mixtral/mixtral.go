package main

import (
	"context"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/ggufmap"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// architecture is the name that configurations carry.
const architecture = "MixtralForCausalLM"

// mixtral builds Mixtral (Jiang et al., 2024): a Mistral whose MLPs are mixtures of
// experts.
type mixtral struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	rope    rope.Settings
	mixture blocks.Mixture
	window  int // of all layers; 0: none
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{Decoder: blocks.ReadDecoder(c, blocks.Defaults{
		Vocabulary: 32000, Hidden: 4096, Intermediate: 14336, Layers: 32, Heads: 32, KVHeads: 8, Epsilon: 1e-5, Activation: "silu",
	})}
	s.rope = rope.Read(c, rope.Options{Theta: 1000000, Length: 4096 * 32, HeadWidth: s.HeadWidth})
	s.mixture = s.ReadMixture(c, blocks.Mixture{Experts: 8, TopK: 2}, "num_local_experts", "num_experts")
	s.mixture.Width = s.Intermediate
	if c.Has("sliding_window") {
		s.window = c.Int("sliding_window", 0)
	}
	return s, c.Err()
}

// Describe names what the plugin answers for. Files of Mixtral are such of Llama that
// have experts.
func (mixtral) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "mixtral", Version: "0.1.0",
		Architectures: []string{architecture}, GGUFArchitectures: []string{"llama" + model.WithExperts},
	}, nil
}

// The modules of a mixture as checkpoints call them; transformers has renamed the
// first part to mlp.
const router = "block_sparse_moe.gate"

var experts = blocks.ExpertNames{
	Gate: "block_sparse_moe.experts.%d.w1", Up: "block_sparse_moe.experts.%d.w3", Down: "block_sparse_moe.experts.%d.w2",
}

// Build writes the model down.
func (mixtral) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
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
		x = b.Add(x, s.Attention(b, h, attention), "self_attn.residual")
		h = b.RMSNorm(x, "post_attention_layernorm", s.Epsilon)
		logits := b.Linear(h, "mlp.gate", s.mixture.Experts, graph.RoleRouter, graph.WeightFrom(graph.FromTensor(b.Path(router+".weight"))))
		indices, weights := s.mixture.Choose(b, logits, blocks.RouteSpec{Normalise: true})
		x = b.Add(x, s.Mixed(b, h, indices, weights, s.mixture, experts), "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// names are the tensors of a file, in which the rows of queries and keys stand as
// interleaved pairs.
func (s settings) names() ggufmap.Map {
	return ggufmap.Llama("llama", s.Layers, s.Heads, s.KVHeads).With(s.mixture.Pairs(router, experts)...)
}

// FromGGUF makes a configuration of a file's key-values.
func (mixtral) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	config["num_local_experts"], config["num_experts_per_tok"] = r.Need("expert_count"), r.Need("expert_used_count")
	r.AddScaling(config, req.RopeFactors)
	return ggufmap.Answer(r, config, architecture, "mixtral", req.Tensors, read, settings.names)
}

// ToGGUF is the reverse. As for Mistral, llama.cpp has no key for the window.
func (mixtral) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	s.mixture.GGUFKeys(keys)
	return s.WriteGGUF(req, s.names(), keys, s.rope)
}

// Interface guard.
var _ model.Model = mixtral{}
