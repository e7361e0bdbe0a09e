// Package rope computes the frequencies of rotary position embeddings (Su et
// al., 2021) and of the ways to stretch them beyond a model's length, from the
// keys by which Hugging Face configurations describe them: rope_theta with
// rope_scaling, or transformers 5's rope_parameters.
//
// The Graph takes frequencies as values, so no backend knows of any of this.
package rope

import (
	"cmp"
	"math"
	"strconv"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model/hfconfig"
)

// Settings are what a configuration says of its rotary embedding.
type Settings struct {
	Kind   string  // default, linear, dynamic, yarn, longrope, llama3
	Theta  float64 // base of the frequencies
	Width  int     // rotated columns of a head
	Length int     // max_position_embeddings: the length that the model was made for
	Exact  bool    // yarn's borders are not rounded to whole pairs: truncate is false

	factor      float64
	original    int // length before stretching
	low, high   float64
	fast, slow  float64
	attention   float64 // attention_factor; 0: by the kind's own rule
	mscale      float64
	mscaleAll   float64
	short, long []float64
}

// maxWidth bounds a head's columns: the Graph holds a frequency for each pair of
// them in each layer. Real heads have at most 512.
const maxWidth = 4096

// Options are the architecture's own defaults.
type Options struct {
	Theta     float64 // where the configuration names none
	Length    int     // max_position_embeddings where absent; 0: 2048
	HeadWidth int
	Partial   float64 // partial_rotary_factor where absent; 0: 1
	LayerType string  // the nested object of that name, where rope_parameters has one a layer type
	OwnOnly   bool    // scaling counts in that nested object alone, not beside it
	ThetaKey  string  // the base's key beside the object; "": rope_theta
}

// Read reads the settings of c. What is wrong is kept in c.
func Read(c *hfconfig.Config, o Options) Settings {
	if o.Length == 0 {
		o.Length = 2048
	}
	s := Settings{Kind: "default", Theta: c.Positive(cmp.Or(o.ThetaKey, "rope_theta"), o.Theta), Length: c.Int("max_position_embeddings", o.Length)}
	partial := o.Partial
	if partial == 0 {
		partial = 1
	}
	partial = c.Positive("partial_rotary_factor", partial)
	p := parameters(c, o)
	if p != nil {
		s.Theta = p.Positive("rope_theta", s.Theta)
		partial = p.Positive("partial_rotary_factor", partial)
		s.readScaling(c, p)
	}
	s.Width = int(float64(o.HeadWidth) * min(partial, 2))
	switch {
	case o.HeadWidth > maxWidth:
		c.Failf("head_dim", "heads of %d columns, at most %d are allowed", o.HeadWidth, maxWidth)
		s.Width = 2
	case s.Width < 2 || s.Width > o.HeadWidth || s.Width%2 != 0:
		if partial == 1 {
			c.Failf("head_dim", "heads of %d columns cannot be rotated in pairs", o.HeadWidth)
		}
		c.Failf("partial_rotary_factor", "%v of a head of %d columns is no even number of them", partial, o.HeadWidth)
		s.Width = 2
	}
	return s
}

// parameters finds the object that describes the scaling: rope_scaling or, where
// that is absent, null or empty, rope_parameters, there perhaps one for each layer
// type.
func parameters(c *hfconfig.Config, o Options) *hfconfig.Config {
	p := c.Object("rope_scaling")
	if p == nil || p.Empty() {
		p = c.Object("rope_parameters")
	}
	if p == nil || o.LayerType == "" {
		return p
	}
	if nested := p.Object(o.LayerType); nested != nil || o.OwnOnly {
		return nested
	}
	return p
}

const originalLength = "original_max_position_embeddings"

// readKind reads the kind of scaling and the length before it.
func (s *Settings) readKind(c, p *hfconfig.Config) {
	s.Kind = p.String("rope_type", p.String("type", "default"))
	// Beside the object, the length before stretching counts more than in it.
	s.original = c.Int(originalLength, p.Int(originalLength, s.Length))
}

