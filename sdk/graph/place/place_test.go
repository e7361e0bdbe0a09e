package place_test

import (
	"math/rand/v2"
	"testing"

	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/graph/place"
	"github.com/honeml/hone/sdk/graph/recompute"
)

// TestPlace walks programs of random graphs as a backend does, and checks that
// each step finds what it reads in a buffer that lives and holds it.
func TestPlace(t *testing.T) {
	for seed := range uint64(60) {
		c := graphtest.Random(rand.New(rand.NewPCG(seed, 5)), graphtest.Options{})
		full, err := diff.Differentiate(c.Graph, diff.Options{Adapter: c.Adapter})
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]*diff.Schedule{
			"forward": diff.ForwardOnly(c.Graph, diff.Options{}), "kept": full, "recomputed": recompute.Plan(full, recompute.Layers(c.Graph)),
		} {
			check(t, name, s)
		}
	}
}

func check(t *testing.T, name string, s *diff.Schedule) {
	t.Helper()
	p := place.Place(s)
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
			continue
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
