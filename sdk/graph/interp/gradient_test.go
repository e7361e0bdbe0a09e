package interp

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/graphtest"
)

// TestGradients draws random graphs until each operation and each class of
// attributes was seen 50 times, and each operation after each other one 25 times,
// and holds every gradient of every trainable parameter to differences of losses.
func TestGradients(t *testing.T) {
	long(t)
	const enough, enoughPairs, most = 50, 25, 1000
	rng := rand.New(rand.NewPCG(2026, 11))
	counts, pairs := map[string]int{}, map[string]int{}
	short := func() (names []string) {
		for _, class := range graphtest.Classes() {
			if counts[class] < enough {
				names = append(names, class)
			}
		}
		for _, pair := range allPairs() {
			if pairs[pair] < enoughPairs {
				names = append(names, pair)
			}
		}
		return names
	}
	cases, probes, kinks := 0, 0, 0
	for ; len(short()) > 0 && cases < most; cases++ {
		s := newSubject(t, graphtest.Random(rng, graphtest.Options{}))
		wrong, err := s.measure(rng, 2)
		if err != nil {
			t.Fatalf("case %d: %v\n%s", cases, err, s)
		}
		if len(wrong) > 0 {
			t.Fatalf("case %d:\n%s\n%s", cases, strings.Join(wrong, "\n"), s)
		}
		for class, n := range s.c.Classes() {
			counts[class] += n
		}
		countPairs(s.c.Graph, pairs)
		probes, kinks = probes+len(s.probes), kinks+s.kinks
	}
	t.Logf("%d graphs, %d gradients along a direction, %d of them near a kink\n%s\n%s",
		cases, probes, kinks, table(counts, graphtest.Classes()), pairTable(pairs))
	if kinks*50 > probes {
		t.Errorf("%d of %d differences met a kink: too many to trust the rest", kinks, probes)
	}
	if names := short(); len(names) > 0 {
		t.Errorf("seen too seldom: %q", names)
	}
}

// TestTokenRows: gradients of graphs whose adapters have rows of their own, on and off.
func TestTokenRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	on, off := map[string]int{}, 0
	for i := range 60 {
		s := newSubject(t, graphtest.Random(rng, graphtest.Options{Nodes: 8, TokenRows: true}))
		wrong, err := s.measure(rng, 2)
		if err != nil || len(wrong) > 0 {
			t.Fatalf("case %d: %v\n%s\n%s", i, err, strings.Join(wrong, "\n"), s)
		}
		for _, n := range s.c.Graph.Nodes {
			switch {
			case diff.ActiveRows(n.Op, s.c.Adapter) != nil:
				on[n.Op.Name()]++
			case graph.RowsOf(n.Op) != nil:
				off++
			}
		}
	}
	if on["embed"] < 20 || on["linear"] < 20 || off < 20 {
		t.Errorf("token rows were on in %v and off in %d", on, off)
	}
}

// TestDoRAGradients holds gradients of DoRA's adapters to differences, and sees that
// flipping the sign of a part of them is noticed.
func TestDoRAGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(2026, 12))
	flips := 0
	for i := range 60 {
		s := newSubject(t, graphtest.Random(rng, graphtest.Options{DoRA: true}))
		wrong, err := s.measure(rng, 2)
		if err != nil {
			t.Fatalf("case %d: %v\n%s", i, err, s)
		}
		if len(wrong) > 0 {
			t.Fatalf("case %d:\n%s\n%s", i, strings.Join(wrong, "\n"), s)
		}
		parts, right := s.parts(t)
		for _, p := range parts {
			if !strings.Contains(p.name, "magnitude") {
				continue
			}
			if gradients := s.flipped(t, p); s.caught(gradients) {
				flips++
			} else if !nearly(gradients, right) {
				t.Errorf("case %d: node %d, %q: its sign was flipped and nothing told", i, p.node, p.name)
			}
		}
	}
	if flips < 50 {
		t.Errorf("only %d flips were noticed", flips)
	}
}

