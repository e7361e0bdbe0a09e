package ggufmap

import "github.com/honeml/hone/sdk/fault"

// The kinds of layers, as a configuration's layer_types names them.
const (
	fullAttention    = "full_attention"
	slidingAttention = "sliding_attention"
)

// pattern is the key that says which layers have a window.
const pattern = "attention.sliding_window_pattern"

// LayerTypes are a configuration's layer_types of a file whose window does not
// count for all layers: by the key attention.sliding_window_pattern, which holds a
// truth for each layer or the period of those that see all, or by the
// architecture's own period, of which each last layer sees all.
func (r *Reader) LayerTypes(period int) []string {
	layers := min(r.Int("block_count", 0), maxLayers)
	slides := r.Bools(pattern)
	if slides == nil {
		period = r.Int(pattern, period)
	} else if len(slides) < layers {
		r.fail(pattern, "holds %d layers, block_count says %d", len(slides), layers)
		return nil
	}
	out := make([]string, layers)
	for i := range out {
		out[i] = fullAttention
		if slides != nil && slides[i] || slides == nil && period > 0 && (i+1)%period != 0 {
			out[i] = slidingAttention
		}
	}
	return out
}

// WritePattern adds to keys what says which layers have a window. Nothing is added
// where a file that says nothing means the same: period is the architecture's own.
// llama.cpp reads a period alone, so that layers in another order are an error.
func WritePattern(keys map[string]any, types []string, period int) error {
	if period > 0 && !irregular(types, period) {
		return nil
	}
	for n := 1; n <= len(types)+1; n++ {
		if !irregular(types, n) {
			keys[pattern] = uint32(n)
			return nil
		}
	}
	return fault.New(fault.Unsupported, "layer_types: a GGUF file of this architecture can say no other than one layer without a window after a fixed number with one")
}

func irregular(types []string, period int) bool {
	for i, t := range types {
		if (t == slidingAttention) != ((i+1)%period != 0) {
			return true
		}
	}
	return false
}
