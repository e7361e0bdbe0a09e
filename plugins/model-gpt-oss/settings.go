package main

import (
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// architecture is the name that configurations carry.
const architecture = "GptOssForCausalLM"

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	rope    rope.Settings
	mixture blocks.Mixture
	bias    bool     // of attention's linears
	types   []string // of layers
	window  int      // of sliding layers; 0: none
	alpha   float64  // of experts' activation: the slope of its sigmoid
	limit   float64  // and how large gates and ups count at most
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		Decoder: blocks.ReadDecoder(c, blocks.Defaults{
			Vocabulary: 201088, Hidden: 2880, Intermediate: 2880, Layers: 36, Heads: 64, KVHeads: 8, HeadWidth: 64,
			Epsilon: 1e-5, Activation: "silu",
		}),
		bias:  c.Bool("attention_bias", true),
		alpha: c.Positive("swiglu_alpha", defaultAlpha),
		limit: c.Positive("swiglu_limit", defaultLimit),
	}
	s.mixture = s.ReadMixture(c, blocks.Mixture{Experts: 128, TopK: 4}, "num_local_experts", "num_experts")
	s.mixture.Width = s.Intermediate
	if !c.Null("sliding_window") {
		s.window = c.Int("sliding_window", 128)
	}
	s.types = s.LayerTypes(c, blocks.EveryNth(2))
	if !c.Has("rope_scaling") {
		c.Default("rope_parameters", `{"rope_type": "yarn", "factor": 32.0, "truncate": false, "original_max_position_embeddings": 4096}`)
	}
	s.rope = rope.Read(c, rope.Options{Theta: 150000, Length: 131072, HeadWidth: s.HeadWidth})
	return s, c.Err()
}

// What the activation of the published models has.
const (
	defaultAlpha = 1.702
	defaultLimit = 7
)
