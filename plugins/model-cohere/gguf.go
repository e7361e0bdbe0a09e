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
	architecture := "command-r"
	if s.architecture == cohere2 {
		architecture = "cohere2"
	}
	return ggufmap.Llama(architecture, s.Layers, 0, 0).With(
		ggufmap.Pair{Checkpoint: "post_attention_layernorm"},
		ggufmap.Pair{Checkpoint: "self_attn.q_norm", GGUF: "attn_q_norm"},
		ggufmap.Pair{Checkpoint: "self_attn.k_norm", GGUF: "attn_k_norm"},
	).WithoutHead()
}

// FromGGUF makes a configuration of a file's key-values.
func (cohere) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	config["tie_word_embeddings"] = true
	config["layer_norm_eps"] = r.Float("attention.layer_norm_epsilon", 1e-5)
	config["logit_scale"] = r.Float("logit_scale", 0.0625)
	_, config["attention_bias"] = req.Tensors["blk.0.attn_q.bias"]
	architecture, modelType := cohere1, "cohere"
	if r.Architecture() == "cohere2" {
		architecture, modelType = cohere2, "cohere2"
		config["sliding_window"], config["layer_types"] = r.Int("attention.sliding_window", 4096), r.LayerTypes(usualPeriod)
	} else {
		_, config["use_qk_norm"] = req.Tensors["blk.0.attn_q_norm.weight"]
	}
	return ggufmap.Answer(r, config, architecture, modelType, req.Tensors, read, settings.names)
}

// normedLayers is how many layers a model has at least whose norms of queries and keys
// llama.cpp reads.
const normedLayers = 64

// ToGGUF is the reverse.
func (cohere) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	switch {
	case !s.Tied:
		return nil, fault.New(fault.Unsupported, "tie_word_embeddings: a GGUF file of this architecture has no head of its own")
	case s.headNorm && s.Layers < normedLayers:
		return nil, fault.New(fault.Unsupported, "use_qk_norm: llama.cpp reads norms of queries and keys of models of %d layers or more alone, this one has %d", normedLayers, s.Layers)
	case s.rope.Kind != "default":
		return nil, fault.New(fault.Unsupported, "rope type %q has no place in a GGUF file of this architecture", s.rope.Kind)
	}
	delete(keys, "attention.layer_norm_rms_epsilon")
	keys["attention.layer_norm_epsilon"], keys["logit_scale"] = float32(s.Epsilon), float32(s.scale)
	keys["rope.scaling.type"] = "none"
	if s.architecture == cohere2 {
		keys["attention.sliding_window"] = uint32(s.window)
		if err := ggufmap.WritePattern(keys, s.types, usualPeriod); err != nil {
			return nil, err
		}
	}
	return s.WriteGGUF(req, s.names(), keys, s.rope)
}
