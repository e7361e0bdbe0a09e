package rope

import "github.com/honeml/hone/sdk/fault"

// GGUFFactors is the name of the tensor that holds a divisor for each frequency.
const GGUFFactors = "rope_freqs.weight"

// GGUF adds the key-values of the scaling to keys, below the architecture's
// name, and returns the divisors of the frequencies where the scaling is written
// as a tensor of them ([GGUFFactors]), nil elsewhere.
func (s Settings) GGUF(keys map[string]any) ([]float32, error) {
	switch s.Kind {
	case "default":
		return nil, nil
	case "linear":
		keys["rope.scaling.type"], keys["rope.scaling.factor"] = "linear", float32(s.factor)
		return nil, nil
	case "yarn":
		keys["rope.scaling.type"], keys["rope.scaling.factor"] = "yarn", float32(s.factor)
		keys["rope.scaling.original_context_length"] = uint32(s.original)
		keys["rope.scaling.yarn_beta_fast"], keys["rope.scaling.yarn_beta_slow"] = float32(s.fast), float32(s.slow)
		if s.Exact {
			return nil, fault.New(fault.Unsupported, "rope type yarn without truncate has no place in a GGUF file: llama.cpp always truncates")
		}
		// llama.cpp multiplies its own factor, which follows from the scaling, by
		// the key's.
		if own := s.temperature(1); s.yarnAttention() != own {
			keys["rope.scaling.attn_factor"] = float32(s.yarnAttention() / own)
		}
		return nil, nil
	case "llama3":
		return s.divisors()
	case "longrope":
		if s.attention == 1 {
			return s.divisors()
		}
	}
	return nil, fault.New(fault.Unsupported, "rope type %q has no place in a GGUF file of this architecture", s.Kind)
}

// GGUFScores is [Settings.GGUF] for architectures of whose files llama.cpp takes yarn's
// factor on scores ([Settings.Scores]), and none on cosines and sines.
func (s Settings) GGUFScores(keys map[string]any) ([]float32, error) {
	factors, err := s.GGUF(keys)
	if err != nil || s.Kind != "yarn" {
		return factors, err
	}
	if s.yarnAttention() != 1 {
		return nil, fault.New(fault.Unsupported, "rope type yarn with another mscale than mscale_all_dim has no place in a GGUF file of this architecture: llama.cpp multiplies neither cosines nor sines")
	}
	delete(keys, "rope.scaling.attn_factor")
	keys["rope.scaling.yarn_log_multiplier"] = float32(0.1 * s.mscaleAll)
	return factors, nil
}

// The names of the tensors that hold a divisor for each frequency, for documents
// beyond the original length and within it.
const (
	GGUFLong  = "rope_factors_long.weight"
	GGUFShort = "rope_factors_short.weight"
)

// GGUFLongrope is [Settings.GGUF] for architectures whose files hold both lists of
// longrope's divisors; nil where nothing is scaled.
func (s Settings) GGUFLongrope(keys map[string]any) (long, short []float32, err error) {
	switch s.Kind {
	case "default":
		return nil, nil, nil
	case "longrope":
		keys["rope.scaling.original_context_length"] = uint32(s.original)
		keys["rope.scaling.attn_factor"] = float32(s.longropeAttention())
		return narrow(s.long), narrow(s.short), nil
	}
	return nil, nil, fault.New(fault.Unsupported, "rope type %q has no place in a GGUF file of this architecture", s.Kind)
}

func narrow(in []float64) []float32 {
	out := make([]float32, len(in))
	for i, v := range in {
		out[i] = float32(v)
	}
	return out
}

func (s Settings) divisors() ([]float32, error) {
	stretched, _, err := s.Frequencies(0)
	if err != nil {
		return nil, err
	}
	out := base(s.Theta, s.Width)
	for i := range out {
		if out[i] /= stretched[i]; !finite(out[i]) {
			return nil, fault.New(fault.InvalidModel, "rope: the settings divide the frequency of pair %d by %v", i, out[i])
		}
	}
	return out, nil
}
