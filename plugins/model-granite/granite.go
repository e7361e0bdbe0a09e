package main

import (
	"context"
	"fmt"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/ggufmap"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// architecture is the name that configurations carry.
const architecture = "GraniteForCausalLM"

// granite builds Granite (Granite Team, IBM, 2024): a Llama whose embeddings, scores,
// residuals and logits have factors of their own.
type granite struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	rope          rope.Settings
	attentionBias bool // on q, k, v and o
	mlpBias       bool
	embedding     float64 // embeddings are multiplied by it
	scores        float64 // scores are multiplied by it
	residual      float64 // what blocks add is multiplied by it
	logits        float64 // logits are divided by it
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		Decoder: blocks.ReadDecoder(c, blocks.Defaults{
			Vocabulary: 32000, Hidden: 4096, Intermediate: 11008, Layers: 32, Heads: 32, Epsilon: 1e-6, Activation: "silu",
		}),
		attentionBias: c.Bool("attention_bias", false),
		mlpBias:       c.Bool("mlp_bias", false),
		embedding:     c.Positive("embedding_multiplier", 1),
		scores:        c.Positive("attention_multiplier", 1),
		residual:      c.Positive("residual_multiplier", 1),
		logits:        c.Positive("logits_scaling", 1),
	}
	s.rope = rope.Read(c, rope.Options{Theta: 10000, HeadWidth: s.HeadWidth})
	return s, c.Err()
}

// Describe names what the plugin answers for.
func (granite) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "granite", Version: "0.1.0", Architectures: []string{architecture}, GGUFArchitectures: []string{"granite"},
	}, nil
}

// Build writes the model down.
func (granite) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(architecture)
	b.MaxLength(req.MaxLength)
	s.rope.Note(b)
	attention := blocks.AttentionSpec{
		Rotation: blocks.Rotate(b, s.rope, req.MaxLength), BiasQKV: s.attentionBias, BiasO: s.attentionBias, Scale: s.scores,
	}
	residual := fmt.Sprintf("x + y * %v", s.residual)

	x := s.EmbedScaled(b, s.embedding, req.Untied)
	for i := range s.Layers {
		b.Scope("model.layers.%d", i)
		h := s.Attention(b, b.RMSNorm(x, "input_layernorm", s.Epsilon), attention)
		x = b.Map("self_attn.residual", residual, graph.In("x", x), graph.In("y", h))
		h = s.GatedMLP(b, b.RMSNorm(x, "post_attention_layernorm", s.Epsilon), s.mlpBias)
		x = b.Map("mlp.residual", residual, graph.In("x", x), graph.In("y", h))
	}
	b.Scope("")
	logits := s.Logits(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	b.Logits(b.Map("logits_scaling", fmt.Sprintf("x / %v", s.logits), graph.In("x", logits)))
	return blocks.Finish(b)
}

// FromGGUF makes a configuration of a file's key-values. llama.cpp rotates
// interleaved pairs and holds the rows of queries and keys in that order.
func (granite) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	_, config["attention_bias"] = req.Tensors["blk.0.attn_q.bias"]
	_, config["mlp_bias"] = req.Tensors["blk.0.ffn_up.bias"]
	for key, from := range factors {
		if v := r.Float(from, 0); v != 0 {
			config[key] = v
		}
	}
	r.AddScaling(config, req.RopeFactors)
	return ggufmap.Answer(r, config, architecture, "granite", req.Tensors, read, settings.names)
}

// factors are the keys of a configuration and of a file.
var factors = map[string]string{
	"embedding_multiplier": "embedding_scale", "attention_multiplier": "attention.scale",
	"residual_multiplier": "residual_scale", "logits_scaling": "logit_scale",
}

func (s settings) names() ggufmap.Map { return ggufmap.Llama("granite", s.Layers, s.Heads, s.KVHeads) }

// ToGGUF is the reverse.
func (granite) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	for key, v := range map[string]float64{
		"embedding_multiplier": s.embedding, "attention_multiplier": s.scores, "residual_multiplier": s.residual, "logits_scaling": s.logits,
	} {
		keys[factors[key]] = float32(v)
	}
	return s.WriteGGUF(req, s.names(), keys, s.rope)
}

// Interface guard.
var _ model.Model = granite{}
