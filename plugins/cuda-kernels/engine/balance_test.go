package engine

import (
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/kernels"
)

// balancedLayers is two layers of experts with a balancing loss each.
func balancedLayers(t testing.TB) *graph.Graph {
	t.Helper()
	const hidden, inner, count = 64, 32, 8
	b := graph.New("MixtureForCausalLM")
	x := b.Embed("embed.weight", 500, hidden)
	for i := range 2 {
		b.Scope("layers.%d", i)
		h := b.Linear(b.RMSNorm(x, "norm", 1e-5), "q_proj", hidden, graph.RoleAttnQ)
		indices, weights := b.Route(b.Linear(h, "router", count, graph.RoleRouter, graph.Float32Out()), "route", graph.Route{
			Experts: count, TopK: 2, Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1, Normalise: true, Factor: 1,
		})
		stack := func(name string, out, in int) graph.ExpertLinear {
			return graph.ExpertLinear{Weight: b.Param(name, []int{count, out, in}, graph.RoleExpertUp), Bias: graph.NoParam, Experts: count}
		}
		up := b.ExpertLinear(h, indices, "up", stack("up", inner, hidden))
		y := b.ExpertLinear(b.Map("act", "silu(x)", graph.In("x", up)), indices, "down", stack("down", hidden, inner))
		x = b.Add(x, b.Combine(y, weights, "combine"), "residual")
	}
	b.Scope("")
	b.Logits(b.Linear(x, "head", 500, graph.RoleHead))
	g, err := b.Graph()
	if err == nil {
		g, err = adapt.Apply(g, adapt.LoRA{Rank: 8, Alpha: 16, Targets: []string{adapt.Auto}})
	}
	if err == nil {
		g, err = adapt.Balance(g, 0.5)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestBalanceOnce: a balancing loss counts once though its route is run again in the
// backward pass, and a recorded micro-batch adds it as a launched one does.
func TestBalanceOnce(t *testing.T) {
	gpu := openGPU(t)
	g := balancedLayers(t)
	o := of(gpu)
	o.Recompute = RecomputeNone
	want, e, _ := trainSome(t, gpu, g, o, 256, 12)
	if e.recordings.seen == nil {
		t.Error("nothing was recorded")
	}
	eager, again := o, o
	eager.Eager = true
	again.Recompute = RecomputeLayers
	for name, options := range map[string]Options{"launched": eager, "computed again": again} {
		got, e, _ := trainSome(t, gpu, g, options, 256, 12)
		if name == "computed again" && !runsAgain(e.scheduled, "route") {
			t.Error("no route is run again")
		}
		for i := range want {
			if got[i].Metrics[kernels.AuxLoss] != want[i].Metrics[kernels.AuxLoss] || got[i].Loss != want[i].Loss || got[i].GradNorm != want[i].GradNorm {
				t.Errorf("%s, step %d: %v, loss %v and norm %v, want %v, %v and %v", name, i+1,
					got[i].Metrics[kernels.AuxLoss], got[i].Loss, got[i].GradNorm, want[i].Metrics[kernels.AuxLoss], want[i].Loss, want[i].GradNorm)
			}
		}
	}
	// Two layers, each of about 1, at most of the experts for each that is chosen.
	for i, r := range want {
		if l := r.Metrics[kernels.AuxLoss]; !(l >= 2*0.5*0.9 && l <= 2*0.5*4) {
			t.Errorf("step %d: balancing losses of %v", i+1, l)
		}
	}
}

// runsAgain reports whether a schedule runs a node of that operation after the loss.
func runsAgain(s *diff.Schedule, op string) bool {
	after := false
	for _, step := range s.Steps {
		after = after || step.Kind == diff.Loss
		if after && step.Kind == diff.Forward && s.Graph.Nodes[step.Node].Op.Name() == op {
			return true
		}
	}
	return false
}

// TestBalancePlans: the plan has room for the shares of experts and each row's loss, and
// none of that for a route without a balancing loss.
func TestBalancePlans(t *testing.T) {
	g := balancedLayers(t)
	plain, err := adapt.Balance(g, 0)
	if err != nil {
		t.Fatal(err)
	}
	scratch := func(g *graph.Graph) int64 {
		e, err := planOf(t, g, Options{Recompute: RecomputeLayers})
		if err != nil {
			t.Fatal(err)
		}
		if e.phases.Train && g.Balanced() && !runsAgain(e.scheduled, "route") {
			t.Error("no route is run again")
		}
		for _, n := range e.nodes {
			if r, ok := n.(*routeNode); ok {
				return r.scratchBytes(1024)
			}
		}
		t.Fatal("no route")
		return 0
	}
	if more := scratch(g) - scratch(plain); more != 1024*8*4+1024*4 {
		t.Errorf("a balancing loss takes %d bytes of scratch memory", more)
	}
}