// TestPiSSAGradients does so for adapters with a start, whose values here are others than
// A's and B's: the gradient by x through them, and none by them.
func TestPiSSAGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(2026, 13))
	flips := 0
	for i := range 60 {
		s := newSubject(t, graphtest.Random(rng, graphtest.Options{PiSSA: true, TokenRows: i%3 == 0}))
		wrong, err := s.measure(rng, 2)
		if err != nil {
			t.Fatalf("case %d: %v\n%s", i, err, s)
		}
		if len(wrong) > 0 {
			t.Fatalf("case %d:\n%s\n%s", i, strings.Join(wrong, "\n"), s)
		}
		parts, right := s.parts(t)
		for _, p := range parts {
			if p.name != "x of the start" {
				continue
			}
			if gradients := s.flipped(t, p); s.caught(gradients) {
				flips++
			} else if !nearly(gradients, right) {
				t.Errorf("case %d: node %d, %q: its sign was flipped and nothing told", i, p.node, p.name)
			}
		}
	}
	if flips < 50 {
		t.Errorf("only %d flips were noticed", flips)
	}
}

// TestBalanceGradients does so for routes with balancing losses.
func TestBalanceGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(2026, 14))
	flips, small, sigmoids, after := 0, 0, 0, 0
	for i := 0; i < 400 && min(flips, sigmoids, after) < 30; i++ {
		s := newSubject(t, graphtest.Random(rng, graphtest.Options{Nodes: 14, Balance: true}))
		if !s.c.Graph.Balanced() {
			continue
		}
		wrong, err := s.measure(rng, 2)
		if err != nil || len(wrong) > 0 {
			t.Fatalf("case %d: %v\n%s\n%s", i, err, strings.Join(wrong, "\n"), s)
		}
		parts, right := s.parts(t)
		for _, p := range parts {
			if p.name != "balance" {
				continue
			}
			gradients := s.flipped(t, p)
			switch o, _ := s.c.Graph.Nodes[p.node].Op.(*graph.Route); {
			case s.caught(gradients):
				flips++
				if o.Sigmoid {
					sigmoids++
				}
				if o.After {
					after++
				}
			case nearly(gradients, right):
				small++
			default:
				t.Errorf("case %d: node %d, %q: its sign was flipped and nothing told", i, p.node, p.name)
			}
		}
	}
	if min(flips, sigmoids, after) < 30 || small > flips {
		t.Errorf("%d flips were noticed, %d of sigmoids and %d of scores after the choice; %d were too small to matter", flips, sigmoids, after, small)
	}
}

// operations are those that random graphs have, embed, which takes nothing, first.
var operations = graph.OpNames()

func allPairs() (out []string) {
	for _, first := range operations {
		for _, second := range operations[1:] {
			if takes(second, first) {
				out = append(out, second+" of "+first)
			}
		}
	}
	return out
}

// takes reports whether an operation often takes what another gives: a route takes
// from a map, to be far from ties, and combine what has a row for each of a token's
// experts, or weights.
func takes(second, first string) bool {
	switch second {
	case "route":
		return first == "map"
	case "combine":
		return slices.Contains([]string{"expert_linear", "map", "split", "concat", "route"}, first)
	}
	return true
}

// countPairs counts which operation takes what which other one gave.
func countPairs(g *graph.Graph, pairs map[string]int) {
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			pairs[n.Op.Name()+" of "+g.Nodes[g.Values[v].Node].Op.Name()]++
		}
	}
}

func pairTable(pairs map[string]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-14s", "takes from")
	for _, first := range operations {
		fmt.Fprintf(&b, "%14s", first)
	}
	for _, second := range operations[1:] {
		fmt.Fprintf(&b, "\n%-14s", second)
		for _, first := range operations {
			fmt.Fprintf(&b, "%14d", pairs[second+" of "+first])
		}
	}
	return b.String()
}
