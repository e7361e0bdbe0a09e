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
	mistral1   = "MistralForCausalLM"
	ministral  = "MinistralForCausalLM"
	ministral3 = "Ministral3ForCausalLM"
)

// mistral builds Mistral (Jiang et al., 2023); Ministral, of whose layers some have a
// window and others none; and Ministral 3, whose queries grow with their position.
type mistral struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	architecture string
	rope         rope.Settings
	types        []string // of layers
	window       int      // of sliding layers: each token sees so many, itself included; 0: all
	beta         float64  // of the growth of queries; 0: none
	step         int      // so many positions have the same
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{architecture: c.Architecture(mistral1, ministral, ministral3)}
	defaults := blocks.Defaults{
		Vocabulary: 32000, Hidden: 4096, Intermediate: 14336, Layers: 32, Heads: 32, KVHeads: 8, Epsilon: 1e-6, Activation: "silu",
	}
	options := rope.Options{Theta: 10000, Length: 131072}
	if s.architecture == ministral3 {
		defaults.Vocabulary, defaults.Layers, defaults.HeadWidth, defaults.Epsilon = 131072, 34, 128, 1e-5
		options.Length = 262144
	}
	s.Decoder = blocks.ReadDecoder(c, defaults)
	options.HeadWidth = s.HeadWidth
	s.rope = rope.Read(c, options)
	s.readWindows(c)
	if s.architecture == ministral3 {
		s.readGrowth(c)
	}
	return s, c.Err()
}

// readWindows reads the window, which is that of all layers unless layer_types says
// otherwise, as Ministral's does.
func (s *settings) readWindows(c *hfconfig.Config) {
	if s.architecture == ministral3 && !c.Has("sliding_window") || c.Null("sliding_window") {
		s.types = s.LayerTypes(c, blocks.EveryNth(0))
		return
	}
	s.window = c.Int("sliding_window", 4096)
	all := func(int) string { return blocks.SlidingAttention }
	if s.types = s.LayerTypes(c, all); s.architecture != ministral {
		for i := range s.types {
			s.types[i] = all(i)
		}
	}
}

// readGrowth reads the growth of queries, which stands with the settings of RoPE.
func (s *settings) readGrowth(c *hfconfig.Config) {
	p := c.Object("rope_parameters")
	if p == nil || p.Empty() {
		p = c.Object("rope_scaling")
	}
	if p == nil {
		c.Failf("rope_parameters", "is missing, this architecture needs it")
		return
	}
	if p.Has("llama_4_scaling_beta") {
		s.beta = p.Positive("llama_4_scaling_beta", 0)
		s.step = p.Int("original_max_position_embeddings", s.rope.Length)
	}
}

// temper multiplies queries by what grows with their position.
func (s settings) temper() string {
	if s.beta == 0 {
		return ""
	}
	return fmt.Sprintf("q * (1 + %v * log1p(floor(pos / %d)))", s.beta, s.step)
}

// Describe names what the plugin answers for. GGUF files of Mistral carry the
// architecture llama, which has no window; model-llama answers for them, and for those
// of Ministral.
func (mistral) Describe(context.Context) (*model.Description, error) {
	return &model.Description{Name: "mistral", Version: "0.1.0", Architectures: []string{mistral1, ministral, ministral3},
		GGUFArchitectures: []string{"mistral3"}}, nil
}

// Build writes the model down.
func (mistral) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(s.architecture)
	b.MaxLength(req.MaxLength)
	s.rope.Note(b)
	attention := blocks.AttentionSpec{Rotation: blocks.Rotate(b, s.rope, req.MaxLength), Temper: s.temper()}

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
		x = b.Add(x, s.GatedMLP(b, h, false), "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// Interface guard.
var _ model.Model = mistral{}
