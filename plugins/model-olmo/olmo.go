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
	olmo2 = "Olmo2ForCausalLM"
	olmo3 = "Olmo3ForCausalLM"
)

// olmo builds OLMo 2 (Team OLMo, 2024), which normalises what blocks add instead of
// what they read, and queries and keys over all heads at once, and OLMo 3 (Team Olmo,
// 2025), of whose layers three of four have a window.
type olmo struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	architecture  string
	full, sliding rope.Settings
	bias          bool     // on q, k, v and o
	types         []string // of layers
	window        int      // of sliding layers; 0: none
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		architecture: c.Architecture(olmo2, olmo3),
		Decoder: blocks.ReadDecoder(c, blocks.Defaults{
			Vocabulary: 50304, Hidden: 4096, Intermediate: 11008, Layers: 32, Heads: 32, Epsilon: 1e-5, Activation: "silu",
		}),
		bias: c.Bool("attention_bias", false),
	}
	if s.architecture == olmo2 {
		s.full = rope.Read(c, rope.Options{Theta: 10000, HeadWidth: s.HeadWidth})
		s.types = s.LayerTypes(c, blocks.EveryNth(0))
		return s, c.Err()
	}
	s.full = rope.Read(c, rope.Options{Theta: 500000, HeadWidth: s.HeadWidth, LayerType: blocks.FullAttention})
	s.sliding = rope.Read(c, rope.Options{Theta: 500000, HeadWidth: s.HeadWidth, LayerType: blocks.SlidingAttention, OwnOnly: true})
	s.types = s.LayerTypes(c, blocks.EveryNth(usualPeriod))
	if !c.Null("sliding_window") {
		s.window = c.Int("sliding_window", 4096)
	}
	return s, c.Err()
}

// usualPeriod is how many layers of OLMo 3 there are to one without a window.
const usualPeriod = 4

// Describe names what the plugin answers for. Files of both carry the architecture
// olmo2.
func (olmo) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "olmo", Version: "0.1.0", Architectures: []string{olmo2, olmo3}, GGUFArchitectures: []string{"olmo2"},
	}, nil
}

// Build writes the model down.
func (olmo) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(s.architecture)
	b.MaxLength(req.MaxLength)
	s.full.Note(b)
	full := blocks.AttentionSpec{Rotation: blocks.Rotate(b, s.full, req.MaxLength), BiasQKV: s.bias, BiasO: s.bias, Norm: s.norm}
	sliding := full
	if s.architecture == olmo3 {
		sliding.Rotation, sliding.Window = blocks.Rotate(b, s.sliding, req.MaxLength), s.window
	}

	x := s.Embed(b, req.Untied)
	for i := range s.Layers {
		b.Scope("model.layers.%d", i)
		attention := full
		if s.types[i] == blocks.SlidingAttention {
			attention = sliding
		}
		h := b.RMSNorm(s.Attention(b, x, attention), "post_attention_layernorm", s.Epsilon)
		x = b.Add(x, h, "self_attn.residual")
		h = b.RMSNorm(s.GatedMLP(b, x, false), "post_feedforward_layernorm", s.Epsilon)
		x = b.Add(x, h, "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// norm normalises queries or keys over all heads at once.
func (s settings) norm(b *graph.Builder, x graph.ValueID, which string, _ int) graph.ValueID {
	return b.RMSNorm(x, "self_attn."+which+"_norm", s.Epsilon)
}

// Interface guard.
var _ model.Model = olmo{}
