package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
)

// groupNames are the groups of an engine: their linears' names, each without its layer.
func groupNames(e *Engine) []string {
	var out []string
	for _, g := range e.groups {
		var names []string
		for _, n := range g.members {
			names = append(names, withoutLayer(n.name()))
		}
		out = append(out, strings.Join(names, " "))
	}
	return out
}

// bindToTrain binds a Graph for training in bf16.
func bindToTrain(t *testing.T, g *graph.Graph, o Options) *Engine {
	t.Helper()
	e, err := Bind(&kernels.BindRequest{
		Graph:    g,
		Settings: kernels.Settings{Adapter: adapt.DefaultName, Precision: "bf16", MaxLength: 64, TokensPerStep: 256},
		Phases:   kernels.Phases{Train: true},
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestGroups: which linears are grouped.
func TestGroups(t *testing.T) {
	adapterOf := func(g *graph.Graph, name string) *graph.Adapter {
		i := slices.IndexFunc(g.Nodes, func(n *graph.Node) bool { return strings.HasSuffix(n.Name, "layers.0."+name) })
		return graph.AdapterOf(g.Nodes[i].Op)
	}
	small := shape{1, 64, 4, 2, 16, 128, 100}
	attention, mlp := "self_attn.q_proj self_attn.k_proj self_attn.v_proj", "mlp.gate_proj mlp.up_proj"
	many := Options{SharedBytes: 227 << 10, Processors: 132}
	for name, test := range map[string]struct {
		change  func(*graph.Graph)
		options Options
		want    []string
	}{
		"all":             {want: []string{attention, mlp}},
		"cuBLASLt":        {options: Options{Library: true}},
		"dropout":         {change: func(g *graph.Graph) { adapterOf(g, "mlp.up_proj").Dropout = 0.1 }, want: []string{attention}},
		"dropout between": {change: func(g *graph.Graph) { adapterOf(g, "self_attn.k_proj").Dropout = 0.1 }, want: []string{mlp}},
		"dropout of all": {options: many, change: func(g *graph.Graph) {
			for _, n := range g.Nodes {
				if a := graph.AdapterOf(n.Op); a != nil {
					a.Dropout = 0.1
				}
			}
		}, want: []string{attention, mlp}},
		"dropout of two kinds": {options: many, change: func(g *graph.Graph) {
			adapterOf(g, "mlp.gate_proj").Dropout, adapterOf(g, "mlp.up_proj").Dropout = 0.1, 0.2
			adapterOf(g, "self_attn.k_proj").Dropout, adapterOf(g, "self_attn.v_proj").Dropout = 0.2, 0.2
		}, want: []string{"self_attn.k_proj self_attn.v_proj"}},
		"another scale": {change: func(g *graph.Graph) { adapterOf(g, "self_attn.v_proj").Alpha *= 2 }, want: []string{"self_attn.q_proj self_attn.k_proj", mlp}},
		"DoRA": {change: func(g *graph.Graph) {
			*g = *llamaWith(t, small, adapt.LoRA{Rank: 16, Alpha: 32, DoRA: true, Targets: []string{"auto"}})
		}, want: []string{attention, mlp}},
		"a frozen A":    {change: func(g *graph.Graph) { g.Params[adapterOf(g, "mlp.up_proj").A].Trainable = false }, want: []string{attention}},
		"one A for two": {change: func(g *graph.Graph) { adapterOf(g, "mlp.up_proj").A = adapterOf(g, "mlp.gate_proj").A }, want: []string{attention}},
	} {
		t.Run(name, func(t *testing.T) {
			g := llama(t, small)
			if test.change != nil {
				test.change(g)
			}
			if got := groupNames(bindToTrain(t, g, test.options)); !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestGroupsOfSome: a linear without an adapter is among those that it has the input in
// common with, but leads none; an odd rank stands alone.
func TestGroupsOfSome(t *testing.T) {
	for _, test := range []struct {
		targets []string
		rank    int
		want    []string
	}{
		{[]string{"q_proj", "v_proj"}, 16, []string{"self_attn.q_proj self_attn.k_proj self_attn.v_proj"}},
		{[]string{"k_proj", "v_proj"}, 16, []string{"self_attn.k_proj self_attn.v_proj"}},
		{[]string{"v_proj", "up_proj"}, 16, nil},
		{[]string{"q_proj", "k_proj", "v_proj"}, 12, nil},
	} {
		b := graph.New("Test")
		x := b.Linear(b.Embed("embed", 50, 64), "mlp.down_proj", 64, graph.RoleMLPDown) // below them something is trained
		h := b.RMSNorm(x, "norm", 1e-5)
		q := b.Linear(h, "self_attn.q_proj", 64, graph.RoleAttnQ)
		k := b.Linear(h, "self_attn.k_proj", 64, graph.RoleAttnK)
		v := b.Linear(h, "self_attn.v_proj", 64, graph.RoleAttnV)
		up := b.Linear(b.Add(q, b.Add(k, v, "sum"), "all"), "mlp.up_proj", 64, graph.RoleMLPUp)
		b.Logits(b.Linear(up, "lm_head", 50, graph.RoleHead))
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		if g, err = adapt.Apply(g, adapt.LoRA{Rank: test.rank, Alpha: 32, Targets: append(test.targets, "down_proj")}); err != nil {
			t.Fatal(err)
		}
		if got := groupNames(bindToTrain(t, g, Options{})); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.targets, got, test.want)
		}
	}
}

// TestGroupParameters: matrices A of a group follow each other without a gap, and no two
// parameters overlap.
func TestGroupParameters(t *testing.T) {
	e := bindToTrain(t, llama(t, shape{2, 64, 4, 2, 16, 128, 100}), Options{})
	if len(e.groups) != 4 {
		t.Fatalf("%d groups", len(e.groups))
	}
	for _, g := range e.groups {
		ids := g.parameters()
		for i, id := range ids[1:] {
			if want := e.params.flat[ids[i]] + int64(e.g.Params[ids[i]].Elements()); e.params.flat[id] != want {
				t.Errorf("%s is at %d, want %d", e.g.Params[id].Name, e.params.flat[id], want)
			}
		}
	}
	var trained []*graph.Param
	for i := range e.g.Params {
		if e.g.Params[i].Trainable {
			trained = append(trained, e.g.Params[i])
		}
	}
	slices.SortFunc(trained, func(a, b *graph.Param) int { return int(e.params.flat[a.ID] - e.params.flat[b.ID]) })
	end := int64(0)
	for _, p := range trained {
		if at := e.params.flat[p.ID]; at < end || at%8 != 0 {
			t.Errorf("%s is at %d, the one before it ends at %d", p.Name, at, end)
		}
		end = e.params.flat[p.ID] + int64(p.Elements())
	}
	if end > e.params.elements {
		t.Errorf("the last ends at %d of %d", end, e.params.elements)
	}
}

// TestDropout: adapters whose kernels drop what they read, alone and in a group, and those
// that have none for their rank or width.
func TestDropout(t *testing.T) {
	gpu := openGPU(t)
	limits := map[string]float64{"fp32": 1e-4, "bf16": 0.08, "fp16": 0.02}
	for _, rank := range []int{8, 16, 5} {
		for _, hidden := range []int{24, 9} {
			for precision, limit := range limits {
				t.Run(fmt.Sprintf("rank %d, %d wide, %s", rank, hidden, precision), func(t *testing.T) {
					tryWith(t, gpu, adaptedCase(t, adapt.LoRA{Rank: rank, Dropout: 0.3, Targets: []string{"auto"}}, hidden, false), precision, limit, of(gpu))
				})
			}
		}
	}
}
