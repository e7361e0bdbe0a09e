package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/ggufmap"
)

// names are the tensors of a file, but for those of experts, which are no tensors of a
// checkpoint: see expertTensors.
func (s settings) names() ggufmap.Map {
	return ggufmap.Llama("gpt-oss", s.Layers, 0, 0).With(
		ggufmap.Pair{Checkpoint: "post_attention_layernorm", GGUF: "post_attention_norm"},
		ggufmap.Pair{Checkpoint: "self_attn.sinks", GGUF: "attn_sinks.weight", Whole: true},
		ggufmap.Pair{Checkpoint: "mlp.router", GGUF: "ffn_gate_inp"},
		ggufmap.Pair{Checkpoint: blocks.ExpertsDown + "_bias", GGUF: "ffn_down_exps.bias", Whole: true},
	)
}

// FromGGUF makes a configuration of a file's key-values.
func (gptOSS) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	config["num_local_experts"], config["num_experts_per_tok"] = r.Need("expert_count"), r.Need("expert_used_count")
	config["sliding_window"] = r.Need("attention.sliding_window")
	_, config["attention_bias"] = req.Tensors["blk.0.attn_q.bias"]
	scaling := r.Scaling(req.RopeFactors)
	if scaling == nil {
		scaling = map[string]any{"rope_type": "default"}
	}
	// No key says so, and llama.cpp does otherwise; all models were made like that.
	scaling["truncate"] = false
	config["rope_parameters"] = scaling
	data, err := r.Configuration(config, architecture, "gpt_oss")
	if err != nil {
		return nil, err
	}
	s, err := read(data)
	if err != nil {
		return nil, err
	}
	tensors := s.names().FromGGUF(req.Tensors)
	for i := range s.Layers {
		s.unpack(tensors, fmt.Sprintf("model.layers.%d.", i), fmt.Sprintf("blk.%d.", i))
	}
	return &model.FromGGUFResponse{Configuration: data, Tensors: tensors}, nil
}

// unpack maps the tensors of a layer's experts to a file's, which holds gates and ups
// apart and nothing transposed.
func (s settings) unpack(tensors map[string]*graph.Source, layer, block string) {
	e, width := s.mixture.Experts, 2*s.mixture.Width
	alternating := func(ending string) *graph.Source {
		return graph.StackSources(2, graph.FromTensor(block+"ffn_gate_exps"+ending), graph.FromTensor(block+"ffn_up_exps"+ending))
	}
	tensors[layer+blocks.ExpertsGateUp] = alternating(".weight").Reshape(e, width, s.Hidden).Permute(0, 2, 1)
	tensors[layer+blocks.ExpertsGateUp+"_bias"] = alternating(".bias").Reshape(e, width)
	tensors[layer+blocks.ExpertsDown] = graph.FromTensor(block+"ffn_down_exps.weight").Permute(0, 2, 1)
}

// ToGGUF is the reverse. GGUF has no keys for the activation's numbers, and none that
// says how yarn's borders are rounded.
func (gptOSS) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	switch {
	case s.alpha != defaultAlpha || s.limit != defaultLimit:
		return nil, fault.New(fault.Unsupported, "swiglu_alpha, swiglu_limit: a GGUF file of this architecture cannot say that they are %v and %v: they would be read as %v and %v",
			s.alpha, s.limit, float64(defaultAlpha), float64(defaultLimit))
	case s.window == 0 || !s.alternate():
		return nil, fault.New(fault.Unsupported, "layer_types, sliding_window: a GGUF file of this architecture cannot say that layers other than the first, third, … have a window, or that these have none")
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	s.mixture.GGUFKeys(keys)
	keys["expert_feed_forward_length"] = uint32(s.mixture.Width)
	keys["attention.sliding_window"] = uint32(s.window)
	if s.rope.Kind == "yarn" {
		if !s.rope.Exact {
			return nil, fault.New(fault.Unsupported, "rope type yarn with truncate has no place in a GGUF file of this architecture: it would be read as without")
		}
		s.rope.Exact = false // llama.cpp has no other
	}
	out, err := s.WriteGGUF(req, s.names(), keys, s.rope)
	if err != nil {
		return nil, err
	}
	for _, name := range req.Tensors {
		out.Tensors = append(out.Tensors, s.pack(name)...)
	}
	return out, nil
}

// alternate reports whether every other layer has a window, the first one too.
func (s settings) alternate() bool {
	for i, t := range s.types {
		if t != blocks.EveryNth(2)(i) {
			return false
		}
	}
	return true
}

// pack is what a file holds of a tensor of experts; nothing of other tensors.
func (s settings) pack(name string) []model.GGUFTensor {
	var layer int
	var tensor string
	if n, err := fmt.Sscanf(name, "model.layers.%d.mlp.experts.%s", &layer, &tensor); n != 2 || err != nil || layer < 0 || layer >= s.Layers {
		return nil
	}
	file := func(which string, source *graph.Source) model.GGUFTensor {
		return model.GGUFTensor{Name: fmt.Sprintf("blk.%d.ffn_%s", layer, which), Source: source}
	}
	source, width := graph.FromTensor(name), 2*s.mixture.Width
	if path, yes := strings.CutSuffix(name, packedEnding); yes {
		source = packed(path)
	} else if !strings.HasSuffix(name, "_bias") {
		source = source.Permute(0, 2, 1)
	}
	switch strings.TrimSuffix(tensor, packedEnding) {
	case "gate_up_proj":
		return []model.GGUFTensor{file("gate_exps.weight", source.Slice(1, 0, width, 2)), file("up_exps.weight", source.Slice(1, 1, width, 2))}
	case "gate_up_proj_bias":
		return []model.GGUFTensor{file("gate_exps.bias", source.Slice(1, 0, width, 2)), file("up_exps.bias", source.Slice(1, 1, width, 2))}
	case "down_proj":
		return []model.GGUFTensor{file("down_exps.weight", source)}
	}
	return nil
}
