package main

import (
	"context"
	"encoding/json"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/ggufmap"
	"github.com/honeml/hone/sdk/model/rope"
)

// FromGGUF makes a configuration of a file's key-values. llama.cpp rotates
// interleaved pairs and holds the rows of queries and keys in that order.
func (llama) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	config["architectures"] = []string{architecture}
	config["model_type"] = "llama"
	_, config["attention_bias"] = req.Tensors["blk.0.attn_q.bias"]
	_, config["mlp_bias"] = req.Tensors["blk.0.ffn_up.bias"]
	if scaling := r.Scaling(req.RopeFactors, r.Need("context_length")); scaling != nil {
		config["rope_scaling"] = scaling
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if r.Int("expert_count", 0) > 0 {
		return nil, fault.New(fault.Unsupported, "gguf: a mixture of experts (Mixtral) is not a plain Llama")
	}
	data, err := json.Marshal(config)
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
	keys, err := s.GGUFKeys(s.rope)
	if err != nil {
		return nil, err
	}
	names := ggufmap.Llama("llama", s.Layers, s.Heads, s.KVHeads)
	tensors := names.ToGGUF(req.Tensors, s.Shape)
	factors, err := s.rope.GGUF(keys)
	if err != nil {
		return nil, err
	}
	if factors != nil {
		tensors = append(tensors, model.GGUFTensor{Name: rope.GGUFFactors, Values: factors})
	}
	return &model.ToGGUFResponse{Architecture: "llama", Metadata: ggufmap.Keys("llama", keys), Tensors: tensors}, nil
}
