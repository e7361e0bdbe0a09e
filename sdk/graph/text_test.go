package graph_test

import (
	"errors"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestText holds the text form to testdata/everything.txt. go test -update writes it.
func TestText(t *testing.T) {
	const file = "testdata/everything.txt"
	got := everything(t).Text()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

type broken struct{ after int }

func (w *broken) Write(p []byte) (int, error) {
	if w.after -= len(p); w.after < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

var errBroken = errors.New("broken pipe")

func TestWriteTextErrors(t *testing.T) {
	if err := everything(t).WriteText(&broken{after: 100}); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
}

// TestClone: a copy has the same text and shares nothing that can be changed.
func TestClone(t *testing.T) {
	g := everything(t)
	a := start(t, g, 8)
	before, began := g.Text(), *a.Start
	c := g.Clone()
	if c.Text() != before {
		t.Fatal("the copy has another text")
	}
	for _, n := range c.Nodes {
		switch o := n.Op.(type) {
		case *graph.RoPE:
			o.Freq[0] = 77
		case *graph.Map:
			o.Args[0].Name = "changed"
		case *graph.Split:
			o.Sizes[0] = 77
		case *graph.Concat:
			o.Widths[0], o.Repeat[0] = 77, true
		case *graph.Linear:
			if o.Adapter != nil {
				o.Adapter.Rank = 77
				if o.Adapter.Start != nil {
					o.Adapter.Start.A = 77
				}
			}
			o.Float32 = true
		case *graph.Embed:
			o.Scale = 77
		case *graph.Norm:
			o.Groups = 77
		case *graph.Attention:
			o.Window = 77
		case *graph.Conv:
			o.Kernel = 77
		case *graph.Route:
			o.TopK = 77
		case *graph.ExpertLinear:
			o.Experts = 77
		case *graph.Combine:
			o.Plain = true
		}
		n.Name = "changed"
	}
	for i := range c.Params {
		c.Params[i].Trainable = true
		c.Params[i].Name = "changed"
	}
	for i := range c.Values {
		c.Values[i].Width = 77
	}
	if *a.Start != began {
		t.Error("changing the copy changed what the adapter began with")
	}
	if g.Text() != before {
		t.Errorf("changing the copy changed the Graph:\n%s", g.Text())
	}
}

// TestOpNames: the list of names is that of the operations.
func TestOpNames(t *testing.T) {
	g := everything(t)
	got, want := slices.Sorted(slices.Values(g.Ops())), slices.Sorted(slices.Values(graph.OpNames()))
	if !slices.Equal(got, want) {
		t.Errorf("a Graph with every operation has %v, the list %v", got, want)
	}
}

func TestRoles(t *testing.T) {
	for role, want := range map[graph.Role]bool{
		"attn.q": true, "mlp.gate_up": true, "x2": true, "": false, "Attn": false, "attn.": false, ".q": false, "attn q": false, "2x": false,
	} {
		if role.Valid() != want {
			t.Errorf("%q is valid: %v", role, !want)
		}
	}
	for role, want := range map[graph.Role]bool{
		graph.RoleAttnQ: true, graph.RoleMLPDown: true, "custom.thing": true,
		graph.RoleHead: false, graph.RoleEmbed: false, graph.RoleRouter: false,
	} {
		if role.AutoTarget() != want {
			t.Errorf("%q is a target of auto: %v", role, !want)
		}
	}
}