func (s *Settings) readScaling(c, p *hfconfig.Config) {
	s.readKind(c, p)
	need := func(key string) float64 {
		if !p.Has(key) {
			p.Failf(key, "is missing, rope type %q needs it", s.Kind)
			return 1
		}
		return p.Positive(key, 1)
	}
	switch s.Kind {
	case "default":
	case "linear", "dynamic":
		s.factor = need("factor")
	case "yarn":
		if p.Null("factor") {
			s.factor = float64(s.Length) / float64(s.original)
		} else {
			s.factor = need("factor")
		}
		s.fast, s.slow = p.Positive("beta_fast", 32), p.Positive("beta_slow", 1)
		s.attention = attentionFactor(p)
		s.mscale, s.mscaleAll = p.Float("mscale", 0), p.Float("mscale_all_dim", 0)
		s.Exact = !p.Bool("truncate", true)
		if s.Theta <= 1 {
			c.Failf("rope_theta", "%v is not above 1, rope type %q needs that", s.Theta, s.Kind)
		}
	case "llama3":
		s.factor, s.low, s.high = need("factor"), need("low_freq_factor"), need("high_freq_factor")
		if !(s.high > s.low) {
			p.Failf("high_freq_factor", "%v is not above low_freq_factor %v", s.high, s.low)
			s.high = s.low + 1
		}
	case "longrope", "su":
		s.Kind = "longrope"
		s.short, s.long = divisors(p, "short_factor"), divisors(p, "long_factor")
		s.factor = p.Positive("factor", float64(s.Length)/float64(s.original))
		s.attention = attentionFactor(p)
	default:
		p.Failf("rope_type", "%q is not known; known are default, linear, dynamic, yarn, longrope, llama3", s.Kind)
	}
}

// divisors is a list of what longrope divides the frequencies by.
func divisors(p *hfconfig.Config, key string) []float64 {
	list := p.Floats(key)
	for _, v := range list {
		if !(v > 0) {
			p.Failf(key, "%v is not above 0", v)
		}
	}
	return list
}

// attentionFactor is the explicit factor on cosines and sines; 0 for none.
func attentionFactor(p *hfconfig.Config) float64 {
	if !p.Has("attention_factor") {
		return 0
	}
	return p.Positive("attention_factor", 1)
}

// Context is the longest document, in tokens, that the settings are good for:
// the model's own length, stretched where the kind of scaling starts from it.
func (s Settings) Context() int {
	switch s.Kind {
	case "linear", "dynamic":
		return stretched(s.Length, s.factor)
	case "yarn":
		return max(s.Length, stretched(s.original, s.factor))
	}
	return s.Length
}

// maxContext bounds what a factor can make of a length.
const maxContext = 1_000_000_000

func stretched(length int, factor float64) int {
	return int(math.Min(maxContext, math.Max(1, float64(length)*factor)))
}

// Frequencies are the angles a token of each pair of columns, for documents of
// up to maxLength tokens (0: the model's own length), and the factor on cosines
// and sines. transformers chooses by the length that it sees; hone once, by
// maxLength.
func (s Settings) Frequencies(maxLength int) (freq []float32, factor float32, err error) {
	if maxLength <= 0 {
		maxLength = s.Length
	}
	factor = 1
	switch s.Kind {
	case "linear":
		freq = scaled(base(s.Theta, s.Width), func(_ int, f float64) float64 { return f / s.factor })
	case "dynamic":
		freq = s.dynamic(maxLength)
	case "yarn":
		freq, factor = s.yarn(), float32(s.yarnAttention())
	case "llama3":
		freq = scaled(base(s.Theta, s.Width), s.llama3)
	case "longrope":
		if freq, err = s.longrope(maxLength); err != nil {
			return nil, 0, err
		}
		factor = float32(s.longropeAttention())
	default:
		freq = base(s.Theta, s.Width)
	}
	for i, f := range freq {
		if !finite(f) {
			return nil, 0, fault.New(fault.InvalidModel, "rope: the settings give pair %d the frequency %v", i, f)
		}
	}
	if !finite(factor) {
		return nil, 0, fault.New(fault.InvalidModel, "rope: the settings give cosines and sines the factor %v", factor)
	}
	return freq, factor, nil
}

