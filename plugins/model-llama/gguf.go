package main

import (
	"context"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/ggufmap"
)

// FromGGUF makes a configuration of a file's key-values. llama.cpp rotates
// interleaved pairs and holds the rows of queries and keys in that order.
func (llama) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	_, config["attention_bias"] = req.Tensors["blk.0.attn_q.bias"]
	_, config["mlp_bias"] = req.Tensors["blk.0.ffn_up.bias"]
	r.AddScaling(config, req.RopeFactors)
	if err := r.Err(); err != nil {
		return nil, err
	}
	if r.Int("expert_count", 0) > 0 {
		return nil, fault.New(fault.Unsupported, "gguf: a mixture of experts (Mixtral) is not a plain Llama")
	}
	data, err := r.Configuration(config, architecture, "llama")
	if err != nil {
		return nil, err
	}
	s, err := read(data)
	if err != nil {
		return nil, err
	}
	names := ggufmap.Llama("llama", s.Layers, s.Heads, s.KVHeads)
	return &model.FromGGUFResponse{Configuration: data, Tensors: names.FromGGUF(req.Tensors)}, nil
}

// ToGGUF is the reverse.
func (llama) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	return s.WriteGGUF(req, ggufmap.Llama("llama", s.Layers, s.Heads, s.KVHeads), keys, s.rope)
}
