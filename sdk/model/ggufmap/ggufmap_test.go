package ggufmap

import (
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
)

const full, sliding = "full_attention", "sliding_attention"

func reader(values map[string]any) *Reader {
	metadata := map[string]any{"general.architecture": "x"}
	for key, v := range values {
		metadata["x."+key] = v
	}
	return NewReader(metadata)
}

// TestLayerTypes reads the windows of layers in the forms that files have.
func TestLayerTypes(t *testing.T) {
	const key = "attention.sliding_window_pattern"
	tests := []struct {
		name   string
		value  any
		period int // the architecture's own
		want   []string
		err    string
	}{
		{"the architecture's", nil, 2, []string{sliding, full, sliding}, ""},
		{"none", nil, 0, []string{full, full, full}, ""},
		{"a period", uint64(3), 2, []string{sliding, sliding, full}, ""},
		{"a truth each", []bool{false, true, true}, 2, []string{full, sliding, sliding}, ""},
		{"too few", []bool{true}, 2, nil, "gguf: x." + key + " holds 1 layers, block_count says 3"},
		{"text", "all", 2, []string{sliding, full, sliding}, "gguf: x." + key + " is string, not a number"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			values := map[string]any{"block_count": uint64(3)}
			if test.value != nil {
				values[key] = test.value
			}
			r := reader(values)
			got := r.LayerTypes(test.period)
			if !reflect.DeepEqual(got, test.want) || (r.Err() == nil) != (test.err == "") || r.Err() != nil && r.Err().Error() != test.err {
				t.Errorf("%v, %v, want %v, %s", got, r.Err(), test.want, test.err)
			}
		})
	}
}

func TestWritePattern(t *testing.T) {
	tests := []struct {
		types  []string
		period int // the architecture's own
		want   any
		ok     bool
	}{
		{[]string{full, full}, 1, nil, true},
		{[]string{full, full}, 2, uint32(1), true},
		{[]string{sliding, full, sliding, full, sliding}, 2, nil, true},
		{[]string{sliding, full, sliding, full, sliding}, 6, uint32(2), true},
		{[]string{sliding, sliding}, 6, nil, true},
		{[]string{sliding, sliding}, 0, uint32(3), true},
		{[]string{full, sliding}, 2, nil, false},
		{[]string{sliding, full, full}, 2, nil, false},
	}
	for _, test := range tests {
		keys := map[string]any{}
		if err := WritePattern(keys, test.types, test.period); (err == nil) != test.ok || keys[pattern] != test.want {
			t.Errorf("%v, %d: %v, %v, want %v", test.types, test.period, keys, err, test.want)
		}
	}
}

func TestPerLayer(t *testing.T) {
	tests := []struct {
		name  string
		value any
		want  []int
		err   string
	}{
		{"a number", uint64(4), []int{4, 4}, ""},
		{"a list", []int64{0, 3, 9}, []int{0, 3}, ""},
		{"too short", []int64{1}, nil, "holds 1 layers, block_count says 2"},
		{"negative", []int64{0, -1}, nil, "holds -1 for layer 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := reader(map[string]any{"block_count": uint64(2), "k": test.value})
			got := r.PerLayer("k")
			if !reflect.DeepEqual(got, test.want) || (r.Err() == nil) != (test.err == "") || r.Err() != nil && !strings.Contains(r.Err().Error(), test.err) {
				t.Errorf("%v, %v", got, r.Err())
			}
		})
	}
}

func TestPartial(t *testing.T) {
	tests := []struct {
		values map[string]any
		want   float64
	}{
		{map[string]any{"attention.key_length": uint64(8), "rope.dimension_count": uint64(6)}, 0.75},
		{map[string]any{"embedding_length": uint64(64), "attention.head_count": uint64(4), "rope.dimension_count": uint64(8)}, 0.5},
		{map[string]any{"attention.key_length": uint64(8)}, 1},
	}
	for _, test := range tests {
		if got := reader(test.values).Partial(); got != test.want {
			t.Errorf("%v: %v, want %v", test.values, got, test.want)
		}
	}
}

// TestMap changes a map's pairs and leaves the one that it came of as it was.
func TestMap(t *testing.T) {
	plain := Llama("x", 1, 0, 0)
	changed := plain.With(
		Pair{Checkpoint: "mlp.gate_proj"}, Pair{Checkpoint: "post_attention_layernorm", GGUF: "post_attention_norm"},
	).WithoutHead().PlusOne()
	got := map[string]string{}
	for name, source := range changed.FromGGUF(map[string][]int{
		"token_embd.weight": {4, 2}, "output.weight": {4, 2}, "output_norm.weight": {2},
		"blk.0.ffn_gate.weight": {2, 2}, "blk.0.post_attention_norm.weight": {2}, "blk.0.attn_q.bias": {2},
	}) {
		got[name] = source.String()
	}
	want := map[string]string{
		"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "add(output_norm.weight, -1)",
		"model.layers.0.self_attn.q_proj.bias":           "blk.0.attn_q.bias",
		"model.layers.0.post_attention_layernorm.weight": "add(blk.0.post_attention_norm.weight, -1)",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if !reflect.DeepEqual(plain, Llama("x", 1, 0, 0)) {
		t.Error("the plain map has changed")
	}
	tensors := changed.ToGGUF([]string{"model.norm.weight", "lm_head.weight"}, func(string) []int { return nil })
	if len(tensors) != 1 || tensors[0].Name != "output_norm.weight" || tensors[0].Source.Op != graph.SourceAdd || tensors[0].Source.Add != 1 {
		t.Errorf("%+v", tensors)
	}
}
