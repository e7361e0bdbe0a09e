package graph

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Validate reports whether g is a Graph: ids in range, names unique, every node
// after those it reads and fitting its inputs and parameters, every parameter
// used, logits that are a value. The error names the node or parameter.
func (g *Graph) Validate() error {
	if g.MaxLength < 0 {
		return fmt.Errorf("graph: documents of up to %d tokens", g.MaxLength)
	}
	if max(len(g.Params), len(g.Values), len(g.Nodes)) > maxCount {
		return fmt.Errorf("graph: more than %d parameters, values or nodes", maxCount)
	}
	if err := g.validateParams(); err != nil {
		return err
	}
	if err := g.validateNodes(); err != nil {
		return err
	}
	if g.Logits < 0 || int(g.Logits) >= len(g.Values) {
		return errors.New("graph: it has no logits")
	}
	if v := g.Values[g.Logits]; v.Type == Index || v.Slots != 1 {
		return fmt.Errorf("graph: its logits are %s", v)
	}
	return g.validateUse()
}

func (g *Graph) validateParams() error {
	names := map[string]bool{}
	for i, p := range g.Params {
		if p == nil || p.ID != ParamID(i) {
			return fmt.Errorf("graph: parameter %d does not carry its own id", i)
		}
		err := p.check()
		if names[p.Name] {
			err = errors.New("its name stands twice")
		}
		if err != nil {
			return fmt.Errorf("graph: parameter %d %q: %w", i, p.Name, err)
		}
		names[p.Name] = true
	}
	return nil
}

// check reports what is wrong with a parameter by itself.
func (p *Param) check() error {
	switch {
	case p.Name == "":
		return errors.New("it has no name")
	case len(p.Shape) == 0 || len(p.Shape) > 4 || slices.Min(p.Shape) < 1 || slices.Max(p.Shape) > 1<<28 || p.Elements() < 1:
		return fmt.Errorf("its shape is %v", p.Shape)
	case !p.Role.Valid():
		return fmt.Errorf("its role is %q, want dotted words in lower case", p.Role)
	case (p.Source == nil) == (p.Init == InitNone):
		return errors.New("it needs either a source or an initialisation")
	case p.Init != InitNone && p.Init != InitZeros && p.Init != InitKaiming && p.Init != InitRowNorms && p.Init != InitPrincipal:
		return fmt.Errorf("unknown initialisation %q", p.Init)
	case p.Source != nil:
		return p.Source.Validate()
	}
	return nil
}

func (g *Graph) validateNodes() error {
	names := map[string]bool{}
	produced := make([]bool, len(g.Values))
	for i, n := range g.Nodes {
		if n == nil || isNil(n.Op) {
			return fmt.Errorf("graph: node %d is empty", i)
		}
		if err := g.validateNode(i, n, produced); err != nil {
			return fmt.Errorf("graph: node %d %q (%s): %w", i, n.Name, n.Op.Name(), err)
		}
		if n.Name == "" || names[n.Name] {
			return fmt.Errorf("graph: node %d (%s): its name %q is empty or stands twice", i, n.Op.Name(), n.Name)
		}
		names[n.Name] = true
	}
	for id, ok := range produced {
		if !ok {
			return fmt.Errorf("graph: no node produces value %d", id)
		}
	}
	return nil
}

// isNil reports whether op is nil or holds a nil pointer.
func isNil(op Op) bool {
	return op == nil || reflect.ValueOf(op).IsNil()
}

func (g *Graph) validateNode(i int, n *Node, produced []bool) error {
	in := make([]*Value, len(n.Inputs))
	for k, id := range n.Inputs {
		if id < 0 || int(id) >= len(g.Values) || !produced[id] {
			return fmt.Errorf("input %d, value %d, is produced by no earlier node", k, id)
		}
		in[k] = g.Values[id]
	}
	outs, err := g.infer(n.Op, in)
	if err != nil {
		return err
	}
	if len(outs) != len(n.Outputs) {
		return fmt.Errorf("has %d outputs, the operation gives %d", len(n.Outputs), len(outs))
	}
	for k, id := range n.Outputs {
		if id < 0 || int(id) >= len(g.Values) || produced[id] {
			return fmt.Errorf("output %d, value %d, does not exist or is another node's", k, id)
		}
		want := Value{ID: id, Node: i, Width: outs[k].width, Slots: outs[k].slots, Type: outs[k].typ}
		switch v := g.Values[id]; {
		case v == nil || v.ID != id || v.Node != i:
			return fmt.Errorf("output %d, value %d, does not carry its own id and node", k, id)
		case *v != want:
			return fmt.Errorf("output %d is %s, the operation gives %s", k, v, &want)
		}
		produced[id] = true
	}
	return nil
}

func (g *Graph) validateUse() error {
	used := make([]bool, len(g.Params))
	for _, n := range g.Nodes {
		for _, id := range ParamsOf(n.Op) {
			used[id] = true
			if p := g.Params[id]; p.Adapter != "" && !slices.Contains(adapterParams(n.Op), id) {
				return fmt.Errorf("graph: node %q uses parameter %q, which belongs to the adapter %q, as its own", n.Name, p.Name, p.Adapter)
			}
		}
	}
	if i := slices.Index(used, false); i >= 0 {
		return fmt.Errorf("graph: no node uses parameter %q", g.Params[i].Name)
	}
	return nil
}

// String is the value's shape, such as [T 576] or [T*8 2048] f32.
func (v *Value) String() string {
	s := fmt.Sprintf("[T %d]", v.Width)
	if v.Slots != 1 {
		s = fmt.Sprintf("[T*%d %d]", v.Slots, v.Width)
	}
	if v.Type != Activation {
		s += " " + string(v.Type)
	}
	return s
}
