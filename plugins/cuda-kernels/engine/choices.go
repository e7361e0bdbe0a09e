package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/kernels"
)

// choices are what the plan decided, for people.
func (e *Engine) choices() []kernels.Choice {
	out := []kernels.Choice{{
		What: fmt.Sprintf("micro-batches of up to %d tokens", e.layout.tokens),
		Why:  "enough to keep the GPU busy, and no less than max_length",
	}}
	switch {
	case e.layout.recompute == RecomputeLayers:
		out = append(out, kernels.Choice{
			What: "activations within a layer are computed again in the backward pass", Why: "recompute = " + e.options.Recompute,
		})
	case len(e.layout.measures) > 0:
		why := "the limit is " + bytesText(e.options.MemoryBytes)
		out = append(out, e.measureChoice("computed again", why, false), e.measureChoice("moved to the host's memory and back", why, true))
		out = slices.DeleteFunc(out, func(c kernels.Choice) bool { return c.What == "" })
	}
	if e.settings.WeightType == "" || e.settings.WeightType == "auto" {
		out = append(out, kernels.Choice{What: "frozen weights are held as " + e.held.String(), Why: "as activations are"})
	}
	return append(out, slices.Concat(e.groupChoices(), e.productChoices(), e.attentionChoices())...)
}

// groupChoices say which linears have something in common.
func (e *Engine) groupChoices() []kernels.Choice {
	count := map[string]int{}
	for _, g := range e.groups {
		var names []string
		for _, n := range g.members {
			names = append(names, withoutLayer(n.name()))
		}
		count[strings.Join(names, ", ")]++
	}
	var out []kernels.Choice
	for _, names := range slices.Sorted(maps.Keys(count)) {
		out = append(out, kernels.Choice{What: fmt.Sprintf("%s (%d): one pass over their input for all of their adapters", names, count[names]), Why: "they have one input"})
	}
	return out
}

// attentionChoices say which attentions run on slower kernels than there are, and why.
func (e *Engine) attentionChoices() []kernels.Choice {
	count := map[string]int{}
	var out []kernels.Choice
	for _, n := range e.nodes {
		if a := attentionOf(n); a != nil && e.options.Arch != "" {
			count[a.kernel.FallsBack()]++
		}
	}
	for _, why := range slices.Sorted(maps.Keys(count)) {
		if why != "" {
			out = append(out, kernels.Choice{What: fmt.Sprintf("attention (%d) on slower kernels", count[why]), Why: why})
		}
	}
	return out
}

// productChoices say which linears run on kernels of hone's own, and which on
// cuBLASLt's, and why. For a GPU that has cuBLASLt's alone they say nothing.
func (e *Engine) productChoices() []kernels.Choice {
	if e.options.Arch != device.HopperArch {
		return nil
	}
	own, others := 0, map[string][]string{}
	var reasons []string
	for i, n := range e.nodes {
		l := linearOf(n)
		if l == nil {
			continue
		}
		why := l.fallsBack(e.rowsAtOnce(i))
		if why == "" {
			own++
			continue
		}
		if others[why] == nil {
			reasons = append(reasons, why)
		}
		if name := withoutLayer(l.name()); !slices.Contains(others[why], name) {
			others[why] = append(others[why], name)
		}
	}
	var out []kernels.Choice
	if own > 0 {
		out = append(out, kernels.Choice{What: fmt.Sprintf("%d linears are one product each with their adapters", own), Why: "the GPU is of " + e.options.Arch})
	}
	for _, why := range reasons {
		out = append(out, kernels.Choice{What: strings.Join(others[why], ", ") + ": products by cuBLASLt", Why: why})
	}
	return out
}

// measureChoice sums the measures of one kind up: which values of how many layers, what
// they save and what that costs.
func (e *Engine) measureChoice(done, why string, move bool) kernels.Choice {
	layers := map[string]int{}
	var names []string
	c := kernels.Choice{Why: why}
	for _, m := range e.layout.measures {
		if m.move != move {
			continue
		}
		name := withoutLayer(e.nodes[e.g.Values[m.value].Node].name())
		if layers[name] == 0 {
			names = append(names, name)
		}
		layers[name]++
		c.Bytes += m.bytes
		if !move {
			c.Seconds += m.seconds
		}
	}
	if len(names) == 0 {
		return kernels.Choice{}
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%s (%d)", name, layers[name])
	}
	c.What = strings.Join(names, ", ") + " " + done
	return c
}

// withoutLayer is a node's name from behind its layer's number on.
func withoutLayer(name string) string {
	parts := strings.Split(name, ".")
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i] != "" && strings.Trim(parts[i], "0123456789") == "" {
			return strings.Join(parts[i+1:], ".")
		}
	}
	return name
}
