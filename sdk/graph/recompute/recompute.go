// Package recompute trades time for memory: it makes a schedule in which only
// some values of the forward pass are kept for the backward pass, and the others
// are computed again where they are read (Chen et al., 2016).
//
// Nothing but time changes: every operation is deterministic, dropout included.
package recompute

import (
	"strings"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// A Keep decides which values are kept from the forward pass for the backward
// pass.
type Keep func(v graph.ValueID) bool

// Everything keeps every value: nothing is computed twice.
func Everything(graph.ValueID) bool { return true }

// Layers keeps the values that cross from one layer into another, and those
// outside of layers: within a layer all is computed again. A layer is a scope
// that ends in a number, such as model.layers.3.
func Layers(g *graph.Graph) Keep {
	keep := make([]bool, len(g.Values))
	for _, n := range g.Nodes {
		consumer := layerOf(n.Name)
		for _, v := range n.Inputs {
			if producer := layerOf(g.Nodes[g.Values[v].Node].Name); producer != consumer || producer == "" {
				keep[v] = true
			}
		}
	}
	keep[g.Logits] = true
	return func(v graph.ValueID) bool { return keep[v] }
}

// layerOf is the part of a node's name up to its first number, "" without one.
func layerOf(name string) string {
	start := 0
	for part := range strings.SplitSeq(name, ".") {
		if part != "" && strings.Trim(part, "0123456789") == "" {
			return name[:start+len(part)]
		}
		start += len(part) + 1
	}
	return ""
}

// Plan gives the schedule s with keep: before each backward step, what it reads
// and neither was kept nor computed again before is computed again.
func Plan(s *diff.Schedule, keep Keep) *diff.Schedule {
	g := s.Graph
	out := &diff.Schedule{Graph: g, Adapter: s.Adapter, Wanted: s.Wanted, Keeps: s.Keeps, Groups: s.Groups}
	have := make([]bool, len(g.Values))
	for v := range have {
		have[v] = keep(graph.ValueID(v))
	}
	have[g.Logits] = true
	var again func(v graph.ValueID)
	again = func(v graph.ValueID) {
		if have[v] {
			return
		}
		n := g.Values[v].Node
		for _, in := range g.Nodes[n].Inputs {
			again(in)
		}
		out.Steps = append(out.Steps, diff.Step{Kind: diff.Forward, Node: n})
		for _, o := range g.Nodes[n].Outputs {
			have[o] = true
		}
	}
	for _, step := range s.Steps {
		if step.Kind == diff.Backward {
			for _, v := range step.Reads {
				again(v)
			}
		}
		out.Steps = append(out.Steps, step)
	}
	return out
}

// Again lists the nodes that a schedule computes a second time, in the order in
// which it does.
func Again(s *diff.Schedule) []int {
	var out []int
	seen := make([]bool, len(s.Graph.Nodes))
	for _, step := range s.Steps {
		if step.Kind != diff.Forward {
			continue
		}
		if seen[step.Node] {
			out = append(out, step.Node)
		}
		seen[step.Node] = true
	}
	return out
}
