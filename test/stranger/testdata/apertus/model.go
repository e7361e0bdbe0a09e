package main

import (
	"context"
	"encoding/json"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// architecture is the name that configurations carry.
const architecture = "ApertusForCausalLM"

// apertus builds Apertus (Swiss AI Initiative, 2025): a decoder whose MLP has no gate,
// and for activation xIELU (Huang and Schlag, 2024), of which each layer learns two
// numbers.
type apertus struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	rope rope.Settings
	bias bool // on q, k, v and o
}

// read reads a configuration; its defaults are those of transformers' configuration class.
func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	if !c.Has("rope_parameters") && !c.Has("rope_scaling") {
		if c, err = withUsualRope(configuration); err != nil {
			return settings{}, err
		}
	}
	s := settings{
		Decoder: blocks.ReadDecoder(c, blocks.Defaults{
			Vocabulary: 131072, Hidden: 4096, Intermediate: 14336, Layers: 32, Heads: 32, Epsilon: 1e-5,
		}),
		bias: c.Bool("attention_bias", false),
	}
	if s.Activation = c.String("hidden_act", xielu); s.Activation != xielu {
		s.Activation = c.Activation("hidden_act", "")
	}
	s.rope = rope.Read(c, rope.Options{Theta: 12e6, Length: 65536, HeadWidth: s.HeadWidth})
	return s, c.Err()
}

// withUsualRope is a configuration with the scaling that one without any has.
func withUsualRope(configuration []byte) (*hfconfig.Config, error) {
	values := map[string]json.RawMessage{}
	if err := json.Unmarshal(configuration, &values); err != nil {
		return nil, fault.New(fault.InvalidModel, "config.json: %w", err)
	}
	values["rope_parameters"] = json.RawMessage(`{
		"rope_type": "llama3", "rope_theta": 12000000.0, "factor": 8.0, "original_max_position_embeddings": 8192,
		"low_freq_factor": 1.0, "high_freq_factor": 4.0
	}`)
	data, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	return hfconfig.Parse(data)
}

// Describe names what the plugin answers for.
func (apertus) Describe(context.Context) (*model.Description, error) {
	return &model.Description{Name: "apertus", Version: version, Architectures: []string{architecture}}, nil
}

// Build writes the model down.
func (apertus) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(architecture)
	b.MaxLength(req.MaxLength)
	s.rope.Note(b)
	attention := blocks.AttentionSpec{
		Rotation: blocks.Rotate(b, s.rope, req.MaxLength), BiasQKV: s.bias, BiasO: s.bias,
		Norm: blocks.HeadNorm(graph.NormSpec{Epsilon: s.Epsilon}),
	}

	x := s.Embed(b, req.Untied)
	for i := range s.Layers {
		b.Scope("model.layers.%d", i)
		h := b.RMSNorm(x, "attention_layernorm", s.Epsilon)
		x = b.Add(x, s.Attention(b, h, attention), "self_attn.residual")
		h = b.RMSNorm(x, "feedforward_layernorm", s.Epsilon)
		x = b.Add(x, s.mlp(b, h), "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// xielu is the activation's name in configurations.
const xielu = "xielu"

// xieluExpression is xIELU of x, with β = 1/2 and its two learned numbers as they are
// stored, before softplus. A checkpoint holds β and the bound of expm1 too; they are
// never trained.
const xieluExpression = "x / 2 + where(x > 0, softplus(p) * x * x, (expm1(min(x, -0.000001)) - x) * (0.5 + softplus(n)))"

// mlp is down(activation(up(x))).
func (s settings) mlp(b *graph.Builder, x graph.ValueID) graph.ValueID {
	h := b.Linear(x, "mlp.up_proj", s.Intermediate, graph.RoleMLPUp)
	if s.Activation == xielu {
		h = b.Map("mlp.act_fn", xieluExpression, graph.In("x", h),
			graph.Par("p", b.Param("mlp.act_fn.alpha_p", []int{1}, graph.RoleMapParam)),
			graph.Par("n", b.Param("mlp.act_fn.alpha_n", []int{1}, graph.RoleMapParam)))
	} else {
		h = b.Map("mlp.act_fn", s.Activation+"(x)", graph.In("x", h))
	}
	return b.Linear(h, "mlp.down_proj", s.Hidden, graph.RoleMLPDown)
}

// FromGGUF: the learned numbers stand in key-values of GGUF files, which the Graph's
// sources cannot read.
func (apertus) FromGGUF(context.Context, *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	return nil, noGGUF()
}

// ToGGUF is the reverse.
func (apertus) ToGGUF(context.Context, *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	return nil, noGGUF()
}

func noGGUF() error {
	return fault.New(fault.Unsupported, "GGUF files of %s are not supported by the plugin model-apertus", architecture)
}

// Interface guard.
var _ model.Model = apertus{}
