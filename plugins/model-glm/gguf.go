package main

import (
	"context"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/ggufmap"
)

// names are the tensors of a file. Its rows stand as in a checkpoint, whose queries and
// keys rotate in interleaved pairs already.
func (s settings) names() ggufmap.Map {
	return ggufmap.Llama("glm4", s.Layers, 0, 0).With(
		ggufmap.Pair{Checkpoint: "post_self_attn_layernorm", GGUF: "post_attention_norm"},
		ggufmap.Pair{Checkpoint: "post_mlp_layernorm", GGUF: "post_ffw_norm"},
		ggufmap.Pair{Checkpoint: "mlp.gate_proj"}, ggufmap.Pair{Checkpoint: "mlp.up_proj"},
		ggufmap.Pair{Checkpoint: "mlp.gate_up_proj", GGUF: "ffn_up"},
	)
}

// FromGGUF makes a configuration of a file's key-values.
func (glm) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	config["partial_rotary_factor"] = r.Partial()
	_, config["attention_bias"] = req.Tensors["blk.0.attn_q.bias"]
	r.AddScaling(config, req.RopeFactors)
	data, err := r.Configuration(config, glm4, "glm4")
	if err != nil {
		return nil, err
	}
	s, err := read(data)
	if err != nil {
		return nil, err
	}
	if r.Int("nextn_predict_layers", 0) > 0 || r.Has("rope.dimension_sections") {
		return nil, fault.New(fault.Unsupported, "gguf: layers that predict several tokens, and positions of images, are not those of a GLM-4 that reads text")
	}
	return &model.FromGGUFResponse{Configuration: data, Tensors: s.names().FromGGUF(req.Tensors)}, nil
}

// ToGGUF is the reverse.
func (glm) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	if s.architecture == glm1 {
		return nil, fault.New(fault.Unsupported, "%s has no architecture of GGUF that hone writes", glm1)
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	return s.WriteGGUF(req, s.names(), keys, s.rope)
}
