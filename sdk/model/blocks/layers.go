package blocks

import (
	"slices"

	"github.com/honeml/hone/sdk/model/hfconfig"
)

// The kinds of attention layers, as a configuration's layer_types names them.
const (
	FullAttention    = "full_attention"
	SlidingAttention = "sliding_attention"
)

// LayerTypes reads the kind of each layer from the key layer_types; where it is
// absent, they are those that absent gives. known lists the kinds that make sense;
// none given: full and sliding attention. What is wrong is kept in c.
func (d Decoder) LayerTypes(c *hfconfig.Config, absent func(layer int) string, known ...string) []string {
	const key = "layer_types"
	types := c.Strings(key)
	if types == nil {
		types = make([]string, min(d.Layers, maxLayers))
		for i := range types {
			types[i] = absent(i)
		}
	}
	if len(types) != d.Layers {
		c.Failf(key, "%d layers, num_hidden_layers says %d", len(types), d.Layers)
	}
	if len(known) == 0 {
		known = []string{FullAttention, SlidingAttention}
	}
	for i, t := range types {
		if !slices.Contains(known, t) {
			c.Failf(key, "layer %d is %q; known are %q", i, t, known)
		}
	}
	return types
}

// EveryNth is the kind of layers of which each n-th attends to all tokens and the
// others to a window; 0: all attend to all.
func EveryNth(n int) func(layer int) string {
	return func(layer int) string {
		if n == 0 || (layer+1)%n == 0 {
			return FullAttention
		}
		return SlidingAttention
	}
}