func finite(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

// base is θ^(−2i/width), with the roundings of float32 arithmetic, in which
// transformers computes it.
func base(theta float64, width int) []float32 {
	out := make([]float32, width/2)
	for i := range out {
		exponent := float32(2*i) / float32(width)
		out[i] = 1 / float32(math.Pow(theta, float64(exponent)))
	}
	return out
}

func scaled(freq []float32, f func(i int, freq float64) float64) []float32 {
	for i := range freq {
		freq[i] = float32(f(i, float64(freq[i])))
	}
	return freq
}

// dynamic is NTK-aware scaling by length: a larger base beyond the model's own
// length.
func (s Settings) dynamic(maxLength int) []float32 {
	length := math.Max(float64(maxLength), float64(s.Length))
	stretch := s.factor*length/float64(s.Length) - (s.factor - 1)
	width := float64(s.Width)
	return base(s.Theta*math.Pow(stretch, width/(width-2)), s.Width)
}

// llama3 leaves short wavelengths, stretches long ones and blends between
// (Grattafiori et al., 2024).
func (s Settings) llama3(_ int, f float64) float64 {
	wavelength := 2 * math.Pi / f
	original := float64(s.original)
	switch {
	case wavelength > original/s.low:
		return f / s.factor
	case wavelength < original/s.high:
		return f
	}
	smooth := (original/wavelength - s.low) / (s.high - s.low)
	return (1-smooth)*f/s.factor + smooth*f
}

// yarn blends interpolated and original frequencies by how often a pair turns
// within the original length (Peng et al., 2023).
func (s Settings) yarn() []float32 {
	width := float64(s.Width)
	// turning is the index of the pair that turns n times in the original length.
	turning := func(n float64) float64 {
		return width * math.Log(float64(s.original)/(n*2*math.Pi)) / (2 * math.Log(s.Theta))
	}
	low, high := turning(s.fast), turning(s.slow)
	if !s.Exact {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = math.Max(low, 0), math.Min(high, width-1)
	if low == high {
		high += 0.001
	}
	return scaled(base(s.Theta, s.Width), func(i int, f float64) float64 {
		ramp := math.Min(1, math.Max(0, (float64(i)-low)/(high-low)))
		return f/s.factor*ramp + f*(1-ramp)
	})
}

// yarnAttention is yarn's factor on cosines and sines.
func (s Settings) yarnAttention() float64 {
	switch {
	case s.attention != 0:
		return s.attention
	case s.mscale != 0 && s.mscaleAll != 0:
		return s.temperature(s.mscale) / s.temperature(s.mscaleAll)
	}
	return s.temperature(1)
}

// Scores is the factor on attention's scores that architectures with yarn's key
// mscale_all_dim take beside that on cosines and sines (DeepSeek-AI, 2024).
func (s Settings) Scores() float64 {
	if s.mscaleAll == 0 {
		return 1
	}
	m := s.temperature(s.mscaleAll)
	return m * m
}

// temperature is yarn's rule for the factor on cosines and sines, m times as
// strong.
func (s Settings) temperature(m float64) float64 {
	if s.factor <= 1 {
		return 1
	}
	return 0.1*m*math.Log(s.factor) + 1
}

// longrope divides each frequency by a factor of its own, one list for
// documents within the original length and one beyond (Ding et al., 2024).
func (s Settings) longrope(maxLength int) ([]float32, error) {
	factors, name := s.short, "short_factor"
	if maxLength > s.original {
		factors, name = s.long, "long_factor"
	}
	if len(factors) != s.Width/2 {
		return nil, fault.New(fault.InvalidModel, "rope: %s has %d numbers, want one for each of %d pairs", name, len(factors), s.Width/2)
	}
	return scaled(base(s.Theta, s.Width), func(i int, f float64) float64 { return f / factors[i] }), nil
}

// longropeAttention is longrope's factor on cosines and sines.
func (s Settings) longropeAttention() float64 {
	switch {
	case s.attention != 0:
		return s.attention
	case s.factor <= 1:
		return 1
	}
	return math.Sqrt(1 + math.Log(s.factor)/math.Log(float64(s.original)))
}

// Note records the settings in a Graph, for people and for the host, which takes
// from it how long documents may be, and that a scaling that a run file asks for
// ([Scaling]) has been heeded.
func (s Settings) Note(b *graph.Builder) {
	b.Note(TypeNote, s.Kind)
	b.Note("rope.theta", strconv.FormatFloat(s.Theta, 'g', -1, 64))
	b.Note(ContextNote, strconv.Itoa(s.Context()))
}

// TypeNote is the key of the Graph's note that holds the kind of scaling, and
// ContextNote of the one that holds the longest document that the model is good
// for, in tokens.
const (
	TypeNote    = "rope.type"
	ContextNote = "context_length"
)
