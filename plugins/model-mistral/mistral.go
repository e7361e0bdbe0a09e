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
const architecture = "MistralForCausalLM"

// mistral builds Mistral (Jiang et al., 2023).
type mistral struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	rope   rope.Settings
	window int // each token sees so many, itself included; 0: all
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{Decoder: blocks.ReadDecoder(c, blocks.Defaults{
		Vocabulary: 32000, Hidden: 4096, Intermediate: 14336, Layers: 32, Heads: 32, KVHeads: 8, Epsilon: 1e-6, Activation: "silu",
	})}
	s.rope = rope.Read(c, rope.Options{Theta: 10000, Length: 131072, HeadWidth: s.HeadWidth})
	if !c.Null("sliding_window") {
		s.window = c.Int("sliding_window", 4096)
	}
	return s, c.Err()
}

// Describe names what the plugin answers for. GGUF files of Mistral carry the
// architecture llama, which has no window; model-llama answers for them.
func (mistral) Describe(context.Context) (*model.Description, error) {
	return &model.Description{Name: "mistral", Version: "0.1.0", Architectures: []string{architecture}}, nil
}

// Build writes the model down.
func (mistral) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
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
		x = b.Add(x, s.GatedMLP(b, h, false), "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// FromGGUF refuses: no GGUF file says that it is a Mistral.
func (mistral) FromGGUF(context.Context, *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	return nil, fault.New(fault.Unsupported, "gguf: files of Mistral carry the architecture llama, which model-llama reads")
}

// ToGGUF writes the architecture llama. GGUF has no key for its window, which
// llama.cpp therefore ignores.
func (mistral) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	return s.WriteGGUF(req, ggufmap.Llama("llama", s.Layers, s.Heads, s.KVHeads), keys, s.rope)
}

// Interface guard.
var _ model.Model = mistral{}
