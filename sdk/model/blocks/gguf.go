package blocks

import (
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/ggufmap"
	"github.com/honeml/hone/sdk/model/rope"
)

// GGUFKeys are the key-values of the dimensions, below the architecture's name,
// in the types that llama.cpp reads. GGUF has no key for the activation: llama.cpp
// takes the architecture's own, activation, so that another is an error.
func (d Decoder) GGUFKeys(r rope.Settings, activation string) (map[string]any, error) {
	if d.Activation != activation {
		return nil, fault.New(fault.Unsupported, "hidden_act: a GGUF file of this architecture cannot say that the activation is %s: it would be read as %s", d.Activation, activation)
	}
	return map[string]any{
		"context_length": uint32(r.Length), "embedding_length": uint32(d.Hidden), "block_count": uint32(d.Layers),
		"feed_forward_length": uint32(d.Intermediate), "attention.head_count": uint32(d.Heads),
		"attention.head_count_kv": uint32(d.KVHeads), "attention.layer_norm_rms_epsilon": float32(d.Epsilon),
		"attention.key_length": uint32(d.HeadWidth), "attention.value_length": uint32(d.HeadWidth),
		"rope.dimension_count": uint32(r.Width), "rope.freq_base": float32(r.Theta), "vocab_size": uint32(d.Vocabulary),
	}, nil
}

// WriteGGUF answers how a checkpoint is written: its tensors as names says, the
// key-values keys and those of the rotation r.
func (d Decoder) WriteGGUF(req *model.ToGGUFRequest, names ggufmap.Map, keys map[string]any, r rope.Settings) (*model.ToGGUFResponse, error) {
	factors, err := r.GGUF(keys)
	if err != nil {
		return nil, err
	}
	return d.AnswerGGUF(req, names, keys, factors), nil
}

// AnswerGGUF is [Decoder.WriteGGUF] where keys are complete; factors are the divisors
// of the rotation's frequencies, nil for none.
func (d Decoder) AnswerGGUF(req *model.ToGGUFRequest, names ggufmap.Map, keys map[string]any, factors []float32) *model.ToGGUFResponse {
	tensors := names.ToGGUF(req.Tensors, d.Shape)
	if factors != nil {
		tensors = append(tensors, model.GGUFTensor{Name: rope.GGUFFactors, Values: factors})
	}
	return &model.ToGGUFResponse{
		Architecture: names.Architecture, Metadata: ggufmap.Keys(names.Architecture, keys), Tensors: tensors,
	}
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
