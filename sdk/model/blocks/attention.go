package blocks

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

// An AttentionSpec says how [Decoder.Attention] attends.
type AttentionSpec struct {
	Rotation Rotation
	BiasQKV  bool
	BiasO    bool
	Window   int     // 0: none
	Scale    float64 // 0: 1/√width of a head
	Cap      float64 // of the scores; 0: none
	Norm     Norm    // of queries and keys, before they rotate; nil: none
	Sinks    string  // name of the learned sinks, one a head; "": none
	// Temper is an expression over the rotated queries q and the position pos that
	// takes their place, such as q * 2; "": none.
	Temper string
	Output string // the last linear's module; "": self_attn.o_proj
}

// A Norm normalises the queries (which "q") or the keys (which "k") of so many
// heads, [T, heads·width].
type Norm func(b *graph.Builder, x graph.ValueID, which string, heads int) graph.ValueID

// HeadNorm normalises each head by itself, as s says, with the weights of
// self_attn.q_norm and self_attn.k_norm, one for each column of a head.
func HeadNorm(s graph.NormSpec) Norm {
	return func(b *graph.Builder, x graph.ValueID, which string, heads int) graph.ValueID {
		s.Groups = heads
		return b.Norm(x, "self_attn."+which+"_norm", s)
	}
}

// Attention is self-attention with grouped queries (Ainslie et al., 2023) under
// the module names of Llama: self_attn.{q,k,v,o}_proj.
func (d Decoder) Attention(b *graph.Builder, x graph.ValueID, s AttentionSpec) graph.ValueID {
	bias := graph.WithBias(s.BiasQKV)
	q := b.Linear(x, "self_attn.q_proj", d.Heads*d.HeadWidth, graph.RoleAttnQ, bias)
	k := b.Linear(x, "self_attn.k_proj", d.KVHeads*d.HeadWidth, graph.RoleAttnK, bias)
	v := b.Linear(x, "self_attn.v_proj", d.KVHeads*d.HeadWidth, graph.RoleAttnV, bias)
	return d.Attend(b, q, k, v, s)
}

// FusedAttention is [Decoder.Attention] where queries, keys and values come of one
// linear, self_attn.qkv_proj.
func (d Decoder) FusedAttention(b *graph.Builder, x graph.ValueID, s AttentionSpec) graph.ValueID {
	queries, keys := d.Heads*d.HeadWidth, d.KVHeads*d.HeadWidth
	qkv := b.Linear(x, "self_attn.qkv_proj", queries+2*keys, graph.RoleAttnQKV, graph.WithBias(s.BiasQKV))
	parts := b.Split(qkv, "self_attn.qkv_split", 1, queries, keys, keys)
	return d.Attend(b, parts[0], parts[1], parts[2], s)
}

// Attend is what attention does with queries [T, Heads·HeadWidth], keys and values
// [T, KVHeads·HeadWidth]: all but their linears.
func (d Decoder) Attend(b *graph.Builder, q, k, v graph.ValueID, s AttentionSpec) graph.ValueID {
	if s.Norm != nil {
		q, k = s.Norm(b, q, "q", d.Heads), s.Norm(b, k, "k", d.KVHeads)
	}
	if r := s.Rotation; r.Freq != nil {
		rotate := graph.RoPE{Freq: r.Freq, Factor: r.Factor, Interleaved: r.Interleaved}
		rotate.Heads = d.Heads
		q = b.RoPE(q, "self_attn.q_rope", rotate)
		rotate.Heads = d.KVHeads
		k = b.RoPE(k, "self_attn.k_rope", rotate)
	}
	if s.Temper != "" {
		q = b.Map("self_attn.q_temper", s.Temper, graph.In("q", q))
	}
	if s.Scale == 0 {
		s.Scale = 1 / math.Sqrt(float64(d.HeadWidth))
	}
	y := b.Attention(q, k, v, "self_attn", graph.AttentionSpec{
		Heads: d.Heads, KVHeads: d.KVHeads, Scale: s.Scale, Window: s.Window, Cap: s.Cap, Sinks: s.Sinks,
	})
	if s.Output == "" {
		s.Output = "self_attn.o_proj"
	}
	return b.Linear(y, s.Output, d.Hidden, graph.RoleAttnO, graph.WithBias(s.BiasO))
}
