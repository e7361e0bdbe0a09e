package main

import (
	"context"
	"fmt"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// The names that configurations carry.
const (
	cohere1 = "CohereForCausalLM"
	cohere2 = "Cohere2ForCausalLM"
)

// cohere builds Command R and what followed it: attention and MLP read the same layer
// norm and are added at once. The second generation has windows on three layers of four
// and no positions on the others.
type cohere struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	architecture string
	rope         rope.Settings
	bias         bool     // on q, k, v and o
	headNorm     bool     // queries and keys are normalised by head
	scale        float64  // logits are multiplied by it
	types        []string // of layers
	window       int      // of sliding layers
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		architecture: c.Architecture(cohere1, cohere2),
		Decoder: blocks.ReadDecoder(c, blocks.Defaults{
			Vocabulary: 256000, Hidden: 8192, Intermediate: 22528, Layers: 40, Heads: 64,
			Epsilon: 1e-5, EpsilonKey: "layer_norm_eps", Activation: "silu", Tied: true,
		}),
		bias:  c.Bool("attention_bias", false),
		scale: c.Positive("logit_scale", 0.0625),
	}
	options := rope.Options{Theta: 500000, Length: 8192, HeadWidth: s.HeadWidth}
	if s.architecture == cohere1 {
		s.headNorm = c.Bool("use_qk_norm", false)
		s.types = s.LayerTypes(c, blocks.EveryNth(0))
	} else {
		options.Theta = 10000
		s.window = c.Int("sliding_window", 4096)
		s.types = s.LayerTypes(c, blocks.EveryNth(c.Int("sliding_window_pattern", usualPeriod)))
	}
	s.rope = rope.Read(c, options)
	return s, c.Err()
}

// usualPeriod is how many layers there are to one without a window.
const usualPeriod = 4

// Describe names what the plugin answers for.
func (cohere) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "cohere", Version: "0.1.0",
		Architectures: []string{cohere1, cohere2}, GGUFArchitectures: []string{"command-r", "cohere2"},
	}, nil
}

// Build writes the model down.
func (cohere) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(s.architecture)
	b.MaxLength(req.MaxLength)
	s.rope.Note(b)
	rotation := blocks.Rotate(b, s.rope, req.MaxLength)
	rotation.Interleaved = true

	x := s.Embed(b, req.Untied)
	for i := range s.Layers {
		b.Scope("model.layers.%d", i)
		attention := blocks.AttentionSpec{BiasQKV: s.bias, BiasO: s.bias}
		if s.headNorm {
			attention.Norm = s.norm(i)
		}
		if s.types[i] == blocks.SlidingAttention {
			attention.Window = s.window
		}
		if s.architecture == cohere1 || s.types[i] == blocks.SlidingAttention {
			attention.Rotation = rotation
		}
		h := b.LayerNorm(x, "input_layernorm", s.Epsilon, false)
		x = b.Map("residual", "x + a + m", graph.In("x", x),
			graph.In("a", s.Attention(b, h, attention)), graph.In("m", s.GatedMLP(b, h, false)))
	}
	b.Scope("")
	logits := s.Logits(b, b.LayerNorm(x, "model.norm", s.Epsilon, false), req.Untied)
	b.Logits(b.Scale(logits, s.scale, "logit_scale"))
	return blocks.Finish(b)
}

// norm normalises each head's queries or keys by weights of its own, which a checkpoint
// holds as [heads, width].
func (s settings) norm(layer int) blocks.Norm {
	return func(b *graph.Builder, x graph.ValueID, which string, heads int) graph.ValueID {
		module := "self_attn." + which + "_norm"
		return b.Norm(x, module, graph.NormSpec{
			Centre: true, Epsilon: s.Epsilon, Groups: heads, PerColumn: true,
			From: graph.FromTensor(fmt.Sprintf("model.layers.%d.%s.weight", layer, module)).Reshape(heads * s.HeadWidth),
		})
	}
}

// Interface guard.
var _ model.Model = cohere{}
