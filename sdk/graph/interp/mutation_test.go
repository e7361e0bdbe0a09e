package interp

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/graphtest"
)

// A part is one contribution to one gradient: of a node (−1 is the loss), by a name
// such as "x by the mean", and for inputs by their index.
type part struct {
	node  int
	name  string
	index int
}

// class is what the parts of all nodes of an operation have in common.
func (p part) class(g *graph.Graph) string {
	if p.node < 0 {
		return "loss: " + p.name
	}
	name := p.name
	switch o := g.Nodes[p.node].Op.(type) {
	case *graph.Map:
		if p.name != "input" {
			return "map: parameter"
		}
		name = "input a group"
		switch g.Values[g.Nodes[p.node].Inputs[p.index]].Width {
		case o.Width:
			name = "input"
		case 1:
			name = "input a token"
		}
	}
	return g.Nodes[p.node].Op.Name() + ": " + name
}

// TestFlippedSigns flips the sign of every single contribution to a gradient that
// the backward pass makes, one at a time, and expects the check of TestGradients to
// tell. A contribution too small to matter, such as that of a query that sees one
// key alone, is left out, and counted.
func TestFlippedSigns(t *testing.T) {
	long(t)
	const enough, most = 25, 400
	rng := rand.New(rand.NewPCG(7, 77))
	caught, small := map[string]int{}, map[string]int{}
	cases := 0
	for ; cases < most && (cases < 60 || slices.Min(slices.Collect(maps.Values(caught))) < enough); cases++ {
		s := newSubject(t, graphtest.Random(rng, graphtest.Options{}))
		if wrong, err := s.measure(rng, 1); err != nil || len(wrong) > 0 {
			t.Fatalf("case %d: %v %v", cases, err, wrong)
		}
		parts, right := s.parts(t)
		for _, p := range parts {
			class := p.class(s.c.Graph)
			wrong := s.flipped(t, p)
			switch {
			case s.caught(wrong):
				caught[class]++
			case nearly(wrong, right):
				small[class]++
			default:
				t.Errorf("case %d: node %d, %q (%s): its sign was flipped and nothing told", cases, p.node, p.name, class)
			}
		}
	}
	order := slices.Sorted(maps.Keys(caught))
	t.Logf("%d graphs; flips that were caught:\n%s\ntoo small to matter:\n%s", cases, table(caught, order), table(small, order))
	for class := range small {
		if caught[class] < enough {
			t.Errorf("%s: %d flips caught, %d too small", class, caught[class], small[class])
		}
	}
	for _, class := range order {
		if small[class] > 2*caught[class] {
			t.Errorf("%s: %d flips were too small to matter, %d were caught", class, small[class], caught[class])
		}
	}
}

// parts lists every contribution that the backward pass makes, by asking it, and
// gives the right gradients.
func (s *subject) parts(t *testing.T) ([]part, map[graph.ParamID][]float64) {
	t.Helper()
	var out []part
	seen := map[part]bool{}
	s.run.sign = func(node int, name string, index int) float64 {
		if p := (part{node, name, index}); !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
		return 1
	}
	right, err := s.gradients(s.schedule)
	if err != nil {
		t.Fatal(err)
	}
	return out, right
}

// flipped gives the gradients with one contribution's sign flipped.
func (s *subject) flipped(t *testing.T, p part) map[graph.ParamID][]float64 {
	t.Helper()
	s.run.sign = func(node int, name string, index int) float64 {
		if (part{node, name, index}) == p {
			return -1
		}
		return 1
	}
	gradients, err := s.gradients(s.schedule)
	if err != nil {
		t.Fatal(err)
	}
	return gradients
}

// nearly reports whether two sets of gradients are so close that differences
// cannot tell them apart.
func nearly(a, b map[graph.ParamID][]float64) bool {
	for id := range a {
		change, norm := 0.0, 0.0
		for i := range a[id] {
			change += (a[id][i] - b[id][i]) * (a[id][i] - b[id][i])
			norm += b[id][i] * b[id][i]
		}
		if math.Sqrt(change) > 1e-5*math.Sqrt(norm)+1e-5 {
			return false
		}
	}
	return true
}

// TestBrokenSchedules leaves out, or adds, one thing that a schedule says, for each
// thing, and expects the check to tell.
func TestBrokenSchedules(t *testing.T) {
	long(t)
	const enough, most = 50, 400
	rng := rand.New(rand.NewPCG(8, 88))
	caught, small := map[string]int{}, map[string]int{}
	for i := 0; i < most && (i < 50 || slices.Min(slices.Collect(maps.Values(caught))) < enough); i++ {
		s := newSubject(t, graphtest.Random(rng, graphtest.Options{}))
		if wrong, err := s.measure(rng, 1); err != nil || len(wrong) > 0 {
			t.Fatalf("case %d: %v %v", i, err, wrong)
		}
		right, err := s.gradients(s.schedule)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mutants(s.schedule) {
			wrong, err := s.attempt(m.schedule)
			switch {
			case err != nil || s.caught(wrong):
				caught[m.what]++
			case nearly(wrong, right):
				small[m.what]++
			default:
				t.Errorf("case %d: step %d: %s, and nothing told", i, m.step, m.what)
			}
		}
	}
	order := slices.Sorted(maps.Keys(caught))
	t.Logf("caught:\n%s\ntoo small to matter:\n%s", table(caught, order), table(small, order))
	for _, what := range order {
		if caught[what] < enough || small[what] > caught[what] {
			t.Errorf("%s: caught %d, too small %d", what, caught[what], small[what])
		}
	}
}

// attempt runs a broken schedule: what it lacks may end in a panic.
func (s *subject) attempt(schedule *schedule) (gradients map[graph.ParamID][]float64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return s.gradients(schedule)
}

// long leaves a test out of short runs, such as those under the race detector, which
// finds nothing in a single goroutine.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes long")
	}
}
