package ggufmap

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
)

// A Reader reads an architecture's key-values; it keeps the first mistake.
type Reader struct {
	metadata     map[string]any
	architecture string
	err          error
}

// NewReader reads metadata for the architecture that it names.
func NewReader(metadata map[string]any) *Reader {
	r := &Reader{metadata: metadata}
	r.architecture, _ = metadata["general.architecture"].(string)
	return r
}

// Architecture is general.architecture.
func (r *Reader) Architecture() string { return r.architecture }

// Err is the first mistake that was met, a fault.InvalidModel.
func (r *Reader) Err() error { return r.err }

func (r *Reader) fail(key, format string, args ...any) {
	if r.err == nil {
		r.err = fault.New(fault.InvalidModel, "gguf: %s.%s %s", r.architecture, key, fmt.Sprintf(format, args...))
	}
}

// Has reports whether the key, below the architecture's name, is there.
func (r *Reader) Has(key string) bool {
	_, ok := r.metadata[r.architecture+"."+key]
	return ok
}

// Need is the whole number key, which has to be there.
func (r *Reader) Need(key string) int {
	if !r.Has(key) {
		r.fail(key, "is missing")
		return 1
	}
	return r.Int(key, 1)
}

// Int is the whole number key, from 0 to a billion.
func (r *Reader) Int(key string, absent int) int {
	v := r.Float(key, float64(absent))
	if v != float64(int(v)) || v < 0 || v > 1e9 {
		r.fail(key, "is %v, not a whole number up to a billion", v)
		return absent
	}
	return int(v)
}

// Float is the number key.
func (r *Reader) Float(key string, absent float64) float64 {
	switch v := r.metadata[r.architecture+"."+key].(type) {
	case nil:
		return absent
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		return v
	default:
		r.fail(key, "is %T, not a number", v)
		return absent
	}
}

// String is the string key.
func (r *Reader) String(key, absent string) string {
	switch v := r.metadata[r.architecture+"."+key].(type) {
	case nil:
		return absent
	case string:
		return v
	default:
		r.fail(key, "is %T, not a string", v)
		return absent
	}
}

// Bool is the boolean key.
func (r *Reader) Bool(key string, absent bool) bool {
	switch v := r.metadata[r.architecture+"."+key].(type) {
	case nil:
		return absent
	case bool:
		return v
	default:
		r.fail(key, "is %T, not true or false", v)
		return absent
	}
}

// Bools is the list of booleans key; nil where it is absent or something else, such
// as the period that may stand in its place.
func (r *Reader) Bools(key string) []bool {
	v, _ := r.metadata[r.architecture+"."+key].([]bool)
	return v
}

// PerLayer is the whole number key of each layer, where a list may stand in place of
// one number for all.
func (r *Reader) PerLayer(key string) []int {
	list, isList := r.metadata[r.architecture+"."+key].([]int64)
	layers := min(r.Int("block_count", 0), maxLayers)
	if isList && len(list) < layers {
		r.fail(key, "holds %d layers, block_count says %d", len(list), layers)
		return nil
	}
	out := make([]int, layers)
	for i := range out {
		if !isList {
			out[i] = r.Int(key, 0)
			continue
		}
		if list[i] < 0 || list[i] > 1e9 {
			r.fail(key, "holds %d for layer %d, not a whole number up to a billion", list[i], i)
			return nil
		}
		out[i] = int(list[i])
	}
	return out
}

// maxLayers bounds what is made for each layer; package blocks refuses more.
const maxLayers = 2001

// Configuration is config as a config.json of that architecture and model_type, or
// the first mistake of what was read.
func (r *Reader) Configuration(config map[string]any, architecture, modelType string) ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	config["architectures"], config["model_type"] = []string{architecture}, modelType
	data, err := json.Marshal(config)
	if err != nil {
		return nil, fault.New(fault.InvalidModel, "gguf: %s: %w", r.architecture, err)
	}
	return data, nil
}

