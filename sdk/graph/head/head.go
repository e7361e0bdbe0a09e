// Package head finds the end of a Graph that a backend best runs a few rows at a
// time: the linear that gives the logits, and the element-wise expressions behind
// it. Forward, loss and backward of some rows together, the logits of a whole
// micro-batch, the largest values of a model by far, never exist; and rows whose
// prediction has no weight are not computed at all.
package head

import (
	"slices"

	"github.com/honeml/hone/sdk/graph"
)

// A Head is the end of a Graph.
type Head struct {
	Nodes []int         // the linear, then the maps, in order
	Input graph.ValueID // the linear's

	// Trunk is the Graph without the head; it ends in Input. Its nodes are those of
	// the Graph, of which TrunkNodes has the indices; values keep their ids.
	Trunk      *graph.Graph
	TrunkNodes []int
}

// Find finds the head of g, nil where g does not end like that: where something
// else reads the logits or what leads to them, or where an expression reads more
// than one value.
func Find(g *graph.Graph) *Head {
	uses := make([]int, len(g.Values))
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			uses[v]++
		}
	}
	h := &Head{}
	for v, want := g.Logits, 0; ; want = 1 {
		if uses[v] != want {
			return nil
		}
		i := g.Values[v].Node
		n := g.Nodes[i]
		h.Nodes = slices.Insert(h.Nodes, 0, i)
		switch n.Op.(type) {
		case *graph.Linear:
			h.Input = n.Inputs[0]
			h.cut(g)
			return h
		case *graph.Map:
			if len(n.Inputs) != 1 {
				return nil
			}
			v = n.Inputs[0]
		default:
			return nil
		}
	}
}

// cut makes the trunk.
func (h *Head) cut(g *graph.Graph) {
	t := *g
	t.Nodes, t.Values = nil, slices.Clone(g.Values)
	for i, n := range g.Nodes {
		if slices.Contains(h.Nodes, i) {
			continue
		}
		for _, v := range n.Outputs {
			value := *g.Values[v]
			value.Node = len(t.Nodes)
			t.Values[v] = &value
		}
		t.Nodes = append(t.Nodes, n)
		h.TrunkNodes = append(h.TrunkNodes, i)
	}
	t.Logits = h.Input
	h.Trunk = &t
}
