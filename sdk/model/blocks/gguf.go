package blocks

import (
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model/rope"
)

// GGUFKeys are the key-values of the dimensions, below the architecture's name,
// in the types that llama.cpp reads. GGUF has no key for the activation: llama.cpp
// takes silu, so that another is an error.
func (d Decoder) GGUFKeys(r rope.Settings) (map[string]any, error) {
	if d.Activation != "silu" {
		return nil, fault.New(fault.Unsupported, "hidden_act: a GGUF file of this architecture cannot say that the activation is %s: it would be read as silu", d.Activation)
	}
	return map[string]any{
		"context_length": uint32(r.Length), "embedding_length": uint32(d.Hidden), "block_count": uint32(d.Layers),
		"feed_forward_length": uint32(d.Intermediate), "attention.head_count": uint32(d.Heads),
		"attention.head_count_kv": uint32(d.KVHeads), "attention.layer_norm_rms_epsilon": float32(d.Epsilon),
		"attention.key_length": uint32(d.HeadWidth), "attention.value_length": uint32(d.HeadWidth),
		"rope.dimension_count": uint32(r.Width), "rope.freq_base": float32(r.Theta), "vocab_size": uint32(d.Vocabulary),
	}, nil
}

// Shape is the shape of the query's and key's tensors of a checkpoint, whose
// rows GGUF reorders.
func (d Decoder) Shape(name string) []int {
	rows := d.Heads * d.HeadWidth
	if strings.Contains(name, ".k_proj.") {
		rows = d.KVHeads * d.HeadWidth
	}
	if strings.HasSuffix(name, ".bias") {
		return []int{rows}
	}
	return []int{rows, d.Hidden}
}