// Answer answers FromGGUF: with the configuration, see [Reader.Configuration], and where
// in the file the tensors stand, by the names of the settings that read makes of it.
func Answer[S any](
	r *Reader, config map[string]any, architecture, modelType string, tensors map[string][]int,
	read func(configuration []byte) (S, error), names func(S) Map,
) (*model.FromGGUFResponse, error) {
	data, err := r.Configuration(config, architecture, modelType)
	if err != nil {
		return nil, err
	}
	s, err := read(data)
	if err != nil {
		return nil, err
	}
	return &model.FromGGUFResponse{Configuration: data, Tensors: names(s).FromGGUF(tensors)}, nil
}

// Partial is a configuration's partial_rotary_factor: the part of a head's columns
// that rotates.
func (r *Reader) Partial() float64 {
	width := r.Int("attention.key_length", r.Int("embedding_length", 1)/max(1, r.Int("attention.head_count", 1)))
	return float64(r.Int("rope.dimension_count", width)) / float64(max(1, width))
}

// Dimensions are the keys of a configuration that all Llama-like files have.
func (r *Reader) Dimensions(tensors map[string][]int) map[string]any {
	hidden, heads := r.Need("embedding_length"), r.Need("attention.head_count")
	config := map[string]any{
		"hidden_size": hidden, "num_attention_heads": heads,
		"num_hidden_layers": r.Need("block_count"), "intermediate_size": r.Need("feed_forward_length"),
		"max_position_embeddings": r.Need("context_length"),
		"rms_norm_eps":            r.Float("attention.layer_norm_rms_epsilon", 1e-5),
		"rope_theta":              r.Float("rope.freq_base", 10000),
		"head_dim":                r.Int("attention.key_length", hidden/max(1, heads)),
		"hidden_act":              "silu",
	}
	// Of a file that has a list of them, the architecture makes what it means.
	if _, isList := r.metadata[r.architecture+".attention.head_count_kv"].([]int64); !isList {
		config["num_key_value_heads"] = r.Int("attention.head_count_kv", heads)
	}
	if embed := tensors["token_embd.weight"]; len(embed) == 2 {
		config["vocab_size"] = embed[0]
	} else {
		r.fail("vocab_size", "cannot be told: the file has no token_embd.weight")
	}
	_, untied := tensors["output.weight"]
	config["tie_word_embeddings"] = !untied
	return config
}

// AddScaling puts the file's scaling into a configuration, as its rope_scaling, where
// it has one.
func (r *Reader) AddScaling(config map[string]any, factors map[string][]float32) {
	if scaling := r.Scaling(factors); scaling != nil {
		config["rope_scaling"] = scaling
	}
}

// Scaling is the rope_scaling of the file's key-values and factors, or nil.
func (r *Reader) Scaling(factors map[string][]float32) map[string]any {
	context := r.Need("context_length")
	if f := factors["rope_freqs.weight"]; f != nil {
		// Each frequency has a divisor of its own: what longrope expresses.
		return map[string]any{
			"rope_type": "longrope", "short_factor": f, "long_factor": f, "attention_factor": 1.0, "factor": 1.0,
			"original_max_position_embeddings": context,
		}
	}
	kind := r.String("rope.scaling.type", "none")
	out := map[string]any{"rope_type": kind, "factor": r.Float("rope.scaling.factor", 1)}
	switch kind {
	case "none":
		return nil
	case "linear":
	case "yarn":
		out["original_max_position_embeddings"] = r.Int("rope.scaling.original_context_length", context)
		out["beta_fast"] = r.Float("rope.scaling.yarn_beta_fast", 32)
		out["beta_slow"] = r.Float("rope.scaling.yarn_beta_slow", 1)
		if r.Has("rope.scaling.yarn_log_multiplier") {
			out["mscale"], out["mscale_all_dim"] = 1, r.Float("rope.scaling.yarn_log_multiplier", 0)
		}
		if r.Has("rope.scaling.attn_factor") {
			out["attention_factor"] = r.Float("rope.scaling.attn_factor", 1) * yarnAttention(r.Float("rope.scaling.factor", 1))
		}
	default:
		r.fail("rope.scaling.type", "is %q; known are none, linear, yarn", kind)
	}
	return out
}

// yarnAttention is the factor on cosines and sines that llama.cpp takes for yarn,
// before the key attn_factor.
func yarnAttention(factor float64) float64 {
	if !(factor > 1) {
		return 1
	}
	return 1 + 0.1*math.Log(factor)
}
