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
	if s.architecture == qwen2 {
		return ggufmap.Llama("qwen2", s.Layers, 0, 0)
	}
	names := ggufmap.Llama("qwen3", s.Layers, 0, 0).With(
		ggufmap.Pair{Checkpoint: "self_attn.q_norm", GGUF: "attn_q_norm"},
		ggufmap.Pair{Checkpoint: "self_attn.k_norm", GGUF: "attn_k_norm"},
	)
	if s.architecture == qwen3moe {
		names.Architecture = "qwen3moe"
		names = names.With(s.mixture.Pairs("mlp.gate", experts)...)
	}
	return names
}

// FromGGUF makes a configuration of a file's key-values.
func (qwen) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	architecture := qwen2
	switch r.Architecture() {
	case "qwen3":
		architecture = qwen3
	case "qwen3moe":
		architecture = qwen3moe
		config["num_experts"], config["num_experts_per_tok"] = r.Need("expert_count"), r.Need("expert_used_count")
		config["moe_intermediate_size"] = r.Need("expert_feed_forward_length")
		config["norm_topk_prob"] = true // llama.cpp knows no other
	}
	if architecture != qwen2 {
		_, config["attention_bias"] = req.Tensors["blk.0.attn_q.bias"]
	}
	r.AddScaling(config, req.RopeFactors)
	return ggufmap.Answer(r, config, architecture, modelTypes[architecture], req.Tensors, read, settings.names)
}

// modelTypes are the model_type of each architecture.
var modelTypes = map[string]string{qwen2: "qwen2", qwen3: "qwen3", qwen3moe: "qwen3_moe"}

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
	if s.architecture == qwen3moe {
		switch dense := slices.Index(s.dense, true); {
		case !s.normalise:
			return nil, fault.New(fault.Unsupported, "norm_topk_prob: a GGUF file of this architecture cannot say that the weights of experts are left as they are: llama.cpp makes them add up to 1")
		case dense >= 0:
			return nil, fault.New(fault.Unsupported, "mlp_only_layers, decoder_sparse_step: a GGUF file of this architecture cannot say that layer %d has no experts", dense)
		}
		s.mixture.GGUFKeys(keys)
		keys["expert_feed_forward_length"] = uint32(s.mixture.Width)
	}
	return s.WriteGGUF(req, s.names(), keys, s.rope)
}
