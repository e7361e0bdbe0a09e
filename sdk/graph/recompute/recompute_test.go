package recompute_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/graph/recompute"
)

// mlps is a stack of gated MLPs, each a layer, trained whole.
func mlps(t *testing.T, layers int) *diff.Schedule {
	t.Helper()
	b := graph.New("Test")
	x := b.Embed("model.embed.weight", 9, 4)
	for i := range layers {
		b.Scope("model.layers.%d", i)
		h := b.RMSNorm(x, "norm", 1e-5)
		gate, up := b.Linear(h, "mlp.gate", 6, graph.RoleMLPGate), b.Linear(h, "mlp.up", 6, graph.RoleMLPUp)
		y := b.Linear(b.Gated(gate, up, "silu", "mlp.act"), "mlp.down", 4, graph.RoleMLPDown)
		x = b.Add(x, y, "add")
	}
	b.Scope("")
	b.Logits(b.Linear(b.RMSNorm(x, "model.norm", 1e-5), "head", 9, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	s, err := diff.Differentiate(adapt.Full(g), diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// kinds is a schedule's steps, without gradients.
func kinds(s *diff.Schedule) string {
	var lines []string
	for line := range strings.Lines(s.Text()) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), ":")
		lines = append(lines, strings.NewReplacer("forward", "+", "backward", "-", "model.", "", "layers.", "").Replace(line))
	}
	return strings.Join(lines, "\n")
}

func TestLayers(t *testing.T) {
	s := mlps(t, 2)
	got := kinds(recompute.Plan(s, recompute.Layers(s.Graph)))
	want := `+ embed
+ 0.norm
+ 0.mlp.gate
+ 0.mlp.up
+ 0.mlp.act
+ 0.mlp.down
+ 0.add
+ 1.norm
+ 1.mlp.gate
+ 1.mlp.up
+ 1.mlp.act
+ 1.mlp.down
+ 1.add
+ norm
+ head
loss
- head
- norm
- 1.add
+ 1.norm
+ 1.mlp.gate
+ 1.mlp.up
+ 1.mlp.act
- 1.mlp.down
- 1.mlp.act
- 1.mlp.up
- 1.mlp.gate
- 1.norm
- 0.add
+ 0.norm
+ 0.mlp.gate
+ 0.mlp.up
+ 0.mlp.act
- 0.mlp.down
- 0.mlp.act
- 0.mlp.up
- 0.mlp.gate
- 0.norm
- embed`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEverything(t *testing.T) {
	s := mlps(t, 3)
	p := recompute.Plan(s, recompute.Everything)
	if p.Text() != s.Text() || len(recompute.Again(p)) > 0 {
		t.Errorf("got\n%s\nwant\n%s", p.Text(), s.Text())
	}
}

// TestPredicate: one value that is not kept is computed again, once, from what is.
func TestPredicate(t *testing.T) {
	s := mlps(t, 1)
	act := slices.IndexFunc(s.Graph.Nodes, func(n *graph.Node) bool { return n.Name == "model.layers.0.mlp.act" })
	p := recompute.Plan(s, func(v graph.ValueID) bool { return v != s.Graph.Nodes[act].Outputs[0] })
	if got := recompute.Again(p); !slices.Equal(got, []int{act}) {
		t.Errorf("computed again: %v, want %v", got, act)
	}
	if !strings.Contains(kinds(p), "+ 0.mlp.act\n- 0.mlp.down") {
		t.Errorf("got\n%s", kinds(p))
	}
}

// TestLayersOfOthers: keys and values that another layer reads are kept, and so is
// what stands outside of layers.
func TestLayersOfOthers(t *testing.T) {
	b := graph.New("Test")
	x := b.Embed("embed.weight", 9, 4)
	b.Scope("h.0")
	k := b.Linear(x, "k", 4, graph.RoleAttnK)
	h := b.RMSNorm(k, "norm", 1e-5)
	b.Scope("h.11")
	q := b.Linear(h, "q", 4, graph.RoleAttnQ)
	y := b.Attention(q, k, k, "attn", graph.AttentionSpec{Heads: 1, KVHeads: 1, Scale: 1})
	b.Scope("")
	z := b.RMSNorm(y, "norm", 1e-5)
	b.Logits(b.Linear(z, "head", 9, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	keep := recompute.Layers(g)
	for _, test := range []struct {
		what string
		v    graph.ValueID
		want bool
	}{
		{"the embeddings", x, true}, {"shared keys", k, true}, {"a layer's result", h, true}, {"queries", q, false},
		{"the last layer's result", y, true}, {"the last norm", z, true}, {"the logits", g.Logits, true},
	} {
		if got := keep(test.v); got != test.want {
			t.Errorf("%s: kept %v, want %v", test.what, got, test.want)
		}
	}
}

// TestFound follows random plans: each step finds what it reads, computed before and
// either kept or not yet gone, and the backward steps are those of the schedule.
func TestFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for range 100 {
		c := graphtest.Random(rng, graphtest.Options{})
		s, err := diff.Differentiate(c.Graph, diff.Options{Adapter: c.Adapter})
		if err != nil {
			t.Fatal(err)
		}
		kept := make([]bool, len(c.Graph.Values))
		for v := range kept {
			kept[v] = rng.IntN(3) == 0
		}
		p := recompute.Plan(s, func(v graph.ValueID) bool { return kept[v] })
		there := make([]bool, len(kept))
		find := func(step diff.Step, values []graph.ValueID) {
			for _, v := range values {
				if !there[v] {
					t.Fatalf("step %+v reads value %d, which is not there\n%s", step, v, p.Text())
				}
			}
		}
		var rest []diff.Step
		first := make([]bool, len(c.Graph.Nodes))
		for _, step := range p.Steps {
			switch step.Kind {
			case diff.Forward:
				n := c.Graph.Nodes[step.Node]
				find(step, n.Inputs)
				for _, v := range n.Outputs {
					there[v] = true
				}
				if !first[step.Node] {
					first[step.Node] = true
					rest = append(rest, step)
				}
			case diff.Loss:
				find(step, step.Reads)
				copy(there, kept) // what is not kept is gone
				there[c.Graph.Logits] = true
				rest = append(rest, step)
			case diff.Backward:
				find(step, step.Reads)
				rest = append(rest, step)
			}
		}
		without := *p
		without.Steps = rest
		if without.Text() != s.Text() {
			t.Errorf("without what is computed again, the plan is\n%s\nand the schedule\n%s", without.Text(), s.Text())
		}
	}
}
