// Package ggufmap maps Llama-like checkpoints to GGUF files and back: the
// key-values of their dimensions and the names and layouts of their tensors, as
// llama.cpp writes them. A model plugin gives it a [Map] of what its
// architecture has.
package ggufmap

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
)

// A Pair is a module under its two names, without ".weight" and ".bias". A pair
// of a layer has names relative to the layer's.
type Pair struct {
	Checkpoint, GGUF string
	// Heads is, for queries and keys whose rows llama.cpp reorders into
	// interleaved pairs, the number of heads; 0 for all others.
	Heads int
}

// A Map is an architecture's modules.
type Map struct {
	Architecture string // general.architecture
	Layers       int
	Global       []Pair
	Layer        []Pair
}

// Llama is the Map of Llama-like decoders. Heads are given where rows are
// reordered (architecture llama), 0 elsewhere.
func Llama(architecture string, layers, heads, kvHeads int) Map {
	return Map{
		Architecture: architecture,
		Layers:       layers,
		Global: []Pair{
			{Checkpoint: "model.embed_tokens", GGUF: "token_embd"},
			{Checkpoint: "model.norm", GGUF: "output_norm"},
			{Checkpoint: "lm_head", GGUF: "output"},
		},
		Layer: []Pair{
			{Checkpoint: "input_layernorm", GGUF: "attn_norm"},
			{Checkpoint: "self_attn.q_proj", GGUF: "attn_q", Heads: heads},
			{Checkpoint: "self_attn.k_proj", GGUF: "attn_k", Heads: kvHeads},
			{Checkpoint: "self_attn.v_proj", GGUF: "attn_v"},
			{Checkpoint: "self_attn.o_proj", GGUF: "attn_output"},
			{Checkpoint: "post_attention_layernorm", GGUF: "ffn_norm"},
			{Checkpoint: "mlp.gate_proj", GGUF: "ffn_gate"},
			{Checkpoint: "mlp.up_proj", GGUF: "ffn_up"},
			{Checkpoint: "mlp.down_proj", GGUF: "ffn_down"},
		},
	}
}

// pairs lists all modules under their full names, globals first.
func (m Map) pairs() []Pair {
	out := slices.Clone(m.Global)
	for i := range m.Layers {
		for _, p := range m.Layer {
			p.Checkpoint = fmt.Sprintf("model.layers.%d.%s", i, p.Checkpoint)
			p.GGUF = fmt.Sprintf("blk.%d.%s", i, p.GGUF)
			out = append(out, p)
		}
	}
	return out
}

var endings = []string{".weight", ".bias"}

// FromGGUF maps each checkpoint tensor to an expression over the tensors of a
// file, given their row-major shapes.
func (m Map) FromGGUF(tensors map[string][]int) map[string]*graph.Source {
	out := map[string]*graph.Source{}
	for _, p := range m.pairs() {
		for _, ending := range endings {
			shape, ok := tensors[p.GGUF+ending]
			if !ok {
				continue
			}
			source := graph.FromTensor(p.GGUF + ending)
			if p.Heads > 0 {
				source = halves(source, shape, p.Heads)
			}
			out[p.Checkpoint+ending] = source
		}
	}
	return out
}

// ToGGUF lists the file's tensors as expressions over those that a checkpoint
// has. Shapes are those of the checkpoint's.
func (m Map) ToGGUF(has []string, shape func(name string) []int) []model.GGUFTensor {
	have := map[string]bool{}
	for _, name := range has {
		have[name] = true
	}
	var out []model.GGUFTensor
	for _, p := range m.pairs() {
		for _, ending := range endings {
			name := p.Checkpoint + ending
			if !have[name] {
				continue
			}
			source := graph.FromTensor(name)
			if p.Heads > 0 {
				source = interleave(source, shape(name), p.Heads)
			}
			out = append(out, model.GGUFTensor{Name: p.GGUF + ending, Source: source})
		}
	}
	return out
}

// interleave reorders each head's rows from two halves into pairs: new row 2j is
// old row j, new row 2j+1 is old row j + width/2.
func interleave(s *graph.Source, shape []int, heads int) *graph.Source {
	return reorder(s, shape, heads, func(width int) (outer, inner int) { return 2, width / 2 })
}

// halves undoes interleave.
func halves(s *graph.Source, shape []int, heads int) *graph.Source {
	return reorder(s, shape, heads, func(width int) (outer, inner int) { return width / 2, 2 })
}

// reorder sees each head's rows as [outer, inner] and exchanges the two.
func reorder(s *graph.Source, shape []int, heads int, cut func(width int) (outer, inner int)) *graph.Source {
	if len(shape) < 1 || len(shape) > 2 || shape[0] == 0 || shape[0]%(2*heads) != 0 {
		return s // a shape that the Graph will refuse
	}
	rows := shape[0]
	outer, inner := cut(rows / heads)
	if len(shape) == 1 {
		return s.Reshape(heads, outer, inner).Permute(0, 2, 1).Reshape(rows)
	}
	return s.Reshape(heads, outer, inner, shape[1]).Permute(0, 2, 1, 3).Reshape(rows, shape[1])
}

