// Package sample has a small model plugin and a small logger plugin that keep all
// rules of package plugintest, for its tests: each of them, with one thing changed,
// breaks a rule.
package sample

import (
	"context"
	"encoding/json"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/ggufmap"
	"github.com/honeml/hone/sdk/model/hfconfig"
)

// Architecture is the name of the decoder that [Tiny] builds.
const Architecture = "TinyForCausalLM"

// Tiny is a model plugin for a decoder without positions.
type Tiny struct{}

// Describe says what it answers for.
func (Tiny) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "tiny", Version: "1.0.0", Architectures: []string{Architecture}, GGUFArchitectures: []string{"tiny"},
	}, nil
}

func read(configuration []byte) (blocks.Decoder, int, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return blocks.Decoder{}, 0, err
	}
	d := blocks.ReadDecoder(c, blocks.Defaults{
		Vocabulary: 100, Hidden: 32, Intermediate: 64, Layers: 1, Heads: 2, Epsilon: 1e-6, Activation: "silu",
	})
	length := c.Int("max_position_embeddings", 64)
	return d, length, c.Err()
}

// Build writes the decoder down.
func (Tiny) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	d, length, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	if req.MaxLength > 0 {
		length = req.MaxLength
	}
	b := graph.New(Architecture)
	b.MaxLength(length)
	x := d.Embed(b, req.Untied)
	for i := range d.Layers {
		b.Scope("model.layers.%d", i)
		x = b.Add(x, d.Attention(b, b.RMSNorm(x, "input_layernorm", d.Epsilon), blocks.AttentionSpec{}), "self_attn.residual")
		x = b.Add(x, d.GatedMLP(b, b.RMSNorm(x, "post_attention_layernorm", d.Epsilon), false), "mlp.residual")
	}
	b.Scope("")
	d.Head(b, b.RMSNorm(x, "model.norm", d.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// FromGGUF reads the dimensions.
func (Tiny) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	if err := r.Err(); err != nil {
		return nil, err
	}
	config["architectures"] = []string{Architecture}
	data, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	d, _, err := read(data)
	if err != nil {
		return nil, err
	}
	return &model.FromGGUFResponse{
		Configuration: data, Tensors: ggufmap.Llama("tiny", d.Layers, d.Heads, d.KVHeads).FromGGUF(req.Tensors),
	}, nil
}

// ToGGUF writes them.
func (Tiny) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	d, length, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	return &model.ToGGUFResponse{
		Architecture: "tiny",
		Metadata: ggufmap.Keys("tiny", map[string]any{
			"context_length": uint32(length), "embedding_length": uint32(d.Hidden), "block_count": uint32(d.Layers),
			"feed_forward_length": uint32(d.Intermediate), "attention.head_count": uint32(d.Heads),
			"attention.head_count_kv": uint32(d.KVHeads), "attention.key_length": uint32(d.HeadWidth),
			"attention.layer_norm_rms_epsilon": float32(d.Epsilon), "vocab_size": uint32(d.Vocabulary),
		}),
		Tensors: ggufmap.Llama("tiny", d.Layers, d.Heads, d.KVHeads).ToGGUF(req.Tensors, d.Shape),
	}, nil
}

// Interface guard.
var _ model.Model = Tiny{}
