package diff_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/graphtest"
)

// model is two layers of a norm, an attention and a gated MLP, and a node that
// nothing uses.
func model(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.New("Test")
	x := b.Embed("embed.weight", 9, 4)
	for i := range 2 {
		b.Scope("layers.%d", i)
		h := b.RMSNorm(x, "norm", 1e-5)
		q, k, v := b.Linear(h, "q", 4, graph.RoleAttnQ), b.Linear(h, "k", 4, graph.RoleAttnK), b.Linear(h, "v", 4, graph.RoleAttnV)
		q = b.RoPE(q, "rope", graph.RoPE{Heads: 2, Freq: []float32{1}})
		y := b.Attention(q, k, v, "attn", graph.AttentionSpec{Heads: 2, KVHeads: 2, Scale: 1})
		x = b.Add(x, b.Linear(y, "o", 4, graph.RoleAttnO), "add")
	}
	b.Scope("")
	b.RMSNorm(x, "unused", 1e-5)
	gate := b.Linear(x, "gate", 6, graph.RoleMLPGate, graph.WithBias(true))
	up := b.Linear(x, "up", 6, graph.RoleMLPUp)
	w := b.Param("w", []int{1}, graph.RoleMapParam)
	y := b.Map("act", "silu(gate) * up * w", graph.In("gate", gate), graph.In("up", up), graph.Par("w", w))
	b.Logits(b.Linear(y, "head", 9, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func apply(t *testing.T, g *graph.Graph, l adapt.LoRA) *graph.Graph {
	t.Helper()
	l.Rank, l.Alpha = 2, 2
	g, err := adapt.Apply(g, l)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// mark marks parameters as trainable.
func mark(g *graph.Graph, names ...string) *graph.Graph {
	c := g.Clone()
	for _, p := range c.Params {
		p.Trainable = p.Trainable || slices.Contains(names, p.Name)
	}
	return c
}

func TestSchedules(t *testing.T) {
	const forward = `forward embed
forward layers.0.norm
forward layers.0.q
forward layers.0.k
forward layers.0.v
forward layers.0.rope
forward layers.0.attn
forward layers.0.o
forward layers.0.add
forward layers.1.norm
forward layers.1.q
forward layers.1.k
forward layers.1.v
forward layers.1.rope
forward layers.1.attn
forward layers.1.o
forward layers.1.add
forward gate
forward up
forward act
forward head
loss
`
	for _, test := range []struct {
		name    string
		graph   *graph.Graph
		adapter string
		want    string
	}{
		{"the head's weight alone", mark(model(t), "head.weight"), "", `
backward head: d(head.weight) =; reads %20
`},
		{"a bias before a map", mark(model(t), "gate.bias"), "", `
backward head: d%20 =
backward act: d%18 = {(w * (up * (sigmoid(gate) + (gate * (sigmoid(gate) * (1 - sigmoid(gate)))))))}; reads %18 %19
backward gate: d(gate.bias) =
`},
		{"a map's parameter", mark(model(t), "w"), "", `
backward head: d%20 =
backward act: d(w) = {((gate * sigmoid(gate)) * up)}; reads %18 %19
`},
		{"an adapter on one linear", apply(t, model(t), adapt.LoRA{Targets: []string{"1.v"}}), adapt.DefaultName, `
backward head: d%20 =
backward act: d%18 = {(w * (up * (sigmoid(gate) + (gate * (sigmoid(gate) * (1 - sigmoid(gate)))))))}, d%19 = {(w * (gate * sigmoid(gate)))}; reads %18 %19
backward up: d%16 =
backward gate: d%16 +=
backward layers.1.add: d%15 = {1}
backward layers.1.o: d%14 =
backward layers.1.attn: d%12 =; reads %13 %11 %12 %14
backward layers.1.v: d(base_model.model.layers.1.v.lora_A.weight) =, d(base_model.model.layers.1.v.lora_B.weight) =; reads %9
`},
		{"adapters on what rotates, and on what is above", apply(t, mark(model(t), "layers.1.norm.weight"), adapt.LoRA{Targets: []string{"1.q", "head"}}), adapt.DefaultName, `
backward head: d%20 =, d(base_model.model.head.lora_A.weight) =, d(base_model.model.head.lora_B.weight) =; reads %20
backward act: d%18 = {(w * (up * (sigmoid(gate) + (gate * (sigmoid(gate) * (1 - sigmoid(gate)))))))}, d%19 = {(w * (gate * sigmoid(gate)))}; reads %18 %19
backward up: d%16 =
backward gate: d%16 +=
backward layers.1.add: d%15 = {1}
backward layers.1.o: d%14 =
backward layers.1.attn: d%13 =, d%11 =, d%12 =; reads %13 %11 %12 %14
backward layers.1.rope: d%10 =
backward layers.1.v: d%9 =
backward layers.1.k: d%9 +=
backward layers.1.q: d%9 +=, d(base_model.model.layers.1.q.lora_A.weight) =, d(base_model.model.layers.1.q.lora_B.weight) =; reads %9
backward layers.1.norm: d(layers.1.norm.weight) =; reads %8
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := diff.Differentiate(test.graph, diff.Options{Adapter: test.adapter})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := s.Text(), forward+strings.TrimPrefix(test.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestNothingTrained(t *testing.T) {
	for _, test := range []struct {
		name    string
		graph   *graph.Graph
		adapter string
		want    string
	}{
		{"nothing trainable", model(t), "", "put an adapter on a linear"},
		{"what the logits do not depend on", mark(model(t), "unused.weight"), "", "put an adapter on a linear"},
		{"the adapter is off", apply(t, model(t), adapt.LoRA{Targets: []string{"q"}}), "", `the adapter "" is on, node "layers.0.q" has the adapter "default"`},
		{"another adapter is on", apply(t, model(t), adapt.LoRA{Targets: []string{"q"}}), "other", `the adapter "other" is on`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := diff.Differentiate(test.graph, diff.Options{Adapter: test.adapter})
			if !errors.Is(err, diff.ErrNothingTrained) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// TestExperts: the operations of mixtures of experts are in schedules, though the
// interpreter does not run them.
func TestExperts(t *testing.T) {
	b := graph.New("Mixture")
	x := b.Embed("embed.weight", 4, 5)
	router := b.Linear(x, "router", 4, graph.RoleRouter, graph.Float32Out())
	bias := b.Param("bias", []int{4}, graph.RoleRouter)
	indices, weights := b.Route(router, "route", graph.Route{Experts: 4, TopK: 2, Bias: bias, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1})
	up, down := b.Param("up.weight", []int{4, 6, 5}, graph.RoleExpertUp), b.Param("down.weight", []int{4, 5, 3}, graph.RoleExpertDown)
	y := b.ExpertLinear(x, indices, "up", graph.ExpertLinear{Weight: up, Bias: graph.NoParam, Experts: 4})
	halves := b.Split(y, "split", 1, 3, 3)
	y = b.Gated(halves[0], halves[1], "silu", "act")
	y = b.ExpertLinear(y, indices, "down", graph.ExpertLinear{Weight: down, Bias: graph.NoParam, Experts: 4})
	b.Logits(b.Linear(b.Combine(y, weights, "combine"), "head", 4, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if trained := adapt.Full(g).Params[bias].Trainable; trained {
		t.Error("the bias of a route is trained")
	}
	s, err := diff.Differentiate(mark(g, "router.weight", "up.weight", "bias"), diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(s.Text(), "loss\n")
	want := `backward head: d%9 =
backward combine: d%8 =, d%3 =; reads %8 %3
backward down: d%7 =; reads %2
backward act: d%5 = {(up * (sigmoid(gate) + (gate * (sigmoid(gate) * (1 - sigmoid(gate))))))}, d%6 = {(gate * sigmoid(gate))}; reads %5 %6
backward split: d%4 =
backward up: d(up.weight) =; reads %0 %2
backward route: d%1 =; reads %1 %2
backward router: d(router.weight) =; reads %0
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestBalance: a route with a balancing loss has a backward step though nothing takes its
// weights, as long as the logits depend on it; and a Graph of which such a loss alone
// depends on what is trained is trained.
func TestBalance(t *testing.T) {
	b := graph.New("Mixture")
	x := b.Embed("embed.weight", 4, 5)
	route := graph.Route{Experts: 4, TopK: 2, Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1, Balance: 0.1}
	indices, _ := b.Route(b.Linear(x, "router", 4, graph.RoleRouter), "route", route)
	b.Route(b.Linear(x, "other", 4, graph.RoleRouter), "unused", route)
	stack := b.Param("up.weight", []int{4, 4, 5}, graph.RoleExpertUp)
	y := b.ExpertLinear(x, indices, "up", graph.ExpertLinear{Weight: stack, Bias: graph.NoParam, Experts: 4})
	b.Logits(b.Linear(b.CombinePlain(y, "combine"), "head", 4, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		names []string
		want  string
	}{
		{[]string{"router.weight", "other.weight"}, "backward route: d%1 =; reads %1 %2\nbackward router: d(router.weight) =; reads %0\n"},
		{[]string{"router.weight", "head.weight"}, "backward head: d(head.weight) =; reads %8\nbackward route: d%1 =; reads %1 %2\nbackward router: d(router.weight) =; reads %0\n"},
	} {
		s, err := diff.Differentiate(mark(g, test.names...), diff.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, got, _ := strings.Cut(s.Text(), "loss\n"); got != test.want {
			t.Errorf("%v: got\n%s\nwant\n%s", test.names, got, test.want)
		}
	}
	if _, err := diff.Differentiate(mark(g, "other.weight"), diff.Options{}); !errors.Is(err, diff.ErrNothingTrained) {
		t.Errorf("a route that the logits do not depend on: %v", err)
	}
}

// TestMinimal compares random schedules with what reachability, computed here by
// itself, says is to be computed.
func TestMinimal(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 13))
	for i := range 200 {
		c := graphtest.Random(rng, graphtest.Options{})
		s, err := diff.Differentiate(c.Graph, diff.Options{Adapter: c.Adapter})
		if err != nil {
			t.Fatal(err)
		}
		again, err := diff.Differentiate(c.Graph, diff.Options{Adapter: c.Adapter})
		if err != nil || s.Text() != again.Text() {
			t.Errorf("case %d: two calls give two schedules", i)
		}
		checkMinimal(t, c, s)
	}
}

func checkMinimal(t *testing.T, c *graphtest.Case, s *diff.Schedule) {
	t.Helper()
	g := c.Graph
	trained := func(n *graph.Node) (out []graph.ParamID) {
		for _, id := range graph.ParamsOf(n.Op) {
			if r, ok := n.Op.(*graph.Route); ok && r.Bias == id {
				continue // steers a choice
			}
			p := g.Params[id]
			if p.Trainable && (p.Adapter == "" || p.Adapter == c.Adapter) && !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
		return out
	}
	// below: a trained parameter stands at or below the value. above: the logits
	// depend on it; smooth: not by a choice alone.
	below, above, smooth := make([]bool, len(g.Values)), make([]bool, len(g.Values)), make([]bool, len(g.Values))
	number := func(v graph.ValueID) bool { return g.Values[v].Type != graph.Index }
	for _, n := range g.Nodes {
		yes := len(trained(n)) > 0 || slices.ContainsFunc(n.Inputs, func(v graph.ValueID) bool { return below[v] })
		for _, v := range n.Outputs {
			below[v] = yes && number(v)
		}
	}
	reaches := func(n *graph.Node, from []bool) bool {
		return slices.ContainsFunc(n.Outputs, func(v graph.ValueID) bool { return from[v] })
	}
	above[g.Logits], smooth[g.Logits] = true, true
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		for _, v := range n.Inputs {
			above[v] = above[v] || reaches(n, above)
			smooth[v] = smooth[v] || reaches(n, smooth) && number(v)
		}
	}
	var forward, backward []int
	for i, n := range g.Nodes {
		if reaches(n, above) {
			forward = append(forward, i)
		}
		if reaches(n, smooth) && (len(trained(n)) > 0 || slices.ContainsFunc(n.Inputs, func(v graph.ValueID) bool { return below[v] })) {
			backward = append(backward, i)
		}
	}
	slices.Reverse(backward)
	var gotForward, gotBackward []int
	for _, step := range s.Steps {
		switch step.Kind {
		case diff.Forward:
			gotForward = append(gotForward, step.Node)
		case diff.Backward:
			gotBackward = append(gotBackward, step.Node)
			n := g.Nodes[step.Node]
			var inputs []int
			var params []graph.ParamID
			for k, v := range n.Inputs {
				if below[v] {
					inputs = append(inputs, k)
				}
			}
			var gotInputs []int
			for _, in := range step.Inputs {
				gotInputs = append(gotInputs, in.Input)
			}
			for _, p := range step.Params {
				params = append(params, p.Param)
			}
			if !slices.Equal(gotInputs, inputs) || !slices.Equal(params, trained(n)) {
				t.Errorf("node %q: inputs %v, want %v; parameters %v, want %v", n.Name, gotInputs, inputs, params, trained(n))
			}
		}
	}
	if !slices.Equal(gotForward, forward) || !slices.Equal(gotBackward, backward) {
		t.Errorf("forward %v, want %v; backward %v, want %v\n%s", gotForward, forward, gotBackward, backward, g.Text())
	}
	for v := range g.Values {
		if want := smooth[v] && below[v]; s.Wanted[v] != want {
			t.Errorf("value %d: wanted %v, want %v", v, s.Wanted[v], want)
		}
	}
}

// TestForwardOnly: nothing but what the logits depend on.
func TestForwardOnly(t *testing.T) {
	g := model(t)
	s := diff.ForwardOnly(g, diff.Options{Adapter: "a"})
	if s.Adapter != "a" || s.Graph != g || slices.Contains(s.Wanted, true) {
		t.Errorf("%+v", s)
	}
	if len(s.Steps) != len(g.Nodes)-1 || strings.Contains(s.Text(), "unused") || strings.Contains(s.Text(), "backward") {
		t.Errorf("%s", s.Text())
	}
}

// TestActive: an adapter is on by its name.
func TestActive(t *testing.T) {
	a := &graph.Adapter{Name: "x"}
	for _, test := range []struct {
		op      graph.Op
		adapter string
		want    *graph.Adapter
	}{
		{&graph.Linear{Adapter: a}, "x", a},
		{&graph.Linear{Adapter: a}, "y", nil},
		{&graph.Linear{Adapter: a}, "", nil},
		{&graph.Linear{Adapter: &graph.Adapter{}}, "", nil},
		{&graph.Linear{}, "x", nil},
		{&graph.Norm{}, "x", nil},
	} {
		if got := diff.Active(test.op, test.adapter); !reflect.DeepEqual(got, test.want) {
			t.Errorf("Active(%+v, %q) = %v", test.op, test.adapter, got)
		}
	}
}

// TestJoin: of a group the last backward step gives the input its gradient, and adds to it
// where the first one would have.
func TestJoin(t *testing.T) {
	for _, after := range []bool{false, true} { // whether something else reads the input after the group
		b := graph.New("Test")
		x := b.Linear(b.Embed("embed", 9, 4), "below", 4, graph.RoleMLPUp)
		y := b.Add(b.Linear(x, "one", 4, graph.RoleMLPUp), b.Linear(x, "two", 4, graph.RoleMLPUp), "sum")
		if after {
			y = b.Add(y, x, "residual")
		}
		b.Logits(b.Linear(y, "head", 9, graph.RoleHead))
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		s, err := diff.Differentiate(adapt.Full(g), diff.Options{})
		if err != nil {
			t.Fatal(err)
		}
		index := func(name string) int {
			return slices.IndexFunc(g.Nodes, func(n *graph.Node) bool { return n.Name == name })
		}
		one, two := index("one"), index("two")
		s.Join([][]int{{one, two}})
		steps := s.BackwardSteps()
		if len(steps[two].Inputs) != 0 || len(steps[one].Inputs) != 1 || steps[one].Inputs[0].Accumulate != after {
			t.Errorf("after %v: %+v and %+v", after, steps[one].Inputs, steps[two].Inputs)
		}
		lead, led := s.Grouping()
		if lead[one] != one || lead[two] != one || !slices.Equal(led[one], []int{two}) || led[two] != nil || lead[0] != 0 {
			t.Errorf("led by %v, leading %v", lead, led)
		}
	}
}
