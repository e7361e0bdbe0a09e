package main

import (
	"math"

	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// The names that configurations carry.
const (
	gemma1 = "GemmaForCausalLM"
	gemma2 = "Gemma2ForCausalLM"
	gemma3 = "Gemma3ForCausalLM"
)

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	architecture  string
	full, sliding rope.Settings
	bias          bool // on q, k, v and o
	embedScale    float64
	scale         float64  // of scores
	scoreCap      float64  // 0: none
	logitCap      float64  // 0: none
	types         []string // of layers
	window        int      // of sliding layers
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{architecture: c.Architecture(gemma1, gemma2, gemma3), bias: c.Bool("attention_bias", false)}
	if c.Bool("use_bidirectional_attention", false) {
		c.Failf("use_bidirectional_attention", "tokens that see later ones are not supported")
	}
	switch s.architecture {
	case gemma1:
		s.readGemma1(c)
	case gemma2:
		s.readLater(c, 256000)
		s.window, s.types = c.Int("sliding_window", 4096), s.LayerTypes(c, blocks.EveryNth(2))
		s.scoreCap, s.logitCap = limit(c, "attn_logit_softcapping", 50), limit(c, "final_logit_softcapping", 30)
		s.full = rope.Read(c, rope.Options{Theta: 10000, Length: 8192, HeadWidth: s.HeadWidth})
		s.sliding = s.full
	case gemma3:
		s.readLater(c, 262208)
		s.window, s.types = c.Int("sliding_window", 4096), s.LayerTypes(c, blocks.EveryNth(c.Int("sliding_window_pattern", 6)))
		s.logitCap = limit(c, "final_logit_softcapping", 0)
		s.readRotations(c)
	}
	s.embedScale = blocks.RootScale(c, s.Hidden)
	return s, c.Err()
}

func (s *settings) readGemma1(c *hfconfig.Config) {
	s.Decoder = blocks.ReadDecoder(c, blocks.Defaults{
		Vocabulary: 256000, Hidden: 3072, Intermediate: 24576, Layers: 28, Heads: 16, KVHeads: 16, HeadWidth: 256,
		Epsilon: 1e-6, Activation: "gelu_pytorch_tanh", Tied: true,
	})
	if s.Activation == "gelu" {
		s.Activation = tanhGELU // what configurations call gelu was always this
	}
	s.scale = 1 / math.Sqrt(float64(s.HeadWidth))
	s.types = s.LayerTypes(c, blocks.EveryNth(0))
	s.full = rope.Read(c, rope.Options{Theta: 10000, Length: 8192, HeadWidth: s.HeadWidth})
	s.sliding = s.full
}

// readLater reads what Gemma 2 and 3 share.
func (s *settings) readLater(c *hfconfig.Config, vocabulary int) {
	s.Decoder = blocks.ReadDecoder(c, blocks.Defaults{
		Vocabulary: vocabulary, Hidden: 2304, Intermediate: 9216, Layers: 26, Heads: 8, KVHeads: 4, HeadWidth: 256,
		Epsilon: 1e-6, Activation: "gelu_pytorch_tanh", ActivationKey: "hidden_activation", Tied: true,
	})
	c.Activation("hidden_act", "gelu_pytorch_tanh") // it does not count, but has to make sense
	s.scale = 1 / math.Sqrt(c.Positive("query_pre_attn_scalar", 256))
}

// readRotations reads Gemma 3's two: scaling is that of layers without a window.
func (s *settings) readRotations(c *hfconfig.Config) {
	s.full = rope.Read(c, rope.Options{Theta: 1e6, Length: 131072, HeadWidth: s.HeadWidth, LayerType: blocks.FullAttention})
	s.sliding = rope.Read(c, rope.Options{
		Theta: 10000, ThetaKey: "rope_local_base_freq", Length: 131072, HeadWidth: s.HeadWidth,
		LayerType: blocks.SlidingAttention, OwnOnly: true,
	})
}

// limit is the cap key; null is none, as is an absent key where absent is 0.
func limit(c *hfconfig.Config, key string, absent float64) float64 {
	if c.Null(key) || !c.Has(key) && absent == 0 {
		return 0
	}
	return c.Positive(key, absent)
}

// tanhGELU is the activation of all of them, a function of package expr.
const tanhGELU = "gelu_tanh"
