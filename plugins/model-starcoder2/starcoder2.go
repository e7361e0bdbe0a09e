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
const architecture = "Starcoder2ForCausalLM"

// starcoder2 builds StarCoder 2 (Lozhkov et al., 2024): layer norms, biases and an MLP
// without a gate.
type starcoder2 struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	rope   rope.Settings
	bias   bool // on all linears
	window int  // each token sees so many, itself included; 0: all
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		Decoder: blocks.ReadDecoder(c, blocks.Defaults{
			Vocabulary: 49152, Hidden: 3072, Intermediate: 12288, Layers: 30, Heads: 24, KVHeads: 2,
			Epsilon: 1e-5, EpsilonKey: "norm_epsilon", Activation: "gelu_pytorch_tanh", Tied: true,
		}),
		bias: c.Bool("use_bias", true),
	}
	s.rope = rope.Read(c, rope.Options{Theta: 10000, Length: 4096, HeadWidth: s.HeadWidth})
	if c.Has("sliding_window") {
		s.window = c.Int("sliding_window", 0)
	}
	return s, c.Err()
}

// Describe names what the plugin answers for.
func (starcoder2) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "starcoder2", Version: "0.1.0", Architectures: []string{architecture}, GGUFArchitectures: []string{"starcoder2"},
	}, nil
}

// Build writes the model down.
func (starcoder2) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(architecture)
	b.MaxLength(req.MaxLength)
	s.rope.Note(b)
	attention := blocks.AttentionSpec{
		Rotation: blocks.Rotate(b, s.rope, req.MaxLength), BiasQKV: s.bias, BiasO: s.bias, Window: s.window,
	}

	x := s.Embed(b, req.Untied)
	for i := range s.Layers {
		b.Scope("model.layers.%d", i)
		h := b.LayerNorm(x, "input_layernorm", s.Epsilon, true)
		x = b.Add(x, s.Attention(b, h, attention), "self_attn.residual")
		x = b.Add(x, s.mlp(b, b.LayerNorm(x, "post_attention_layernorm", s.Epsilon, true)), "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.LayerNorm(x, "model.norm", s.Epsilon, true), req.Untied)
	return blocks.Finish(b)
}

// mlp is c_proj(activation(c_fc(x))).
func (s settings) mlp(b *graph.Builder, x graph.ValueID) graph.ValueID {
	bias := graph.WithBias(s.bias)
	up := b.Linear(x, "mlp.c_fc", s.Intermediate, graph.RoleMLPUp, bias)
	return b.Linear(b.Map("mlp.act", s.Activation+"(x)", graph.In("x", up)), "mlp.c_proj", s.Hidden, graph.RoleMLPDown, bias)
}

// names are the tensors of a file, whose rows stand as in a checkpoint.
func (s settings) names() ggufmap.Map {
	return ggufmap.Llama("starcoder2", s.Layers, 0, 0).With(
		ggufmap.Pair{Checkpoint: "mlp.gate_proj"}, ggufmap.Pair{Checkpoint: "mlp.up_proj"}, ggufmap.Pair{Checkpoint: "mlp.down_proj"},
		ggufmap.Pair{Checkpoint: "mlp.c_fc", GGUF: "ffn_up"}, ggufmap.Pair{Checkpoint: "mlp.c_proj", GGUF: "ffn_down"},
	)
}

// FromGGUF makes a configuration of a file's key-values.
func (starcoder2) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	config["hidden_act"] = "gelu_pytorch_tanh"
	config["norm_epsilon"] = r.Float("attention.layer_norm_epsilon", 1e-5)
	_, config["use_bias"] = req.Tensors["blk.0.attn_q.bias"]
	if window := r.Int("attention.sliding_window", 0); window > 0 {
		config["sliding_window"] = window
	}
	r.AddScaling(config, req.RopeFactors)
	return ggufmap.Answer(r, config, architecture, "starcoder2", req.Tensors, read, settings.names)
}

// ToGGUF is the reverse. llama.cpp reads no window of this architecture; hone does.
func (starcoder2) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.rope, "gelu_tanh")
	if err != nil {
		return nil, err
	}
	delete(keys, "attention.layer_norm_rms_epsilon")
	keys["attention.layer_norm_epsilon"] = float32(s.Epsilon)
	if s.window > 0 {
		keys["attention.sliding_window"] = uint32(s.window)
	}
	return s.WriteGGUF(req, s.names(), keys, s.rope)
}

// Interface guard.
var _ model.Model = starcoder2{}
