package main

import (
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// architecture is the name that configurations carry.
const architecture = "Lfm2ForCausalLM"

// convolution is the kind of layer that does not attend.
const convolution = "conv"

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	rope     rope.Settings
	types    []string // of layers
	kernel   int      // of convolutions
	convBias bool     // on convolutions and their linears
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		Decoder: blocks.ReadDecoder(c, blocks.Defaults{
			Vocabulary: 65536, Hidden: 2560, Intermediate: 12288, Layers: 32, Heads: 32, KVHeads: 8,
			Epsilon: 1e-5, EpsilonKey: "norm_eps", Activation: "silu", Tied: true,
		}),
		kernel:   c.Int("conv_L_cache", 3),
		convBias: c.Bool("conv_bias", false),
	}
	if s.Activation != "silu" {
		c.Failf("hidden_act", "%s is none that this architecture has: it is always silu", s.Activation)
	}
	s.Tied = c.Bool("tie_embedding", s.Tied)
	s.Intermediate = width(c, c.Int("block_ff_dim", s.Intermediate))
	s.rope = rope.Read(c, rope.Options{Theta: 1000000, Length: 128000, HeadWidth: s.HeadWidth})
	s.types = s.LayerTypes(c, attends(c), blocks.FullAttention, convolution)
	return s, c.Err()
}

// width is the MLP's: by default two thirds of what is given, times a factor, rounded up
// to a multiple.
func width(c *hfconfig.Config, given int) int {
	factor, multiple := c.Positive("block_ffn_dim_multiplier", 1), c.Int("block_multiple_of", 256)
	if !c.Bool("block_auto_adjust_ff_dim", true) {
		return given
	}
	n := int(factor * float64(2*given/3))
	if n < 1 || n > 1e9 {
		c.Failf("block_ffn_dim_multiplier", "%v of %d columns makes no width", factor, 2*given/3)
		return given
	}
	return multiple * ((n + multiple - 1) / multiple)
}

// attends reads the older form of layer_types: a list of the layers that attend; absent,
// all do.
func attends(c *hfconfig.Config) func(layer int) string {
	layers := c.Ints("full_attn_idxs")
	chosen := map[int]bool{}
	for _, i := range layers {
		chosen[i] = true
	}
	return func(layer int) string {
		if layers == nil || chosen[layer] {
			return blocks.FullAttention
		}
		return convolution
	}
}
