package main

import (
	"context"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/ggufmap"
)

// names are the tensors of a file, whose rows stand as in a checkpoint.
func (s settings) names() ggufmap.Map {
	return ggufmap.Llama("olmo2", s.Layers, 0, 0).With(
		ggufmap.Pair{Checkpoint: "input_layernorm"},
		ggufmap.Pair{Checkpoint: "self_attn.q_norm", GGUF: "attn_q_norm"},
		ggufmap.Pair{Checkpoint: "self_attn.k_norm", GGUF: "attn_k_norm"},
		ggufmap.Pair{Checkpoint: "post_attention_layernorm", GGUF: "post_attention_norm"},
		ggufmap.Pair{Checkpoint: "post_feedforward_layernorm", GGUF: "post_ffw_norm"},
	)
}

// FromGGUF makes a configuration of a file's key-values. A file of OLMo 3 is one that
// names a window.
func (olmo) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	_, config["attention_bias"] = req.Tensors["blk.0.attn_q.bias"]
	scaling := r.Scaling(req.RopeFactors)
	if scaling != nil {
		config["rope_scaling"] = scaling
	}
	architecture, modelType := olmo2, "olmo2"
	if window := r.Int("attention.sliding_window", 0); window > 0 {
		architecture, modelType = olmo3, "olmo3"
		config["sliding_window"], config["layer_types"] = window, r.LayerTypes(usualPeriod)
	}
	return ggufmap.Answer(r, config, architecture, modelType, req.Tensors, read, settings.names)
}

// ToGGUF is the reverse.
func (olmo) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.full, "silu")
	if err != nil {
		return nil, err
	}
	if s.Tied {
		return nil, fault.New(fault.Unsupported, "tie_word_embeddings: a GGUF file of this architecture has a head of its own")
	}
	if s.architecture == olmo3 {
		switch {
		case s.window == 0:
			return nil, fault.New(fault.Unsupported, "sliding_window: a GGUF file of this architecture is one of OLMo 2 if it has no window")
		case s.sliding.Kind != "default" || s.sliding.Theta != s.full.Theta:
			return nil, fault.New(fault.Unsupported, "rope_parameters: a GGUF file of this architecture cannot say that layers with a window have scaling or a base of their own")
		}
		if err := ggufmap.WritePattern(keys, s.types, usualPeriod); err != nil {
			return nil, err
		}
		keys["attention.sliding_window"] = uint32(s.window)
	}
	return s.WriteGGUF(req, s.names(), keys, s.full)
}
