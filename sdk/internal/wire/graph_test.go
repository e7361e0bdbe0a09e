package wire

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/internal/filled"
	pb "github.com/honeml/hone/sdk/proto/hone/v1"
)

func TestOperations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	names := map[string]bool{}
	for _, op := range filled.Ops(rng) {
		names[op.Name()] = true
		m := &pb.Node{}
		opToProto(op, m)
		if got := opFromProto(overTheWire(t, m)); !reflect.DeepEqual(got, op) {
			t.Errorf("%s: got  %+v\nwant %+v", op.Name(), got, op)
		}
	}
	for _, name := range graph.OpNames() {
		if !names[name] {
			t.Errorf("the operation %s is not tested", name)
		}
	}
}

// overTheWire is m as it arrives.
func overTheWire[M proto.Message](t *testing.T, m M) M {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	out := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
	return out.(M)
}

func TestParametersAndValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	source := filled.New[graph.Source](rng)
	got, err := SourceFromProto(overTheWire(t, SourceToProto(&source)), 0)
	if err != nil || !reflect.DeepEqual(got, &source) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, source)
	}
}

func TestRandomGraphs(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 50 {
		c := graphtest.Random(rng, graphtest.Options{TokenRows: i%2 == 1, PiSSA: i%3 == 1})
		got, err := GraphFromProto(overTheWire(t, GraphToProto(c.Graph)))
		if err != nil {
			t.Fatalf("graph %d: %v", i, err)
		}
		if got.Text() != c.Graph.Text() {
			t.Fatalf("graph %d: got\n%s\nwant\n%s", i, got.Text(), c.Graph.Text())
		}
		for p := range got.Params {
			if !reflect.DeepEqual(got.Params[p], c.Graph.Params[p]) {
				t.Errorf("graph %d: got  %+v\nwant %+v", i, got.Params[p], c.Graph.Params[p])
			}
		}
		for v := range got.Values {
			if !reflect.DeepEqual(got.Values[v], c.Graph.Values[v]) {
				t.Errorf("graph %d: got  %+v\nwant %+v", i, got.Values[v], c.Graph.Values[v])
			}
		}
	}
}

func TestGraphsThatAreRefused(t *testing.T) {
	deep := &pb.Source{Op: "tensor", Names: []string{"x"}}
	for range 100 {
		deep = &pb.Source{Op: "concat", Args: []*pb.Source{deep}}
	}
	tests := []struct {
		name   string
		change func(*pb.Graph)
		want   string
	}{
		{"an unknown operation", func(g *pb.Graph) { g.Nodes[1].Op = nil }, "an operation that this version of hone does not know"},
		{"a deep source", func(g *pb.Graph) { g.Params[0].Source = deep }, "nested more than 32 deep"},
		{"an input from nowhere", func(g *pb.Graph) { g.Nodes[1].Inputs[0] = 99 }, "99"},
		{"a negative input", func(g *pb.Graph) { g.Nodes[1].Inputs[0] = -1 }, "-1"},
		{"a parameter from nowhere", func(g *pb.Graph) { g.Nodes[1].GetLinear().Weight = 99 }, "98"},
		{"a width that lies", func(g *pb.Graph) { g.Values[1].Width = 1 << 40 }, "lm_head"},
		{"more of the graph", func(g *pb.Graph) { grow(g, 25) }, "graph: it has field 25, which this version of hone does not know"},
		{"more of a parameter", func(g *pb.Graph) { grow(g.Params[0].Source, 30) }, `graph: parameter "embed": Source has field 30, which this version of hone does not know`},
		{"more of a value", func(g *pb.Graph) { grow(g.Values[0], 9) }, "graph: value 0: Value has field 9, which"},
		{"more of an operation", func(g *pb.Graph) { grow(g.Nodes[1].GetLinear(), 6) }, `graph: node "lm_head": Linear has field 6, which`},
		{"a newer operation", func(g *pb.Graph) { g.Nodes[1].Op = nil; grow(g.Nodes[1], 22) }, `graph: node "lm_head": an operation that this version of hone does not know`},
		{"no logits", func(g *pb.Graph) { g.Logits = 77 }, "no logits"},
		{"nothing", func(g *pb.Graph) { proto.Reset(g) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := GraphToProto(smallGraph(t))
			tt.change(m)
			_, err := GraphFromProto(overTheWire(t, m))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
	if _, err := GraphFromProto(nil); err == nil {
		t.Error("no graph is taken for one")
	}
}

// grow adds a field to m that only a newer SDK knows.
func grow(m proto.Message, field protowire.Number) {
	m.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), 1))
}

// TestNewer: what says more than this SDK knows is unsupported, and says what to do.
func TestNewer(t *testing.T) {
	m := GraphToProto(smallGraph(t))
	grow(m.Nodes[0], 40)
	_, err := GraphFromProto(overTheWire(t, m))
	if !errors.Is(err, fault.Unsupported) || fault.HintOf(err) != newerHint {
		t.Errorf("got %v, hint %q", err, fault.HintOf(err))
	}
}

// smallGraph is an embedding and a head.
func smallGraph(t testing.TB) *graph.Graph {
	t.Helper()
	b := graph.New("SmallForCausalLM")
	b.Logits(b.Linear(b.Embed("embed", 6, 4), "lm_head", 6, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// FuzzGraphFromProto: what a plugin sends is an error or a valid Graph.
func FuzzGraphFromProto(f *testing.F) {
	small, err := adapt.Apply(smallGraph(f), adapt.LoRA{Rank: 2, Alpha: 4, Targets: []string{"lm_head"}})
	if err != nil {
		f.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for _, g := range []*graph.Graph{small, graphtest.Random(rng, graphtest.Options{}).Graph} {
		data, err := proto.Marshal(GraphToProto(g))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &pb.Graph{}
		if proto.Unmarshal(data, m) != nil {
			return
		}
		g, err := GraphFromProto(m)
		if err != nil {
			return
		}
		again, err := GraphFromProto(GraphToProto(g))
		if err != nil || !slices.Equal(strings.Split(again.Text(), "\n"), strings.Split(g.Text(), "\n")) {
			t.Errorf("%v\n%s\n%s", err, g.Text(), again.Text())
		}
	})
}
