package facts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/facts"
)

// small has 9 ids that are embedded and 7 that are predicted.
func small(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.New("Test")
	x := b.Embed("embed.weight", 9, 4)
	x = b.Linear(x, "up", 6, graph.RoleMLPUp)
	b.Logits(b.Linear(x, "head", 7, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = adapt.Apply(g, adapt.LoRA{Rank: 2, Alpha: 2, Targets: []string{"up"}}); err != nil {
		t.Fatal(err)
	}
	return g
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	if !errors.Is(err, fault.BadInput) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want bad input with %q", err, want)
	}
}

func TestCheckBatch(t *testing.T) {
	g := small(t)
	if n := g.IDs(); n != 7 {
		t.Errorf("%d ids", n)
	}
	batch := func(ids ...int32) *graph.Batch {
		b := &graph.Batch{}
		b.Append(0, ids, make([]float32, len(ids)))
		return b
	}
	if err := facts.CheckBatch(g, batch(0, 6, 3), 3); err != nil {
		t.Error(err)
	}
	refused(t, facts.CheckBatch(g, batch(0, 7), 3), "id 7")
	refused(t, facts.CheckBatch(g, batch(0, 1, 2, 3), 3), "room for 3")
	refused(t, facts.CheckBatch(g, &graph.Batch{}, 3), "0 tokens")
}

func TestNames(t *testing.T) {
	g := small(t)
	for _, name := range []string{"", adapt.DefaultName} {
		if err := facts.CheckAdapter(g, name); err != nil {
			t.Error(err)
		}
	}
	refused(t, facts.CheckAdapter(g, "nobody"), `"nobody"`)
	want := g.Trainable()[0]
	if p, err := facts.Trainable(g, want.Name); err != nil || p != want {
		t.Errorf("%v, %v", p, err)
	}
	_, err := facts.Trainable(g, "embed.weight") // frozen
	refused(t, err, `"embed.weight"`)
}

func TestFLOPsPerToken(t *testing.T) {
	g := small(t)
	const weights, adapter = 4*6 + 6*7, 2 * (4 + 6)
	for train, want := range map[bool]float64{false: 2*weights + 6*adapter, true: 4*weights + 6*adapter} {
		if got := facts.FLOPsPerToken(g, kernels.Phases{Train: train}, 10); got != want {
			t.Errorf("trains %v: %v, want %v", train, got, want)
		}
	}
}

// TestFLOPsOfExperts: of the experts a token passes through those that it chooses.
func TestFLOPsOfExperts(t *testing.T) {
	b := graph.New("Mixture")
	x := b.Embed("embed.weight", 7, 4)
	indices, weights := b.Route(b.Linear(x, "router", 5, graph.RoleRouter), "route", graph.Route{
		Experts: 5, TopK: 2, Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1,
	})
	stack := b.Param("experts", []int{5, 4, 4}, graph.RoleExpertUp)
	y := b.ExpertLinear(x, indices, "experts", graph.ExpertLinear{Weight: stack, Bias: graph.NoParam, Experts: 5})
	b.Logits(b.Linear(b.Combine(y, weights, "combine"), "head", 7, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := facts.FLOPsPerToken(g, kernels.Phases{}, 10), 2.0*(4*5+2*4*4+4*7); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}
