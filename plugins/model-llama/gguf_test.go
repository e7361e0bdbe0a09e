package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/rope"
)

// tensorsOf are the shapes of what a checkpoint of a Graph holds.
func tensorsOf(g *graph.Graph) map[string][]int {
	out := map[string][]int{}
	for _, p := range g.Params {
		out[p.Name] = p.Shape
	}
	return out
}

func toGGUF(t testing.TB, config []byte) *model.ToGGUFResponse {
	t.Helper()
	names := slices.Sorted(maps.Keys(tensorsOf(build(t, config, false))))
	out, err := llama{}.ToGGUF(t.Context(), &model.ToGGUFRequest{Configuration: config, Tensors: names})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// reread is what a file written by out says of itself: key-values as wide as a host
// hands them on, the tensors' shapes, the factors of RoPE.
func reread(t testing.TB, config []byte, out *model.ToGGUFResponse) *model.FromGGUFRequest {
	t.Helper()
	shapes := tensorsOf(build(t, config, false))
	req := &model.FromGGUFRequest{Metadata: map[string]any{}, Tensors: map[string][]int{}, RopeFactors: map[string][]float32{}}
	for key, v := range out.Metadata {
		switch x := v.(type) {
		case uint32:
			req.Metadata[key] = uint64(x)
		case float32:
			req.Metadata[key] = float64(x)
		default:
			req.Metadata[key] = v
		}
	}
	for _, tensor := range out.Tensors {
		if tensor.Source == nil {
			req.Tensors[tensor.Name], req.RopeFactors[tensor.Name] = []int{len(tensor.Values)}, tensor.Values
			continue
		}
		shape, err := tensor.Source.Shape(func(name string) ([]int, bool) {
			s, ok := shapes[name]
			return s, ok
		})
		if err != nil {
			t.Fatal(err)
		}
		req.Tensors[tensor.Name] = shape
	}
	return req
}

// TestRoundTrip: what ToGGUF writes, FromGGUF reads as the same model.
func TestRoundTrip(t *testing.T) {
	scaling := func(keys map[string]any) map[string]any {
		return map[string]any{"rope_parameters": nil, "rope_theta": 5e5, "max_position_embeddings": 4096, "rope_scaling": keys}
	}
	yarn := func(more map[string]any) map[string]any {
		keys := map[string]any{"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 1024}
		maps.Copy(keys, more)
		return scaling(keys)
	}
	tests := []struct {
		name string
		keys map[string]any
	}{
		{"llama3", nil},
		{"plain", map[string]any{"rope_parameters": nil}},
		{"no biases, a head of its own", map[string]any{"attention_bias": false, "mlp_bias": false, "tie_word_embeddings": false}},
		{"wide heads", map[string]any{"head_dim": 10, "num_key_value_heads": 3}},
		{"linear", scaling(map[string]any{"type": "linear", "factor": 2})},
		{"yarn", yarn(nil)},
		{"yarn, betas", yarn(map[string]any{"beta_fast": 16, "beta_slow": 2})},
		{"yarn, attention factor", yarn(map[string]any{"attention_factor": 0.75})},
		{"yarn, mscale", yarn(map[string]any{"mscale": 1, "mscale_all_dim": 0.5})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config := change(t, test.keys)
			out := toGGUF(t, config)
			back, err := llama{}.FromGGUF(t.Context(), reread(t, config, out))
			if err != nil {
				t.Fatal(err)
			}
			want, got := build(t, config, false), build(t, back.Configuration, false)
			if a, b := tensorsOf(got), tensorsOf(want); !reflect.DeepEqual(a, b) {
				t.Errorf("parameters %v, want %v", a, b)
			}
			sameAngles(t, got, want)
			for name, shape := range tensorsOf(want) {
				source, ok := back.Tensors[name]
				if !ok {
					t.Errorf("the file lacks %s", name)
					continue
				}
				s, err := source.Shape(func(name string) ([]int, bool) {
					v, ok := reread(t, config, out).Tensors[name]
					return v, ok
				})
				if err != nil || !slices.Equal(s, shape) {
					t.Errorf("%s: shape %v, %v, want %v", name, s, err, shape)
				}
			}
		})
	}
}

// sameAngles compares the rotations of two Graphs, but for the rounding of factors
// that a file holds in float32.
func sameAngles(t *testing.T, got, want *graph.Graph) {
	t.Helper()
	for i, n := range want.Nodes {
		a, ok := n.Op.(*graph.RoPE)
		if !ok {
			continue
		}
		b, ok := got.Nodes[i].Op.(*graph.RoPE)
		if !ok {
			t.Fatalf("node %d is a %s", i, got.Nodes[i].Op.Name())
		}
		near := func(x, y float32) bool { return x == y || (x-y)/y < 1e-6 && (y-x)/y < 1e-6 }
		if !near(b.Factor, a.Factor) || !slices.EqualFunc(b.Freq, a.Freq, near) {
			t.Errorf("%s: factor %v, frequencies %v, want %v and %v", n.Name, b.Factor, b.Freq, a.Factor, a.Freq)
		}
	}
}

// TestPermutation: the rows of queries and keys go from two halves to pairs and
// back; nothing else moves.
func TestPermutation(t *testing.T) {
	config := change(t, map[string]any{"hidden_size": 8, "num_attention_heads": 2, "num_key_value_heads": 1})
	out := toGGUF(t, config)
	sources := map[string]string{}
	for _, tensor := range out.Tensors {
		sources[tensor.Name] = tensor.Source.String()
	}
	back, err := llama{}.FromGGUF(t.Context(), reread(t, config, out))
	if err != nil {
		t.Fatal(err)
	}
	const layer = "model.layers.0.self_attn."
	for name, want := range map[string]string{
		"blk.0.attn_q.weight": "reshape(permute(reshape(" + layer + "q_proj.weight, 2 2 2 8), 0 2 1 3), 8 8)",
		"blk.0.attn_k.weight": "reshape(permute(reshape(" + layer + "k_proj.weight, 1 2 2 8), 0 2 1 3), 4 8)",
		"blk.0.attn_q.bias":   "reshape(permute(reshape(" + layer + "q_proj.bias, 2 2 2), 0 2 1), 8)",
		"blk.0.attn_v.weight": layer + "v_proj.weight",
		"token_embd.weight":   "model.embed_tokens.weight",
		rope.GGUFFactors:      "none",
	} {
		if sources[name] != want {
			t.Errorf("%s is %s, want %s", name, sources[name], want)
		}
	}
	if got, want := back.Tensors[layer+"k_proj.weight"].String(), "reshape(permute(reshape(blk.0.attn_k.weight, 1 2 2 8), 0 2 1 3), 4 8)"; got != want {
		t.Errorf("the way back: %s, want %s", got, want)
	}
}

func TestToGGUFRefuses(t *testing.T) {
	tests := []struct {
		name string
		keys map[string]any
		want string
	}{
		{"dynamic", map[string]any{"rope_parameters": map[string]any{"rope_type": "dynamic", "factor": 2}}, `rope type "dynamic" has no place in a GGUF file of this architecture`},
		{"yarn that is not truncated", map[string]any{"rope_parameters": map[string]any{"rope_type": "yarn", "factor": 2, "truncate": false}}, "rope type yarn without truncate has no place in a GGUF file: llama.cpp always truncates"},
		{"activation", map[string]any{"hidden_act": "gelu"}, "hidden_act: a GGUF file of this architecture cannot say that the activation is gelu: it would be read as silu"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := llama{}.ToGGUF(t.Context(), &model.ToGGUFRequest{Configuration: change(t, test.keys)})
			if err == nil || err.Error() != test.want || !errors.Is(err, fault.Unsupported) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestFromGGUFMistakes(t *testing.T) {
	tests := []struct {
		name   string
		change func(r *model.FromGGUFRequest)
		want   string
		code   fault.Code
	}{
		{"no width", func(r *model.FromGGUFRequest) { delete(r.Metadata, "llama.embedding_length") }, "gguf: llama.embedding_length is missing", fault.InvalidModel},
		{"heads that are text", func(r *model.FromGGUFRequest) { r.Metadata["llama.attention.head_count"] = "3" }, "gguf: llama.attention.head_count is string, not a number", fault.InvalidModel},
		{"half a layer", func(r *model.FromGGUFRequest) { r.Metadata["llama.block_count"] = 0.5 }, "gguf: llama.block_count is 0.5, not a whole number up to a billion", fault.InvalidModel},
		{"no heads", func(r *model.FromGGUFRequest) { r.Metadata["llama.attention.head_count"] = uint64(0) }, "config.json: num_attention_heads: 0 is not a whole number from 1 to a billion", fault.InvalidModel},
		{"no embedding", func(r *model.FromGGUFRequest) { delete(r.Tensors, "token_embd.weight") }, "gguf: llama.vocab_size cannot be told: the file has no token_embd.weight", fault.InvalidModel},
		{"experts", func(r *model.FromGGUFRequest) { r.Metadata["llama.expert_count"] = uint64(8) }, "gguf: a mixture of experts (Mixtral) is not a plain Llama", fault.Unsupported},
		{"unknown scaling", func(r *model.FromGGUFRequest) {
			delete(r.RopeFactors, rope.GGUFFactors)
			r.Metadata["llama.rope.scaling.type"] = "spiral"
		}, `gguf: llama.rope.scaling.type is "spiral"; known are none, linear, yarn`, fault.InvalidModel},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config := small(t)
			req := reread(t, config, toGGUF(t, config))
			test.change(req)
			_, err := llama{}.FromGGUF(t.Context(), req)
			if err == nil || err.Error() != test.want || !errors.Is(err, test.code) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// FuzzFromGGUF: key-values and shapes that make no sense are refused, or give
// expressions that the Graph's check refuses; nothing panics.
func FuzzFromGGUF(f *testing.F) {
	f.Add("llama.block_count", `3`, "blk.0.attn_q.weight", 12, 12)
	f.Add("llama.attention.head_count", `7`, "blk.0.attn_k.weight", 0, 4)
	f.Add("llama.rope.scaling.type", `"yarn"`, "blk.0.attn_k.bias", -1, 0)
	f.Add("llama.rope.scaling.factor", `0.5`, rope.GGUFFactors, 1, 1)
	config := small(f)
	out := toGGUF(f, config)
	f.Fuzz(func(t *testing.T, key, value, tensor string, rows, columns int) {
		req := reread(t, config, out)
		var v any
		if json.Unmarshal([]byte(value), &v) == nil && fmt.Sprintf("%T", v) != "map[string]interface {}" {
			req.Metadata[key] = v
		}
		switch {
		case columns > 0:
			req.Tensors[tensor] = []int{rows, columns}
		case columns == 0:
			req.Tensors[tensor] = []int{rows}
		default:
			req.Tensors[tensor] = nil
		}
		answer, err := llama{}.FromGGUF(t.Context(), req)
		if err != nil {
			if !errors.Is(err, fault.InvalidModel) && !errors.Is(err, fault.Unsupported) {
				t.Errorf("%v has no code", err)
			}
			return
		}
		if _, err := (llama{}).Build(t.Context(), &model.BuildRequest{Configuration: answer.Configuration}); err != nil && !errors.Is(err, fault.InvalidModel) {
			t.Errorf("%v is no fault.InvalidModel", err)
		}
	})
}
