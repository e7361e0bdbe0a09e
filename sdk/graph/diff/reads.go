package diff

import (
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/expr"
)

// reads lists the forward values that a backward step needs.
func reads(n *graph.Node, step *Step, active *graph.Adapter) []graph.ValueID {
	var out []graph.ValueID
	add := func(ids ...graph.ValueID) {
		for _, id := range ids {
			if !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	trains := func(id graph.ParamID) bool {
		return slices.ContainsFunc(step.Params, func(p ParamGradient) bool { return p.Param == id })
	}
	gives := func(input int) bool {
		return slices.ContainsFunc(step.Inputs, func(in InputGradient) bool { return in.Input == input })
	}
	switch o := n.Op.(type) {
	case *graph.Linear:
		// dX takes weights alone; dW, that of token rows and the adapter's A and B take x.
		if trains(o.Weight) || adapterNeedsInput(active, trains) || o.Rows != nil && trains(o.Rows.Values) {
			add(n.Inputs[0])
		}
	case *graph.Norm:
		add(n.Inputs[0])
	case *graph.Attention:
		add(n.Inputs...)
		add(n.Outputs...)
	case *graph.Map:
		for _, id := range mapReads(o, step) {
			add(n.Inputs[id])
		}
	case *graph.Conv:
		if trains(o.Weight) {
			add(n.Inputs[0])
		}
	case *graph.Route:
		add(n.Inputs[0], n.Outputs[0])
	case *graph.ExpertLinear:
		usesInput := trains(o.Weight) || adapterNeedsInput(active, trains)
		if usesInput || gives(2) {
			add(n.Inputs[0])
		}
		add(n.Inputs[1])
		if o.WeighInput && (usesInput || gives(0)) {
			add(n.Inputs[2])
		}
	case *graph.Combine:
		if gives(1) {
			add(n.Inputs[0])
		}
		if gives(0) && !o.Plain {
			add(n.Inputs[1])
		}
	}
	return out
}

// adapterNeedsInput: dA = (dY·B)ᵀ·x, dB = dYᵀ·(x·Aᵀ) and DoRA's dm, by x·(W + s·B·A)ᵀ,
// all take x.
func adapterNeedsInput(a *graph.Adapter, trains func(graph.ParamID) bool) bool {
	return a != nil && (trains(a.A) || trains(a.B) || trains(a.Magnitude))
}

// mapReads lists the inputs of a map that its derivatives use.
func mapReads(m *graph.Map, step *Step) []int {
	var out []int
	for _, a := range m.Args {
		if a.Param != graph.NoParam {
			continue
		}
		uses := func(d *expr.Node) bool {
			return d != nil && d.Uses(argIndex(m, a.Input))
		}
		used := slices.ContainsFunc(step.Inputs, func(i InputGradient) bool { return uses(i.Derivative) }) ||
			slices.ContainsFunc(step.Params, func(p ParamGradient) bool { return uses(p.Derivative) })
		if used {
			out = append(out, a.Input)
		}
	}
	return out
}

func argIndex(m *graph.Map, input int) int {
	return slices.IndexFunc(m.Args, func(a graph.MapArg) bool { return a.Param == graph.NoParam && a.Input == input })
}
