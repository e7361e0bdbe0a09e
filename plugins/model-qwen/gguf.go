package main

import (
	"context"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/ggufmap"
)

// names are the tensors of a file, whose rows stand as in a checkpoint.
func (s settings) names() ggufmap.Map {
	if s.architecture == qwen3 {
		return ggufmap.Llama("qwen3", s.Layers, 0, 0).With(
			ggufmap.Pair{Checkpoint: "self_attn.q_norm", GGUF: "attn_q_norm"},
			ggufmap.Pair{Checkpoint: "self_attn.k_norm", GGUF: "attn_k_norm"},
		)
	}
	return ggufmap.Llama("qwen2", s.Layers, 0, 0)
}

// FromGGUF makes a configuration of a file's key-values.
func (qwen) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	architecture := qwen2
	if r.Architecture() == "qwen3" {
		architecture = qwen3
		_, config["attention_bias"] = req.Tensors["blk.0.attn_q.bias"]
	}
	if scaling := r.Scaling(req.RopeFactors, r.Need("context_length")); scaling != nil {
		config["rope_scaling"] = scaling
	}
	data, err := r.Configuration(config, architecture, r.Architecture())
	if err != nil {
		return nil, err
	}
	s, err := read(data)
	if err != nil {
		return nil, err
	}
	return &model.FromGGUFResponse{Configuration: data, Tensors: s.names().FromGGUF(req.Tensors)}, nil
}

// ToGGUF is the reverse. GGUF has no key for the windows of these architectures.
func (qwen) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	if s.window > 0 && slices.Contains(s.types, blocks.SlidingAttention) {
		return nil, fault.New(fault.Unsupported, "use_sliding_window: a GGUF file of this architecture cannot say that layers have a window of %d: it would be read without", s.window)
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	return s.WriteGGUF(req, s.names(), keys, s.rope)
}
