package main

import (
	"context"
	"math"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/ggufmap"
)

// files are the architectures of GGUF files, and of how many layers in them each last
// one has no window where the file does not say so.
var files = map[string]struct {
	gguf   string
	period int
}{gemma1: {"gemma", 0}, gemma2: {"gemma2", 2}, gemma3: {"gemma3", 6}}

// names are the tensors of a file, which holds norms as 1 + weight.
func (s settings) names() ggufmap.Map {
	m := ggufmap.Llama(files[s.architecture].gguf, s.Layers, 0, 0)
	if s.architecture != gemma1 {
		m = m.With(
			ggufmap.Pair{Checkpoint: "post_attention_layernorm", GGUF: "post_attention_norm"},
			ggufmap.Pair{Checkpoint: "pre_feedforward_layernorm", GGUF: "ffn_norm"},
			ggufmap.Pair{Checkpoint: "post_feedforward_layernorm", GGUF: "post_ffw_norm"},
		)
	}
	if s.architecture == gemma3 {
		m = m.With(
			ggufmap.Pair{Checkpoint: "self_attn.q_norm", GGUF: "attn_q_norm"},
			ggufmap.Pair{Checkpoint: "self_attn.k_norm", GGUF: "attn_k_norm"},
		)
	}
	if s.Tied {
		m = m.WithoutHead()
	}
	return m.PlusOne()
}

// FromGGUF makes a configuration of a file's key-values.
func (gemma) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	config["hidden_act"], config["hidden_activation"] = "gelu_pytorch_tanh", "gelu_pytorch_tanh"
	_, config["attention_bias"] = req.Tensors["blk.0.attn_q.bias"]
	r.AddScaling(config, req.RopeFactors)
	architecture, modelType := gemma1, r.Architecture()
	switch modelType {
	case "gemma2":
		architecture = gemma2
		config["attn_logit_softcapping"] = r.Float("attn_logit_softcapping", 50)
		config["final_logit_softcapping"] = r.Float("final_logit_softcapping", 30)
	case "gemma3":
		architecture, modelType = gemma3, "gemma3_text"
		config["rope_local_base_freq"] = r.Float("rope.freq_base_swa", 10000)
		if r.Has("final_logit_softcapping") {
			config["final_logit_softcapping"] = r.Float("final_logit_softcapping", 0)
		}
	}
	if architecture != gemma1 {
		config["layer_types"] = r.LayerTypes(files[architecture].period)
		config["sliding_window"] = r.Int("attention.sliding_window", 4096)
		config["query_pre_attn_scalar"] = queryScalar(architecture, r.Need("block_count"),
			r.Need("embedding_length"), r.Need("attention.head_count"), r.Int("attention.key_length", 256))
	}
	return ggufmap.Answer(r, config, architecture, modelType, req.Tensors, read, settings.names)
}

// queryScalar is the number whose root scores are divided by. A file does not say it:
// llama.cpp knows the models of 27 billion parameters by their layers.
func queryScalar(architecture string, layers, hidden, heads, headWidth int) int {
	if architecture == gemma2 && layers == 46 || architecture == gemma3 && layers == 62 {
		return hidden / max(1, heads)
	}
	return headWidth
}

// ToGGUF is the reverse.
func (gemma) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.full, tanhGELU)
	if err != nil {
		return nil, err
	}
	if err := s.sayable(); err != nil {
		return nil, err
	}
	if s.architecture != gemma1 {
		keys["attention.sliding_window"] = uint32(s.window)
		if err := ggufmap.WritePattern(keys, s.types, files[s.architecture].period); err != nil {
			return nil, err
		}
	}
	if s.scoreCap > 0 {
		keys["attn_logit_softcapping"] = float32(s.scoreCap)
	}
	if s.logitCap > 0 {
		keys["final_logit_softcapping"] = float32(s.logitCap)
	}
	if s.sliding.Theta != 10000 {
		keys["rope.freq_base_swa"] = float32(s.sliding.Theta)
	}
	return s.WriteGGUF(req, s.names(), keys, s.full)
}

// sayable refuses what a file would be read as something else for.
func (s settings) sayable() error {
	scalar := queryScalar(s.architecture, s.Layers, s.Hidden, s.Heads, s.HeadWidth)
	switch {
	case !s.Tied && s.architecture != gemma3:
		return fault.New(fault.Unsupported, "tie_word_embeddings: a GGUF file of this architecture has no head of its own")
	case math.Abs(s.scale*math.Sqrt(float64(scalar))-1) > 1e-6:
		return fault.New(fault.Unsupported, "query_pre_attn_scalar: a GGUF file of this architecture cannot say it: it would be read as %d", scalar)
	case s.architecture == gemma2 && (s.scoreCap == 0 || s.logitCap == 0):
		return fault.New(fault.Unsupported, "attn_logit_softcapping, final_logit_softcapping: a GGUF file of this architecture cannot say that there is none")
	case s.architecture == gemma3 && s.sliding.Kind != "default":
		return fault.New(fault.Unsupported, "rope_parameters: a GGUF file of this architecture cannot say that layers with a window have rope type %q", s.sliding.Kind)
	}
	return nil
}
