package main

import (
	"context"
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/ggufmap"
)

// names are the tensors of a file, whose rows stand as in a checkpoint.
func (s settings) names() ggufmap.Map {
	return ggufmap.Map{
		Architecture: "lfm2",
		Layers:       s.Layers,
		Global: []ggufmap.Pair{
			{Checkpoint: "model.embed_tokens", GGUF: "token_embd"},
			{Checkpoint: "model.embedding_norm", GGUF: "token_embd_norm"},
			{Checkpoint: "lm_head", GGUF: "output"},
		},
		Layer: []ggufmap.Pair{
			{Checkpoint: "operator_norm", GGUF: "attn_norm"},
			{Checkpoint: "self_attn.q_proj", GGUF: "attn_q"},
			{Checkpoint: "self_attn.k_proj", GGUF: "attn_k"},
			{Checkpoint: "self_attn.v_proj", GGUF: "attn_v"},
			{Checkpoint: "self_attn.out_proj", GGUF: "attn_output"},
			{Checkpoint: "self_attn.q_layernorm", GGUF: "attn_q_norm"},
			{Checkpoint: "self_attn.k_layernorm", GGUF: "attn_k_norm"},
			{Checkpoint: "conv.in_proj", GGUF: "shortconv.in_proj"},
			{Checkpoint: "conv.conv", GGUF: "shortconv.conv"},
			{Checkpoint: "conv.out_proj", GGUF: "shortconv.out_proj"},
			{Checkpoint: "ffn_norm", GGUF: "ffn_norm"},
			{Checkpoint: "feed_forward.w1", GGUF: "ffn_gate"},
			{Checkpoint: "feed_forward.w3", GGUF: "ffn_up"},
			{Checkpoint: "feed_forward.w2", GGUF: "ffn_down"},
		},
	}
}

// FromGGUF makes a configuration of a file's key-values, which give convolutions no key
// heads.
func (lfm2) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	config["norm_eps"] = r.Float("attention.layer_norm_rms_epsilon", 1e-5)
	config["conv_L_cache"] = r.Need("shortconv.l_cache")
	config["block_auto_adjust_ff_dim"] = false
	types := []string{}
	for i, heads := range r.PerLayer("attention.head_count_kv") {
		types = append(types, convolution)
		if heads > 0 {
			types[i] = blocks.FullAttention
			config["num_key_value_heads"] = heads
		}
	}
	config["layer_types"] = types
	r.AddScaling(config, req.RopeFactors)
	return ggufmap.Answer(r, config, architecture, "lfm2", req.Tensors, read, settings.names)
}

// ToGGUF is the reverse. A file holds a convolution's weight without the dimension of 1
// that a checkpoint has.
func (lfm2) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	if s.convBias {
		return nil, fault.New(fault.Unsupported, "conv_bias: a GGUF file of this architecture has no biases")
	}
	heads := make([]int32, s.Layers)
	for i, t := range s.types {
		if t == blocks.FullAttention {
			heads[i] = int32(s.KVHeads)
		}
	}
	keys["attention.head_count_kv"], keys["shortconv.l_cache"] = heads, uint32(s.kernel)
	answer, err := s.WriteGGUF(req, s.names(), keys, s.rope)
	if err != nil {
		return nil, err
	}
	for i, t := range answer.Tensors {
		if strings.HasSuffix(t.Name, ".shortconv.conv.weight") {
			answer.Tensors[i].Source = t.Source.Reshape(s.Hidden, s.kernel)
		}
	}
	return answer, nil
}