// A Reader reads an architecture's key-values; it keeps the first mistake.
type Reader struct {
	metadata     map[string]any
	architecture string
	err          error
}

// NewReader reads metadata for the architecture that it names.
func NewReader(metadata map[string]any) *Reader {
	r := &Reader{metadata: metadata}
	r.architecture, _ = metadata["general.architecture"].(string)
	return r
}

// Architecture is general.architecture.
func (r *Reader) Architecture() string { return r.architecture }

// Err is the first mistake that was met, a fault.InvalidModel.
func (r *Reader) Err() error { return r.err }

func (r *Reader) fail(key, format string, args ...any) {
	if r.err == nil {
		r.err = fault.New(fault.InvalidModel, "gguf: %s.%s %s", r.architecture, key, fmt.Sprintf(format, args...))
	}
}

// Has reports whether the key, below the architecture's name, is there.
func (r *Reader) Has(key string) bool {
	_, ok := r.metadata[r.architecture+"."+key]
	return ok
}

// Need is the whole number key, which has to be there.
func (r *Reader) Need(key string) int {
	if !r.Has(key) {
		r.fail(key, "is missing")
		return 1
	}
	return r.Int(key, 1)
}

// Int is the whole number key, from 0 to a billion.
func (r *Reader) Int(key string, absent int) int {
	v := r.Float(key, float64(absent))
	if v != float64(int(v)) || v < 0 || v > 1e9 {
		r.fail(key, "is %v, not a whole number up to a billion", v)
		return absent
	}
	return int(v)
}

// Float is the number key.
func (r *Reader) Float(key string, absent float64) float64 {
	switch v := r.metadata[r.architecture+"."+key].(type) {
	case nil:
		return absent
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		return v
	default:
		r.fail(key, "is %T, not a number", v)
		return absent
	}
}

// String is the string key.
func (r *Reader) String(key, absent string) string {
	switch v := r.metadata[r.architecture+"."+key].(type) {
	case nil:
		return absent
	case string:
		return v
	default:
		r.fail(key, "is %T, not a string", v)
		return absent
	}
}

// Dimensions are the keys of a configuration that all Llama-like files have.
func (r *Reader) Dimensions(tensors map[string][]int) map[string]any {
	hidden, heads := r.Need("embedding_length"), r.Need("attention.head_count")
	config := map[string]any{
		"hidden_size": hidden, "num_attention_heads": heads,
		"num_hidden_layers": r.Need("block_count"), "intermediate_size": r.Need("feed_forward_length"),
		"num_key_value_heads":     r.Int("attention.head_count_kv", heads),
		"max_position_embeddings": r.Need("context_length"),
		"rms_norm_eps":            r.Float("attention.layer_norm_rms_epsilon", 1e-5),
		"rope_theta":              r.Float("rope.freq_base", 10000),
		"head_dim":                r.Int("attention.key_length", hidden/max(1, heads)),
		"hidden_act":              "silu",
	}
	if embed := tensors["token_embd.weight"]; len(embed) == 2 {
		config["vocab_size"] = embed[0]
	} else {
		r.fail("vocab_size", "cannot be told: the file has no token_embd.weight")
	}
	_, untied := tensors["output.weight"]
	config["tie_word_embeddings"] = !untied
	return config
}

// Scaling is the rope_scaling of the file's key-values and factors, or nil.
func (r *Reader) Scaling(factors map[string][]float32, context int) map[string]any {
	if f := factors["rope_freqs.weight"]; f != nil {
		// Each frequency has a divisor of its own: what longrope expresses.
		return map[string]any{
			"rope_type": "longrope", "short_factor": f, "long_factor": f, "attention_factor": 1.0, "factor": 1.0,
			"original_max_position_embeddings": context,
		}
	}
	kind := r.String("rope.scaling.type", "none")
	out := map[string]any{"rope_type": kind, "factor": r.Float("rope.scaling.factor", 1)}
	switch kind {
	case "none":
		return nil
	case "linear":
	case "yarn":
		out["original_max_position_embeddings"] = r.Int("rope.scaling.original_context_length", context)
		out["beta_fast"] = r.Float("rope.scaling.yarn_beta_fast", 32)
		out["beta_slow"] = r.Float("rope.scaling.yarn_beta_slow", 1)
		if r.Has("rope.scaling.attn_factor") {
			out["attention_factor"] = r.Float("rope.scaling.attn_factor", 1) * yarnAttention(r.Float("rope.scaling.factor", 1))
		}
	default:
		r.fail("rope.scaling.type", "is %q; known are none, linear, yarn", kind)
	}
	return out
}

// yarnAttention is the factor on cosines and sines that llama.cpp takes for yarn,
// before the key attn_factor.
func yarnAttention(factor float64) float64 {
	if !(factor > 1) {
		return 1
	}
	return 1 + 0.1*math.Log(factor)
}

// Keys puts the architecture's name before each key.
func Keys(architecture string, values map[string]any) map[string]any {
	out := make(map[string]any, len(values)+1)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		out[architecture+"."+key] = values[key]
	}
	out["general.architecture"] = architecture
	return out
}
