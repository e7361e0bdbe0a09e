// Package facts is what every backend asks of the Graph that it is bound to: what a
// call may hand it, which parameter a name means, how much arithmetic a token is. It
// knows nothing of devices.
package facts

import (
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
)

// CheckBatch refuses a micro-batch that is none, or larger than limit tokens, as
// fault.BadInput.
func CheckBatch(g *graph.Graph, b *graph.Batch, limit int) error {
	if err := b.Validate(g.IDs()); err != nil {
		return fault.New(fault.BadInput, "%w", err)
	}
	if n := b.Tokens(); n == 0 || n > limit {
		return fault.New(fault.BadInput, "a micro-batch of %d tokens; the plan has room for %d", n, limit)
	}
	return nil
}

// CheckAdapter refuses the name of an adapter that g does not have, as
// fault.BadInput; "" is none.
func CheckAdapter(g *graph.Graph, name string) error {
	if name == "" {
		return nil
	}
	for _, p := range g.Params {
		if p.Adapter == name {
			return nil
		}
	}
	return fault.New(fault.BadInput, "there is no adapter %q", name)
}

// Trainable is the trainable parameter of that name; fault.BadInput where there is none.
func Trainable(g *graph.Graph, name string) (*graph.Param, error) {
	for _, p := range g.Trainable() {
		if p.Name == name {
			return p, nil
		}
	}
	return nil, fault.New(fault.BadInput, "no trainable parameter is called %q", name)
}

// FLOPsPerToken is the arithmetic of a token in documents of maxLength tokens: forward,
// and backward where the run trains.
func FLOPsPerToken(g *graph.Graph, phases kernels.Phases, maxLength int) float64 {
	total := 0.0
	for _, n := range g.Nodes {
		switch o := n.Op.(type) {
		case *graph.Linear:
			total += linearFLOPs(g.Params[o.Weight], 1, o.Adapter, phases)
		case *graph.ExpertLinear: // of its experts a token passes through some
			chosen := g.Values[n.Inputs[1]].Width
			total += float64(chosen) * linearFLOPs(g.Params[o.Weight], o.Experts, o.Adapter, phases)
		case *graph.Attention:
			total += 2 * float64(o.Heads*(o.KeyWidth+o.ValueWidth)*maxLength) / 2 * 3
		}
	}
	return total
}

// linearFLOPs is the arithmetic of one of the linears stacked in w.
func linearFLOPs(w *graph.Param, stacked int, a *graph.Adapter, phases kernels.Phases) float64 {
	passes := 1.0
	if phases.Train {
		passes++
		if w.Trainable {
			passes++
		}
	}
	total := 2 * float64(w.Elements()/stacked) * passes
	if a != nil {
		in, out := w.Shape[len(w.Shape)-1], w.Shape[len(w.Shape)-2]
		total += 2 * float64(a.Rank*(in+out)) * 3
		if a.Start != nil { // forward, and through it
			total += 2 * float64(a.Rank*(in+out)) * 2
		}
		if a.Magnitude != graph.NoParam && phases.Train {
			total += 2 * float64(w.Elements()/stacked) // the product again, for the magnitude's gradient
		}
	}
	return total
}
