package main

import (
	"context"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/ggufmap"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/rope"
)

// architecture is the name that configurations carry.
const architecture = "Exaone4ForCausalLM"

// exaone builds EXAONE 4.0 (LG AI Research, 2025): it normalises what blocks add instead
// of what they read, and the queries and keys of each head. Where it has windows, on
// three layers of four, the others have no positions.
type exaone struct{}

// settings are what a configuration says.
type settings struct {
	blocks.Decoder
	rope   rope.Settings
	types  []string // of layers
	window int      // of sliding layers; 0: no layer has one, and all have positions
}

func read(configuration []byte) (settings, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return settings{}, err
	}
	s := settings{Decoder: blocks.ReadDecoder(c, blocks.Defaults{
		Vocabulary: 102400, Hidden: 4096, Intermediate: 16384, Layers: 32, Heads: 32, KVHeads: 32, Epsilon: 1e-5, Activation: "silu",
	})}
	s.rope = rope.Read(c, rope.Options{Theta: 10000, HeadWidth: s.HeadWidth})
	kinds := blocks.EveryNth(0)
	if !c.Null("sliding_window") {
		s.window = c.Int("sliding_window", 4096)
		kinds = pattern(c)
	}
	s.types = s.LayerTypes(c, kinds)
	return s, c.Err()
}

// pattern reads how windows repeat: a number of layers of which the last has none, or
// letters, L for a layer with one and G for one without.
func pattern(c *hfconfig.Config) func(layer int) string {
	const key = "sliding_window_pattern"
	if !c.IsString(key) {
		return blocks.EveryNth(c.IntFrom(key, usualPeriod, 0))
	}
	letters := c.String(key, "")
	if letters == "" {
		c.Failf(key, "is empty")
		return blocks.EveryNth(0)
	}
	return func(layer int) string {
		if letters[layer%len(letters)] == 'L' {
			return blocks.SlidingAttention
		}
		return blocks.FullAttention
	}
}

const (
	// usualPeriod is how many layers there are to one without a window.
	usualPeriod = 4
	// windowedLayers is how many layers the model has that llama.cpp knows to have
	// windows.
	windowedLayers = 64
)

// Describe names what the plugin answers for.
func (exaone) Describe(context.Context) (*model.Description, error) {
	return &model.Description{
		Name: "exaone", Version: "0.1.0", Architectures: []string{architecture}, GGUFArchitectures: []string{"exaone4"},
	}, nil
}

// Build writes the model down.
func (exaone) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	b := graph.New(architecture)
	b.MaxLength(req.MaxLength)
	s.rope.Note(b)
	rotation := blocks.Rotate(b, s.rope, req.MaxLength)

	x := s.Embed(b, req.Untied)
	for i := range s.Layers {
		b.Scope("model.layers.%d", i)
		attention := blocks.AttentionSpec{Norm: blocks.HeadNorm(graph.NormSpec{Epsilon: s.Epsilon})}
		if s.types[i] == blocks.SlidingAttention {
			attention.Window = s.window
		}
		if s.window == 0 || s.types[i] == blocks.SlidingAttention {
			attention.Rotation = rotation
		}
		h := b.RMSNorm(s.Attention(b, x, attention), "post_attention_layernorm", s.Epsilon)
		x = b.Add(x, h, "self_attn.residual")
		h = b.RMSNorm(s.GatedMLP(b, x, false), "post_feedforward_layernorm", s.Epsilon)
		x = b.Add(x, h, "mlp.residual")
	}
	b.Scope("")
	s.Head(b, b.RMSNorm(x, "model.norm", s.Epsilon), req.Untied)
	return blocks.Finish(b)
}

// names are the tensors of a file, whose rows stand as in a checkpoint.
func (s settings) names() ggufmap.Map {
	return ggufmap.Llama("exaone4", s.Layers, 0, 0).With(
		ggufmap.Pair{Checkpoint: "input_layernorm"},
		ggufmap.Pair{Checkpoint: "self_attn.q_norm", GGUF: "attn_q_norm"},
		ggufmap.Pair{Checkpoint: "self_attn.k_norm", GGUF: "attn_k_norm"},
		ggufmap.Pair{Checkpoint: "post_attention_layernorm", GGUF: "post_attention_norm"},
		ggufmap.Pair{Checkpoint: "post_feedforward_layernorm", GGUF: "post_ffw_norm"},
	)
}

// FromGGUF makes a configuration of a file's key-values.
func (exaone) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	config["sliding_window"] = nil
	if window := r.Int("attention.sliding_window", 0); window > 0 {
		config["sliding_window"], config["layer_types"] = window, r.LayerTypes(usualPeriod)
	}
	r.AddScaling(config, req.RopeFactors)
	return ggufmap.Answer(r, config, architecture, "exaone4", req.Tensors, read, settings.names)
}

// ToGGUF is the reverse.
func (exaone) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	switch windowed := s.Layers == windowedLayers; {
	case s.window > 0 != windowed:
		return nil, fault.New(fault.Unsupported, "sliding_window: llama.cpp takes windows for those of models of %d layers, and none for those of others; this one has %d layers", windowedLayers, s.Layers)
	case windowed:
		keys["attention.sliding_window"] = uint32(s.window)
		if err := ggufmap.WritePattern(keys, s.types, usualPeriod); err != nil {
			return nil, err
		}
	}
	return s.WriteGGUF(req, s.names(), keys, s.rope)
}

// Interface guard.
var _ model.Model = exaone{}
