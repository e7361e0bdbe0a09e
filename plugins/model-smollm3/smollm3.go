package main

import (
	"context"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/ggufmap"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// architecture is the name that configurations carry.
const architecture = "SmolLM3ForCausalLM"

// smollm3 builds SmolLM3 (Bakouch et al., 2025): a Llama of which some layers, every
// fourth, have no positions.
type smollm3 struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	rope          rope.Settings
	rotates       []bool   // of layers: whether they have positions
	types         []string // of layers
	window        int      // of sliding layers; 0: none
	attentionBias bool     // on q, k, v and o
	mlpBias       bool
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		Decoder: blocks.ReadDecoder(c, blocks.Defaults{
			Vocabulary: 128256, Hidden: 2048, Intermediate: 11008, Layers: 36, Heads: 16, KVHeads: 4,
			Epsilon: 1e-6, Activation: "silu", Tied: true,
		}),
		attentionBias: c.Bool("attention_bias", false),
		mlpBias:       c.Bool("mlp_bias", false),
	}
	s.rope = rope.Read(c, rope.Options{Theta: 2000000, Length: 32768, HeadWidth: s.HeadWidth})
	s.readRotates(c)
	if c.Bool("use_sliding_window", false) && c.Has("sliding_window") {
		s.window = c.Int("sliding_window", 0)
	}
	s.types = s.LayerTypes(c, func(layer int) string {
		if s.window > 0 && layer < len(s.rotates) && !s.rotates[layer] {
			return blocks.SlidingAttention
		}
		return blocks.FullAttention
	})
	return s, c.Err()
}

// readRotates reads which layers have positions. In no_rope_layers it is a 1 that says
// that a layer has them.
func (s *settings) readRotates(c *hfconfig.Config) {
	const key = "no_rope_layers"
	interval := c.Int("no_rope_layer_interval", usualInterval)
	list := c.Ints(key)
	if list != nil && len(list) != s.Layers {
		c.Failf(key, "%d layers, num_hidden_layers says %d", len(list), s.Layers)
	}
	if c.Err() != nil {
		return
	}
	for i := range s.Layers {
		s.rotates = append(s.rotates, list != nil && list[i] != 0 || list == nil && (i+1)%interval != 0)
	}
}

// usualInterval is how many layers there are to one without positions.
const usualInterval = 4

// Describe names what the plugin answers for.
func (smollm3) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "smollm3", Version: "0.1.0", Architectures: []string{architecture}, GGUFArchitectures: []string{"smollm3"},
	}, nil
}

// Build writes the model down.
func (smollm3) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
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
		attention := blocks.AttentionSpec{BiasQKV: s.attentionBias, BiasO: s.attentionBias}
		if s.rotates[i] {
			attention.Rotation = rotation
		}
		if s.types[i] == blocks.SlidingAttention {
			attention.Window = s.window
		}
		h := b.RMSNorm(x, "input_layernorm", s.Epsilon)
		x = b.Add(x, s.Attention(b, h, attention), "self_attn.residual")
		h = b.RMSNorm(x, "post_attention_layernorm", s.Epsilon)
		x = b.Add(x, s.GatedMLP(b, h, s.mlpBias), "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

func (s settings) names() ggufmap.Map { return ggufmap.Llama("smollm3", s.Layers, s.Heads, s.KVHeads) }

// FromGGUF makes a configuration of a file's key-values. llama.cpp rotates
// interleaved pairs and holds the rows of queries and keys in that order.
func (smollm3) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	_, config["attention_bias"] = req.Tensors["blk.0.attn_q.bias"]
	_, config["mlp_bias"] = req.Tensors["blk.0.ffn_up.bias"]
	r.AddScaling(config, req.RopeFactors)
	return ggufmap.Answer(r, config, architecture, "smollm3", req.Tensors, read, settings.names)
}

// ToGGUF is the reverse.
func (smollm3) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	for i := range s.Layers {
		if s.rotates[i] != ((i+1)%usualInterval != 0) {
			return nil, fault.New(fault.Unsupported, "no_rope_layers: a GGUF file of this architecture cannot say that others than every fourth layer have no positions")
		}
		if s.window > 0 && s.types[i] == blocks.SlidingAttention {
			return nil, fault.New(fault.Unsupported, "use_sliding_window: a GGUF file of this architecture cannot say that layers have a window of %d: it would be read without", s.window)
		}
	}
	return s.WriteGGUF(req, s.names(), keys, s.rope)
}

// Interface guard.
var _ model.Model = smollm3{}
