// Package ggufmap maps Llama-like checkpoints to GGUF files and back: the
// key-values of their dimensions and the names and layouts of their tensors, as
// llama.cpp writes them. A model plugin gives it a [Map] of what its
// architecture has.
package ggufmap

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

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
	// Experts is, for the linears of a layer's experts, how many these are: a file has
	// one tensor of all, a checkpoint one for each, its number where Checkpoint has %d.
	Experts int
	// Whole says that the names are those of a tensor, not of a module.
	Whole bool
	// Plus is what a file's values are larger by: 1 for the norms of architectures
	// that multiply by 1 + weight, which llama.cpp writes as that sum.
	Plus float32
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

// With is m with further pairs of each layer; one that m has, by its name in a
// checkpoint, is replaced. A pair without a name in GGUF is taken out.
func (m Map) With(pairs ...Pair) Map {
	m.Layer = slices.Clone(m.Layer)
	for _, p := range pairs {
		m.Layer = slices.DeleteFunc(m.Layer, func(old Pair) bool { return old.Checkpoint == p.Checkpoint })
		if p.GGUF != "" {
			m.Layer = append(m.Layer, p)
		}
	}
	return m
}

// WithoutHead is m for architectures whose files never hold an output head: it is
// always the embedding.
func (m Map) WithoutHead() Map {
	m.Global = slices.DeleteFunc(slices.Clone(m.Global), func(p Pair) bool { return p.Checkpoint == "lm_head" })
	return m
}

// PlusOne is m with its norms written as 1 + weight.
func (m Map) PlusOne() Map {
	add := func(pairs []Pair) []Pair {
		pairs = slices.Clone(pairs)
		for i, p := range pairs {
			if strings.HasSuffix(p.Checkpoint, "norm") {
				pairs[i].Plus = 1
			}
		}
		return pairs
	}
	m.Global, m.Layer = add(m.Global), add(m.Layer)
	return m
}

// pairs lists all modules under their full names, globals first.
func (m Map) pairs() []Pair {
	out := slices.Clone(m.Global)
	for i := range m.Layers {
		for _, p := range m.Layer {
			p.Checkpoint = fmt.Sprintf("model.layers.%d.", i) + p.Checkpoint
			p.GGUF = fmt.Sprintf("blk.%d.%s", i, p.GGUF)
			out = append(out, p)
		}
	}
	return out
}

// endings are what the names of the pair's tensors end in.
func (p Pair) endings() []string {
	if p.Whole {
		return []string{""}
	}
	return []string{".weight", ".bias"}
}

// expert is the name in a checkpoint of the tensor of one expert.
func (p Pair) expert(number int, ending string) string {
	return strings.Replace(p.Checkpoint, "%d", strconv.Itoa(number), 1) + ending
}

// FromGGUF maps each checkpoint tensor to an expression over the tensors of a
// file, given their row-major shapes.
func (m Map) FromGGUF(tensors map[string][]int) map[string]*graph.Source {
	out := map[string]*graph.Source{}
	for _, p := range m.pairs() {
		for _, ending := range p.endings() {
			shape, ok := tensors[p.GGUF+ending]
			if !ok {
				continue
			}
			source := graph.FromTensor(p.GGUF + ending)
			if p.Experts > 0 {
				p.unstack(out, source, shape, ending)
				continue
			}
			if p.Heads > 0 {
				source = halves(source, shape, p.Heads)
			}
			if p.Plus != 0 {
				source = source.Plus(-p.Plus)
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
		for _, ending := range p.endings() {
			name := p.expert(0, ending)
			if !have[name] {
				continue
			}
			source := graph.FromTensor(name)
			if p.Experts > 0 {
				source = p.stack(ending)
			}
			if p.Heads > 0 {
				source = interleave(source, shape(name), p.Heads)
			}
			if p.Plus != 0 {
				source = source.Plus(p.Plus)
			}
			out = append(out, model.GGUFTensor{Name: p.GGUF + ending, Source: source})
		}
	}
	return out
}

// unstack maps the tensor of each expert to its part of s, of which all have one
// shape.
func (p Pair) unstack(out map[string]*graph.Source, s *graph.Source, shape []int, ending string) {
	if len(shape) < 2 || shape[0] != p.Experts {
		return // the Graph will miss them
	}
	for e := range p.Experts {
		out[p.expert(e, ending)] = s.Slice(0, e, e+1, 1).Reshape(shape[1:]...)
	}
}

// stack undoes unstack.
func (p Pair) stack(ending string) *graph.Source {
	all := make([]*graph.Source, p.Experts)
	for e := range all {
		all[e] = graph.FromTensor(p.expert(e, ending))
	}
	return graph.StackSources(0, all...)
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

// Keys puts the architecture's name before each key.
func Keys(architecture string, values map[string]any) map[string]any {
	out := make(map[string]any, len(values)+1)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		out[architecture+"."+key] = values[key]
	}
	out["general.architecture"] = architecture
	return out
}
