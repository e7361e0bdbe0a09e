package elementwise

import (
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// A Spec is a map node with its shapes and types.
type Spec struct {
	Map *graph.Map
	// Slots is how many rows of its values a token has; 0 is 1.
	Slots int
	// Inputs are the node's inputs, in their order.
	Inputs []Input
	// ParamWidths are, by argument of the Map, the elements of a parameter: 1 or
	// Map.Width. What stands for an argument that is an input is not read.
	ParamWidths []int
	// Out is the type of y, and of dy.
	Out device.Type
	// Step says which gradients are wanted; nil: none.
	Step *diff.Step
}

// An Input is an input of the node: x [rows, Width]. Its gradient has its type.
type Input struct {
	Width int
	Type  device.Type
}

// SpecOf is the Spec of a map node of a Graph. types gives the type in which a value
// is held; step is the node's backward step, or nil.
func SpecOf(g *graph.Graph, node *graph.Node, types func(*graph.Value) device.Type, step *diff.Step) (Spec, error) {
	m, ok := node.Op.(*graph.Map)
	if !ok {
		return Spec{}, fmt.Errorf("node %q is a %s, not a map", node.Name, node.Op.Name())
	}
	out := g.Value(node.Outputs[0])
	s := Spec{Map: m, Slots: out.Slots, Out: types(out), Step: step, ParamWidths: make([]int, len(m.Args))}
	for _, id := range node.Inputs {
		v := g.Value(id)
		s.Inputs = append(s.Inputs, Input{v.Width, types(v)})
	}
	for i, a := range m.Args {
		if a.Param != graph.NoParam {
			s.ParamWidths[i] = g.Param(a.Param).Elements()
		}
	}
	return s, nil
}

// maxArgs bounds the arguments of a map: the kernel's parameters and the bits that
// say which gradients are added to are limited.
const maxArgs = 64

func (s *Spec) check() error {
	m := s.Map
	if len(m.Args) > maxArgs {
		return fault.New(fault.Unsupported, "map %q has %d arguments; cuda-kernels takes at most %d", m.Expr, len(m.Args), maxArgs)
	}
	if m.Width < 1 {
		return fmt.Errorf("map %q: width %d", m.Expr, m.Width)
	}
	for i, a := range m.Args {
		w := 0
		switch {
		case a.Param != graph.NoParam && i < len(s.ParamWidths):
			w = s.ParamWidths[i]
			if w != 1 && w != m.Width {
				return fmt.Errorf("map %q: parameter %q has %d elements, want 1 or %d", m.Expr, a.Name, w, m.Width)
			}
		case a.Param == graph.NoParam && a.Input >= 0 && a.Input < len(s.Inputs):
			w = s.Inputs[a.Input].Width
		}
		if w < 1 || m.Width%w != 0 {
			return fmt.Errorf("map %q: argument %q has width %d, which does not divide %d", m.Expr, a.Name, w, m.Width)
		}
	}
	return nil
}

// A layout is how an argument's elements stand beside those of y.
type layout int

const (
	whole  layout = iota // [rows, Width]
	spread               // [rows, w]: column c has element ⌊c·w/Width⌋
	column               // [Width], a parameter
	scalar               // [1], a parameter
)

// argument is an argument of the map as a kernel sees it.
type argument struct {
	layout layout
	width  int
	typ    device.Type
	input  int // −1: a parameter
}

func (s *Spec) arguments() []argument {
	out := make([]argument, len(s.Map.Args))
	for i, a := range s.Map.Args {
		if a.Param != graph.NoParam {
			out[i] = argument{layout: column, width: s.ParamWidths[i], typ: device.Float32, input: -1}
			if s.ParamWidths[i] == 1 {
				out[i].layout = scalar
			}
			continue
		}
		in := s.Inputs[a.Input]
		out[i] = argument{layout: whole, width: in.Width, typ: in.Type, input: a.Input}
		if in.Width != s.Map.Width {
			out[i].layout = spread
		}
	}
	return out
}
