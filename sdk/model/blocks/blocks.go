// Package blocks holds the parts of a decoder that many architectures share,
// written once over the Graph's builder: attention with grouped queries, the
// gated MLP, the output head. An architecture that differs writes its own.
package blocks

import (
	"cmp"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// A Decoder holds the dimensions that Llama-like configurations share.
type Decoder struct {
	Vocabulary, Hidden, Intermediate, Layers int
	Heads, KVHeads, HeadWidth                int
	Epsilon                                  float64
	Activation                               string // a function of package expr
	Tied                                     bool   // the head shares the embedding's weights
}

// Defaults are what an architecture takes for absent keys.
type Defaults struct {
	Vocabulary, Hidden, Intermediate, Layers, Heads int
	KVHeads                                         int // where the key is absent; 0, and where it is null: as many as Heads
	HeadWidth                                       int // where the key is absent; 0, and where it is null: Hidden/Heads
	Epsilon                                         float64
	EpsilonKey                                      string // "": rms_norm_eps
	Activation                                      string // transformers' name; "": the architecture reads its own
	ActivationKey                                   string // "": hidden_act
	Tied                                            bool
}

// maxLayers bounds the Graph; real decoders have at most a few hundred.
const maxLayers = 2000

// ReadDecoder reads the dimensions of c. What is wrong is kept in c.
func ReadDecoder(c *hfconfig.Config, d Defaults) Decoder {
	d.EpsilonKey, d.ActivationKey = cmp.Or(d.EpsilonKey, "rms_norm_eps"), cmp.Or(d.ActivationKey, "hidden_act")
	out := Decoder{
		Vocabulary: c.Int("vocab_size", d.Vocabulary), Hidden: c.Int("hidden_size", d.Hidden),
		Intermediate: c.Int("intermediate_size", d.Intermediate), Layers: c.Int("num_hidden_layers", d.Layers),
		Heads: c.Int("num_attention_heads", d.Heads), Epsilon: c.Positive(d.EpsilonKey, d.Epsilon),
		Tied: c.Bool("tie_word_embeddings", d.Tied),
	}
	if d.Activation != "" {
		out.Activation = c.Activation(d.ActivationKey, d.Activation)
	}
	if d.KVHeads == 0 || c.Null("num_key_value_heads") {
		d.KVHeads = out.Heads
	}
	out.KVHeads = c.Int("num_key_value_heads", d.KVHeads)
	if d.HeadWidth == 0 || c.Null("head_dim") {
		d.HeadWidth = max(1, out.Hidden/out.Heads)
		if !c.Has("head_dim") && out.Hidden%out.Heads != 0 {
			c.Failf("hidden_size", "%d is no multiple of num_attention_heads %d, and there is no head_dim", out.Hidden, out.Heads)
		}
	}
	out.HeadWidth = c.Int("head_dim", d.HeadWidth)
	if out.Heads%out.KVHeads != 0 {
		c.Failf("num_key_value_heads", "%d does not divide num_attention_heads %d", out.KVHeads, out.Heads)
	}
	if out.Layers > maxLayers {
		c.Failf("num_hidden_layers", "%d layers, at most %d are allowed", out.Layers, maxLayers)
	}
	return out
}

// A Rotation is what [Attention] rotates queries and keys by. Freq is nil for
// layers without positions.
type Rotation struct {
	Freq        []float32
	Factor      float32
	Interleaved bool
}

// Rotate makes the rotation of s for documents of up to maxLength tokens.
func Rotate(b *graph.Builder, s rope.Settings, maxLength int) Rotation {
	freq, factor, err := s.Frequencies(maxLength)
	if err != nil {
		b.Fail(err)
	}
	return Rotation{Freq: freq, Factor: factor}
}

// The checkpoint names of embedding and head in Llama-like models.
const (
	EmbedName = "model.embed_tokens.weight"
	HeadName  = "lm_head.weight"
)

// Embed looks tokens up. Tied weights may stand in a checkpoint under either
// name.
func (d Decoder) Embed(b *graph.Builder, untied bool) graph.ValueID {
	return d.EmbedScaled(b, 1, untied)
}

// EmbedScaled is [Decoder.Embed], its rows multiplied by scale.
func (d Decoder) EmbedScaled(b *graph.Builder, scale float64, untied bool) graph.ValueID {
	source := graph.FromTensor(EmbedName)
	if d.Tied && !untied {
		source = graph.FromTensor(EmbedName, HeadName)
	}
	return b.EmbedScaled(EmbedName, d.Vocabulary, d.Hidden, scale, graph.From(source))
}

// Head ends the Graph in the logits of x. Untied, a checkpoint that lacks the
// head's weight has the embedding's in its place.
func (d Decoder) Head(b *graph.Builder, x graph.ValueID, untied bool) {
	b.Logits(d.Logits(b, x, untied))
}

// Logits are the logits of x, for architectures that do something more with them.
func (d Decoder) Logits(b *graph.Builder, x graph.ValueID, untied bool) graph.ValueID {
	role, weight := graph.RoleHead, graph.WeightFrom(graph.FromTensor(HeadName, EmbedName))
	if d.Tied && !untied {
		role, weight = graph.RoleEmbed, graph.Tied(b.Param(EmbedName, []int{d.Vocabulary, d.Hidden}, graph.RoleEmbed))
	}
	return b.Linear(x, "lm_head", d.Vocabulary, role, weight)
}

// Finish is the Graph that b has. A mistake in it comes from the configuration: it
// is a fault.InvalidModel.
func Finish(b *graph.Builder) (*graph.Graph, error) {
	g, err := b.Graph()
	if err != nil {
		return nil, fault.New(fault.InvalidModel, "%w", err)
	}
	return g, nil
}
