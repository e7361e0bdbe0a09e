package adapt

import (
	"fmt"
	"strings"

	"github.com/honeml/hone/sdk/graph"
)

// A linear is what an adapter can be put on: a linear, or those of all experts of a
// layer, whose weights are one parameter.
type linear struct {
	Module  string
	Weight  graph.ParamID
	Adapter *graph.Adapter
	experts int // 0: a linear
}

// linears are the indices of the nodes that adapters can be put on, in order.
func linears(g *graph.Graph) []int {
	var out []int
	for i, n := range g.Nodes {
		switch n.Op.(type) {
		case *graph.Linear, *graph.ExpertLinear:
			out = append(out, i)
		}
	}
	return out
}

// linearOf is the operation of a node that an adapter can be put on.
func linearOf(g *graph.Graph, node int) linear {
	switch o := g.Nodes[node].Op.(type) {
	case *graph.Linear:
		return linear{o.Module, o.Weight, o.Adapter, 0}
	case *graph.ExpertLinear:
		return linear{o.Module, o.Weight, o.Adapter, o.Experts}
	}
	return linear{}
}

// setAdapter puts an adapter onto a node.
func setAdapter(g *graph.Graph, node int, a *graph.Adapter) {
	switch o := g.Nodes[node].Op.(type) {
	case *graph.Linear:
		o.Adapter = a
	case *graph.ExpertLinear:
		o.Adapter = a
	}
}

// adapterPaths are the paths under which PEFT saves the adapters of targets, by module.
// That of a linear is its own. Those of the parameters of one module, such as the two
// stacks of a layer's experts, wrap each other in the order in which the module has the
// parameters, the last outermost and under the module's path; each within it is the
// base_layer of the one around it.
func adapterPaths(g *graph.Graph, targets []int) map[string]string {
	out := map[string]string{}
	within := map[string][]string{} // stacks by the module that holds them
	for _, i := range targets {
		l := linearOf(g, i)
		if _, again := out[l.Module]; again {
			continue
		}
		out[l.Module] = l.Module
		if l.experts > 0 {
			holder := l.Module[:max(0, strings.LastIndexByte(l.Module, '.'))]
			within[holder] = append(within[holder], l.Module)
		}
	}
	for holder, stacks := range within {
		for i, module := range stacks {
			out[module] = holder + strings.Repeat(".base_layer", len(stacks)-1-i)
		}
	}
	return out
}

// checkExperts refuses what PEFT has not for stacks of experts.
func (l LoRA) checkExperts(g *graph.Graph, targets []int) error {
	for _, i := range targets {
		o, ok := g.Nodes[i].Op.(*graph.ExpertLinear)
		switch {
		case !ok:
		case l.DoRA:
			return fmt.Errorf("adapter: %s: DoRA is not for experts; leave it off, or them out of the targets", o.Module)
		case l.Init == InitPiSSA:
			return fmt.Errorf("adapter: %s: init %q is not for experts; leave it out, or them out of the targets", o.Module, l.Init)
		case l.LoRABias:
			return fmt.Errorf("adapter: %s: lora_bias is not for experts; leave it off, or them out of the targets", o.Module)
		case l.Bias == BiasAll && o.Bias != graph.NoParam:
			return fmt.Errorf("adapter: %s: bias = \"all\" is not for models with adapters on experts that have biases; leave it off, or them out of the targets", o.Module)
		}
	}
	return nil
}
