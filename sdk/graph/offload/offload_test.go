package offload_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/graph/live"
	"github.com/honeml/hone/sdk/graph/offload"
	"github.com/honeml/hone/sdk/graph/recompute"
)

// chain is n linears with adapters, one after the other.
func chain(t *testing.T, n int) *diff.Schedule {
	t.Helper()
	b := graph.New("Chain")
	x := b.Embed("embed.weight", 9, 4)
	for i := range n {
		x = b.Linear(x, fmt.Sprintf("layer%d", i), 4, graph.RoleMLPUp)
	}
	b.Logits(b.Linear(x, "head", 9, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = adapt.Apply(g, adapt.LoRA{Rank: 1, Alpha: 1, Targets: []string{"layer*"}}); err != nil {
		t.Fatal(err)
	}
	s, err := diff.Differentiate(g, diff.Options{Adapter: adapt.DefaultName})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func one(diff.Step) float64 { return 1 }

func TestPlan(t *testing.T) {
	// Forward 0 embed, 1-4 the layers, 5 head, 6 loss, 7 head, 8-11 the layers backwards.
	s := chain(t, 4)
	tests := map[string]struct {
		copy float64
		move []graph.ValueID
		want string
	}{
		"a quick copy": {0.5, []graph.ValueID{1}, "forward embed, forward layer0, forward layer1, store %1, forward layer2, stored %1, forward layer3, " +
			"forward head, loss, backward head, backward layer3, fetch %1, backward layer2, fetched %1, backward layer1, backward layer0"},
		"a slow one is asked for earlier": {2.5, []graph.ValueID{1}, "forward embed, forward layer0, forward layer1, store %1, forward layer2, forward layer3, " +
			"forward head, stored %1, loss, fetch %1, backward head, backward layer3, backward layer2, fetched %1, backward layer1, backward layer0"},
		"two share the link": {1, []graph.ValueID{0, 1}, "forward embed, forward layer0, store %0, forward layer1, stored %0, store %1, forward layer2, stored %1, forward layer3, " +
			"forward head, loss, backward head, backward layer3, fetch %1, backward layer2, fetched %1, fetch %0, backward layer1, fetched %0, backward layer0"},
		"no time to leave": {9, []graph.ValueID{1}, "forward embed, forward layer0, forward layer1, forward layer2, forward layer3, " +
			"forward head, loss, backward head, backward layer3, backward layer2, backward layer1, backward layer0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := offload.Plan(s, offload.Model{
				Step: one, Copy: func(graph.ValueID) float64 { return test.copy },
				Move: func(v graph.ValueID) bool { return slices.Contains(test.move, v) },
			})
			if got := text(p); got != test.want {
				t.Errorf("%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func text(s *diff.Schedule) string {
	names := map[diff.Kind]string{
		diff.Forward: "forward", diff.Backward: "backward", diff.Store: "store", diff.Stored: "stored", diff.Fetch: "fetch", diff.Fetched: "fetched",
	}
	out := ""
	for i, step := range s.Steps {
		if i > 0 {
			out += ", "
		}
		switch step.Kind {
		case diff.Loss:
			out += "loss"
		case diff.Forward, diff.Backward:
			out += names[step.Kind] + " " + s.Graph.Nodes[step.Node].Name
		default:
			out += fmt.Sprintf("%s %%%d", names[step.Kind], step.Value)
		}
	}
	return out
}

// TestRandom: between Stored and Fetch nothing touches a value, whatever takes how
// long, and memory is never more than before.
func TestRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	moved := 0
	for range 300 {
		c := graphtest.Random(rng, graphtest.Options{})
		s, err := diff.Differentiate(c.Graph, diff.Options{Adapter: c.Adapter})
		if err != nil {
			t.Fatal(err)
		}
		if rng.IntN(2) == 0 {
			s = recompute.Plan(s, func(graph.ValueID) bool { return rng.IntN(3) > 0 })
		}
		candidates := offload.Candidates(s)
		p := offload.Plan(s, offload.Model{
			Step: func(diff.Step) float64 { return rng.Float64() },
			Copy: func(graph.ValueID) float64 { return rng.Float64() * 3 },
			Move: func(v graph.ValueID) bool { return slices.Contains(candidates, v) && rng.IntN(2) == 0 },
		})
		moved += valid(t, p)
		if before, after := peak(s), peak(p); after > before {
			t.Errorf("%d bytes, without moving anything %d\n%s", after, before, text(p))
		}
	}
	if moved < 500 {
		t.Errorf("only %d values were moved", moved)
	}
}

func peak(s *diff.Schedule) int64 {
	buffers := live.Buffers(s)
	sizes := make([]int64, len(buffers))
	for i, b := range buffers {
		sizes[i] = int64(s.Graph.Values[b.Value].Width)
	}
	return live.Peak(buffers, sizes)
}

// valid checks the order of a value's moves and counts the values that are moved.
func valid(t *testing.T, s *diff.Schedule) int {
	t.Helper()
	const here, leaving, away, coming = 0, 1, 2, 3
	state := make([]int, len(s.Graph.Values))
	moved := 0
	touch := func(i int, v graph.ValueID) {
		if state[v] == away || state[v] == coming {
			t.Fatalf("step %d reads value %d, which is away\n%s", i, v, text(s))
		}
	}
	next := map[diff.Kind][2]int{diff.Store: {here, leaving}, diff.Stored: {leaving, away}, diff.Fetch: {away, coming}, diff.Fetched: {coming, here}}
	for i, step := range s.Steps {
		switch step.Kind {
		case diff.Forward:
			for _, v := range s.Graph.Nodes[step.Node].Inputs {
				touch(i, v)
			}
		case diff.Loss:
			touch(i, s.Graph.Logits)
		case diff.Backward:
			for _, v := range step.Reads {
				touch(i, v)
			}
		default:
			if state[step.Value] != next[step.Kind][0] {
				t.Fatalf("step %d: value %d is in state %d\n%s", i, step.Value, state[step.Value], text(s))
			}
			state[step.Value] = next[step.Kind][1]
			if step.Kind == diff.Fetched {
				moved++
			}
		}
	}
	for v, at := range state {
		if at != here {
			t.Fatalf("value %d ends in state %d\n%s", v, at, text(s))
		}
	}
	return moved
}
