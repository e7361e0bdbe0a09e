package main

import (
	"context"

	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/ggufmap"
	"github.com/honeml/hone/sdk/model/rope"
)

// names are the tensors of a file, which holds the fused linears as they are.
func (s settings) names() ggufmap.Map {
	return ggufmap.Llama("phi3", s.Layers, 0, 0).With(
		ggufmap.Pair{Checkpoint: "self_attn.q_proj"}, ggufmap.Pair{Checkpoint: "self_attn.k_proj"}, ggufmap.Pair{Checkpoint: "self_attn.v_proj"},
		ggufmap.Pair{Checkpoint: "self_attn.qkv_proj", GGUF: "attn_qkv"},
		ggufmap.Pair{Checkpoint: "mlp.gate_proj"}, ggufmap.Pair{Checkpoint: "mlp.up_proj"},
		ggufmap.Pair{Checkpoint: "mlp.gate_up_proj", GGUF: "ffn_up"},
	)
}

// FromGGUF makes a configuration of a file's key-values and of the divisors of
// longrope.
func (phi) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	context := r.Need("context_length")
	original := r.Int("rope.scaling.original_context_length", context)
	config["original_max_position_embeddings"] = max(1, original)
	config["partial_rotary_factor"] = r.Partial()
	if long, short := req.RopeFactors[rope.GGUFLong], req.RopeFactors[rope.GGUFShort]; long != nil || short != nil {
		config["rope_scaling"] = map[string]any{
			"rope_type": "longrope", "long_factor": long, "short_factor": short,
			"attention_factor": r.Float("rope.scaling.attn_factor", 1),
		}
	}
	if window := r.Int("attention.sliding_window", 0); window > 0 {
		config["sliding_window"] = window
	}
	return ggufmap.Answer(r, config, architecture, "phi3", req.Tensors, read, settings.names)
}

// ToGGUF is the reverse.
func (phi) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	// A window of 0 tells models without one from older files, which say nothing. llama.cpp
	// has the windows of this architecture turned off; hone reads them.
	keys["attention.sliding_window"] = uint32(s.window)
	long, short, err := s.rope.GGUFLongrope(keys)
	if err != nil {
		return nil, err
	}
	out := s.AnswerGGUF(req, s.names(), keys, nil)
	if long != nil {
		out.Tensors = append(out.Tensors, model.GGUFTensor{Name: rope.GGUFLong, Values: long}, model.GGUFTensor{Name: rope.GGUFShort, Values: short})
	}
	return out, nil
}
