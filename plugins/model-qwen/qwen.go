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
	qwen2    = "Qwen2ForCausalLM"
	qwen3    = "Qwen3ForCausalLM"
	qwen3moe = "Qwen3MoeForCausalLM"
)

// qwen builds Qwen 2 and 2.5 (Yang et al., 2024), which have biases on queries,
// keys and values, and Qwen 3 (Yang et al., 2025), which normalises the queries
// and keys of each head instead, dense or with a mixture of experts.
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
	mixture      blocks.Mixture
	dense        []bool // layers that have no experts; nil: none has
	normalise    bool   // weights of experts add up to 1
}

// architectures are the names that configurations carry.
var architectures = []string{qwen2, qwen3, qwen3moe}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{architecture: c.Architecture(architectures...)}
	defaults := blocks.Defaults{
		Vocabulary: 151936, Hidden: 4096, Intermediate: 22016, Layers: 32, Heads: 32, KVHeads: 32, Epsilon: 1e-6, Activation: "silu",
	}
	whole := 0 // layers below have no window
	if s.architecture == qwen3moe {
		defaults.Hidden, defaults.Intermediate, defaults.Layers, defaults.KVHeads = 2048, 6144, 24, 4
	} else {
		whole = c.IntFrom("max_window_layers", 28, 0)
	}
	if s.architecture == qwen3 {
		defaults.HeadWidth = 128
	}
	s.biasQKV = s.architecture == qwen2 || c.Bool("attention_bias", false)
	s.biasO = s.architecture != qwen2 && s.biasQKV
	s.Decoder = blocks.ReadDecoder(c, defaults)
	s.rope = rope.Read(c, rope.Options{Theta: 10000, Length: 32768, HeadWidth: s.HeadWidth})
	if c.Bool("use_sliding_window", false) && !c.Null("sliding_window") {
		s.window = c.Int("sliding_window", 4096)
	}
	s.types = s.LayerTypes(c, func(layer int) string {
		if s.window > 0 && layer >= whole {
			return blocks.SlidingAttention
		}
		return blocks.FullAttention
	})
	if s.architecture == qwen3moe {
		s.readExperts(c)
	}
	return s, c.Err()
}

// readExperts reads which layers are mixtures, and of what.
func (s *settings) readExperts(c *hfconfig.Config) {
	s.mixture = s.ReadMixture(c, blocks.Mixture{Experts: 128, TopK: 8}, "num_experts", "num_local_experts")
	s.mixture.Width = c.Int("moe_intermediate_size", 768)
	s.normalise = c.Bool("norm_topk_prob", false)
	every := c.Int("decoder_sparse_step", 1)
	s.dense = make([]bool, len(s.types))
	for i := range s.dense {
		s.dense[i] = (i+1)%every != 0
	}
	for _, i := range c.Ints("mlp_only_layers") {
		if i >= 0 && i < len(s.dense) {
			s.dense[i] = true
		}
	}
}

// Describe names what the plugin answers for.
func (qwen) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "qwen", Version: "0.1.0",
		Architectures: architectures, GGUFArchitectures: []string{"qwen2", "qwen3", "qwen3moe"},
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
	if s.architecture != qwen2 {
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
		x = b.Add(x, s.mlp(b, h, i), "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// mlp is the MLP of a layer, or its mixture of experts.
func (s settings) mlp(b *graph.Builder, x graph.ValueID, layer int) graph.ValueID {
	if s.dense == nil || s.dense[layer] {
		return s.GatedMLP(b, x, false)
	}
	logits := b.Linear(x, "mlp.gate", s.mixture.Experts, graph.RoleRouter)
	indices, weights := s.mixture.Choose(b, logits, blocks.RouteSpec{Normalise: s.normalise})
	return s.Mixed(b, x, indices, weights, s.mixture, experts)
}

// experts is what checkpoints call the linears of an expert.
var experts = blocks.ExpertNames{
	Gate: "mlp.experts.%d.gate_proj", Up: "mlp.experts.%d.up_proj", Down: "mlp.experts.%d.down_proj",
}

// Interface guard.
var _ model.Model = qwen{}
