package head_test

import (
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/head"
)

// build makes a small model; end makes its logits of the last hidden value.
func build(t *testing.T, end func(b *graph.Builder, x, h graph.ValueID) graph.ValueID) *graph.Graph {
	t.Helper()
	b := graph.New("Test")
	x := b.Embed("embed.weight", 11, 8)
	h := b.RMSNorm(x, "norm", 1e-5)
	b.Logits(end(b, x, h))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestFind(t *testing.T) {
	linear := func(b *graph.Builder, h graph.ValueID) graph.ValueID { return b.Linear(h, "head", 11, graph.RoleHead) }
	tests := []struct {
		name string
		end  func(b *graph.Builder, x, h graph.ValueID) graph.ValueID
		want []int // nodes of the head; nil: none
	}{
		{"a linear", func(b *graph.Builder, _, h graph.ValueID) graph.ValueID { return linear(b, h) }, []int{2}},
		{"scaled and capped", func(b *graph.Builder, _, h graph.ValueID) graph.ValueID {
			return b.SoftCap(b.Scale(linear(b, h), 0.5, "scale"), 30, "cap")
		}, []int{2, 3, 4}},
		{"logits that something else reads", func(b *graph.Builder, _, h graph.ValueID) graph.ValueID {
			y := linear(b, h)
			b.Scale(y, 2, "unused")
			return y
		}, nil},
		{"two linears added", func(b *graph.Builder, x, h graph.ValueID) graph.ValueID {
			return b.Add(linear(b, h), b.Linear(x, "other", 11, graph.RoleHead), "sum")
		}, nil},
		{"a norm at the end", func(b *graph.Builder, _, h graph.ValueID) graph.ValueID {
			return b.RMSNorm(linear(b, h), "last", 1e-5)
		}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := build(t, test.end)
			h := head.Find(g)
			if test.want == nil {
				if h != nil {
					t.Errorf("found %v", h.Nodes)
				}
				return
			}
			if h == nil || !slices.Equal(h.Nodes, test.want) {
				t.Fatalf("got %+v, want %v", h, test.want)
			}
			if len(h.Trunk.Nodes) != 2 || h.Trunk.Logits != h.Input || !slices.Equal(h.TrunkNodes, []int{0, 1}) {
				t.Errorf("trunk of %d nodes ends in %d, head reads %d", len(h.Trunk.Nodes), h.Trunk.Logits, h.Input)
			}
			for i, n := range h.Trunk.Nodes {
				for _, v := range n.Outputs {
					if h.Trunk.Values[v].Node != i {
						t.Errorf("value %d says that node %d makes it", v, h.Trunk.Values[v].Node)
					}
				}
			}
		})
	}
}
