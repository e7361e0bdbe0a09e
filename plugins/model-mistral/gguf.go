package main

import (
	"context"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/ggufmap"
)

// FromGGUF makes a configuration of the key-values of a file of Ministral 3, whose
// rows of queries and keys llama.cpp reorders into interleaved pairs.
func (mistral) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	if r.Architecture() != "mistral3" {
		return nil, fault.New(fault.Unsupported, "gguf: files of Mistral and Ministral carry the architecture llama, which model-llama reads")
	}
	config := r.Dimensions(req.Tensors)
	scaling := r.Scaling(req.RopeFactors)
	if scaling == nil {
		scaling = map[string]any{"rope_type": "default"}
	}
	if r.Has("attention.temperature_scale") {
		scaling["llama_4_scaling_beta"] = r.Float("attention.temperature_scale", 0)
	}
	config["rope_parameters"] = scaling
	data, err := r.Configuration(config, ministral3, "ministral3")
	if err != nil {
		return nil, err
	}
	if r.Int("expert_count", 0) > 0 {
		return nil, fault.New(fault.Unsupported, "gguf: a mixture of experts is not a Ministral")
	}
	s, err := read(data)
	if err != nil {
		return nil, err
	}
	names := ggufmap.Llama("mistral3", s.Layers, s.Heads, s.KVHeads)
	return &model.FromGGUFResponse{Configuration: data, Tensors: names.FromGGUF(req.Tensors)}, nil
}

// ToGGUF writes the architecture llama for Mistral and Ministral, and mistral3 for
// Ministral 3. Neither has a key for a window, which llama.cpp therefore ignores.
func (mistral) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	if s.architecture != ministral3 {
		return s.WriteGGUF(req, ggufmap.Llama("llama", s.Layers, s.Heads, s.KVHeads), keys, s.rope)
	}
	if s.window > 0 && slices.Contains(s.types, blocks.SlidingAttention) {
		return nil, fault.New(fault.Unsupported, "sliding_window: a GGUF file of this architecture cannot say that layers have a window of %d: it would be read without", s.window)
	}
	if s.beta > 0 {
		keys["attention.temperature_scale"] = float32(s.beta)
	}
	return s.WriteGGUF(req, ggufmap.Llama("mistral3", s.Layers, s.Heads, s.KVHeads), keys, s.rope)
}
