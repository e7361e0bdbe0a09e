package place_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/graph/place"
	"github.com/honeml/hone/sdk/graph/recompute"
)

// TestPlace walks programs of random graphs as a backend does, and checks that
// each step finds what it reads in a buffer that lives and holds it.
func TestPlace(t *testing.T) {
	groups := 0
	for seed := range uint64(60) {
		c := graphtest.Random(rand.New(rand.NewPCG(seed, 5)), graphtest.Options{})
		full, err := diff.Differentiate(c.Graph, diff.Options{Adapter: c.Adapter})
		if err != nil {
			t.Fatal(err)
		}
		joined, err := diff.Differentiate(c.Graph, diff.Options{Adapter: c.Adapter})
		if err != nil {
			t.Fatal(err)
		}
		join(joined)
		groups += len(joined.Groups)
		for name, s := range map[string]*diff.Schedule{
			"forward": diff.ForwardOnly(c.Graph, diff.Options{}), "kept": full, "recomputed": recompute.Plan(full, recompute.Layers(c.Graph)),
			"joined": joined, "joined, recomputed": recompute.Plan(joined, recompute.Layers(c.Graph)),
			"joined, all recomputed": recompute.Plan(joined, func(graph.ValueID) bool { return false }),
		} {
			check(t, name, s)
		}
	}
	if groups == 0 {
		t.Error("no graph had a group")
	}
}

// join groups neighbours that have their only input in common. Each node keeps something
// for its backward step, but those of a group leave that to the first.
func join(s *diff.Schedule) {
	steps := s.BackwardSteps()
	s.Keeps = make([]bool, len(steps))
	var groups [][]int
	open := false // the last group, for the next node
	for i, n := range s.Graph.Nodes {
		if steps[i] == nil {
			continue
		}
		s.Keeps[i] = true
		if len(n.Inputs) != 1 {
			open = false
			continue
		}
		if open {
			if last := len(groups) - 1; s.Graph.Nodes[groups[last][0]].Inputs[0] == n.Inputs[0] {
				groups[last], s.Keeps[i] = append(groups[last], i), false
				continue
			}
		}
		groups, open = append(groups, []int{i}), true
	}
	s.Join(slices.DeleteFunc(groups, func(g []int) bool { return len(g) == 1 }))
}

func check(t *testing.T, name string, s *diff.Schedule) {
	t.Helper()
	p := place.Place(s)
	lead, led := s.Grouping()
	// kept checks that a step finds what its node keeps, or the one that leads it.
	kept := func(i int) {
		t.Helper()
		n := lead[s.Steps[i].Node]
		if !s.Kept(n) {
			return
		}
		buffer := p.Steps[i].Kept
		if buffer == place.Nowhere {
			t.Fatalf("%s: step %d does not find what node %d keeps", name, i, n)
		}
		if b := p.Buffers[buffer]; b.From > i || b.To < i || b.Value != graph.NoValue || b.Node != n {
			t.Fatalf("%s: step %d finds %+v for what node %d keeps", name, i, b, n)
		}
	}
	if len(p.Steps) != len(s.Steps) || p.Logits == place.Nowhere {
		t.Fatalf("%s: %d steps of %d, logits in %d", name, len(p.Steps), len(s.Steps), p.Logits)
	}
	holds := func(i, buffer int, value any, gradient bool) {
		t.Helper()
		if buffer == place.Nowhere {
			t.Fatalf("%s: step %d does not find %v (gradient: %v)", name, i, value, gradient)
		}
		b := p.Buffers[buffer]
		if b.From > i || b.To < i || b.Gradient != gradient || any(b.Value) != value {
			t.Fatalf("%s: step %d finds %v in %+v", name, i, value, b)
		}
	}
	for i, step := range s.Steps {
		placed := p.Steps[i]
		if step.Kind == diff.Loss {
			holds(i, p.Logits, s.Graph.Logits, false)
			holds(i, p.DLogits, s.Graph.Logits, true)
			continue
		}
		n := s.Graph.Nodes[step.Node]
		if step.Kind == diff.Forward {
			for k, v := range n.Inputs {
				holds(i, placed.In[k], v, false)
			}
			for k, v := range n.Outputs {
				holds(i, placed.Out[k], v, false)
			}
			kept(i)
			continue
		}
		kept(i)
		for k, other := range led[step.Node] {
			holds(i, placed.Led[k], s.Graph.Nodes[other].Outputs[0], true)
		}
		for _, v := range step.Reads {
			for k, in := range n.Inputs {
				if in == v {
					holds(i, placed.In[k], v, false)
				}
			}
			for k, out := range n.Outputs {
				if out == v {
					holds(i, placed.Out[k], v, false)
				}
			}
		}
		for k, v := range n.Outputs {
			if step.OutputGradients[k] {
				holds(i, placed.DOut[k], v, true)
			}
		}
		for _, in := range step.Inputs {
			holds(i, placed.DIn[in.Input], in.Value, true)
			if placed.Accumulate[in.Input] != in.Accumulate {
				t.Fatalf("%s: step %d: accumulate %v", name, i, placed.Accumulate[in.Input])
			}
		}
	}
}
