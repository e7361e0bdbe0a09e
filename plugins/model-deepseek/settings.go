package main

import (
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// architecture is the name that configurations carry.
const architecture = "DeepseekV3ForCausalLM"

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	rope rope.Settings
	latent
	mixture     blocks.Mixture
	shared      int // experts that serve every token
	dense       int // so many layers, the first ones, have no experts
	groups      int // of experts
	keep        int // groups that stand for choice
	normalise   bool
	factor      float64 // of the experts' weights
	interleaved bool    // neighbouring columns rotate in pairs
}

// A latent holds the widths of latent attention.
type latent struct {
	queryRank int // of queries; 0: these are not compressed
	rank      int // of keys and values
	plain     int // columns of a head's queries and keys that do not rotate
	rotated   int // those that do; of keys, all heads share them
	value     int // columns of a head's values
	bias      bool
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		Decoder: blocks.ReadDecoder(c, blocks.Defaults{
			Vocabulary: 129280, Hidden: 7168, Intermediate: 18432, Layers: 61, Heads: 128, HeadWidth: 64, Epsilon: 1e-6, Activation: "silu",
		}),
		latent: latent{
			rank: c.Int("kv_lora_rank", 512), plain: c.Int("qk_nope_head_dim", 128), rotated: c.Int("qk_rope_head_dim", 64),
			value: c.Int("v_head_dim", 128), bias: c.Bool("attention_bias", false),
		},
		shared:      c.IntFrom("n_shared_experts", 1, 0),
		dense:       c.IntFrom("first_k_dense_replace", 3, 0),
		groups:      c.Int("n_group", 8),
		keep:        c.Int("topk_group", 4),
		normalise:   c.Bool("norm_topk_prob", true),
		factor:      c.Positive("routed_scaling_factor", 2.5),
		interleaved: c.Bool("rope_interleave", true),
	}
	if !c.Null("q_lora_rank") {
		s.queryRank = c.Int("q_lora_rank", 1536)
	}
	if s.KVHeads != s.Heads {
		c.Failf("num_key_value_heads", "%d heads of keys for %d of queries: latent attention has as many", s.KVHeads, s.Heads)
	}
	s.mixture = s.ReadMixture(c, blocks.Mixture{Experts: 256, TopK: 8}, "n_routed_experts", "num_local_experts")
	s.mixture.Width = c.Int("moe_intermediate_size", 2048)
	if s.groups > s.mixture.Experts {
		c.Failf("n_group", "%d groups of %d experts", s.groups, s.mixture.Experts)
		s.groups = 1
	}
	if scoring := c.String("scoring_func", "sigmoid"); scoring != "sigmoid" {
		c.Failf("scoring_func", "%q is none that this architecture has: it is always sigmoid", scoring)
	}
	s.rope = rope.Read(c, rope.Options{Theta: 10000, Length: 4096, HeadWidth: s.rotated})
	return s, c.Err()
}
