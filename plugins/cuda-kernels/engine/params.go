package engine

import (
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
)

// matricesOf says which parameters are held as matrices, which the products and the
// embedding read, in the weights' type. The others are held as float32.
func matricesOf(g *graph.Graph) []bool {
	out := make([]bool, len(g.Params))
	for _, n := range g.Nodes {
		switch o := n.Op.(type) {
		case *graph.Embed:
			out[o.Table] = true
		case *graph.Linear:
			out[o.Weight] = true
		case *graph.ExpertLinear:
			out[o.Weight] = true
		}
		if a := graph.AdapterOf(n.Op); a != nil {
			out[a.A], out[a.B] = true, true
			if a.Start != nil {
				out[a.Start.A], out[a.Start.B] = true, true
			}
		}
		if r := graph.RowsOf(n.Op); r != nil {
			out[r.Values] = true
		}
	}
	return out
}

// flatAlignment is the distance, in elements, that parameters in the flat buffers
// keep: their copies in 16 bits are aligned to 256 bytes. Those of a group follow each
// other without a gap.
const flatAlignment = 128

// parameters is where they lie.
type parameters struct {
	frozen []span  // by parameter; no bytes for one that is trained
	flat   []int64 // by parameter: the first element in the flat buffers; −1 for a frozen one

	elements int64 // of each flat buffer
	master   span  // float32
	copied   span  // in the activations' type; none for float32
	gradient span  // float32, sums over a step's tokens
	first    span  // Adam's moments
	second   span
}

func (e *Engine) layOutParameters(a *arena) parameters {
	p := parameters{frozen: make([]span, len(e.g.Params)), flat: make([]int64, len(e.g.Params))}
	together := map[graph.ParamID][]graph.ParamID{}
	for _, g := range e.groups {
		for _, id := range g.parameters() {
			together[id] = g.parameters()
		}
	}
	for i := range p.flat {
		p.flat[i] = -1
	}
	for _, param := range e.g.Params {
		n := int64(param.Elements())
		switch {
		case param.Trainable && p.flat[param.ID] >= 0: // it lies with another's
		case param.Trainable:
			of := together[param.ID]
			if of == nil {
				of = []graph.ParamID{param.ID}
			}
			for _, id := range of {
				p.flat[id] = p.elements
				p.elements += int64(e.g.Params[id].Elements())
			}
			p.elements = (p.elements + flatAlignment - 1) / flatAlignment * flatAlignment
		case e.matrices[param.ID]:
			p.frozen[param.ID] = a.take("weights", n*e.matrixType(param.ID).Size())
		default:
			p.frozen[param.ID] = a.take("weights", n*4)
		}
	}
	if p.elements == 0 {
		return p
	}
	p.master = a.take("adapters", p.elements*4)
	if e.act != device.Float32 {
		p.copied = a.take("adapters", p.elements*e.act.Size())
	}
	if e.phases.Train {
		p.gradient = a.take("gradients", p.elements*4)
		p.first = a.take("optimizer", p.elements*4)
		p.second = a.take("optimizer", p.elements*4)
	}
	return p
}

// in is the address of a trained parameter in a flat buffer of a type.
func (e *Engine) in(s span, id graph.ParamID, t device.Type) device.Pointer {
	return e.at(s).Offset(e.params.flat[id] * t.Size())
}

// vector is a parameter in float32; 0 for none.
func (e *Engine) vector(id graph.ParamID) device.Pointer {
	switch {
	case id == graph.NoParam:
		return 0
	case e.g.Params[id].Trainable:
		return e.in(e.params.master, id, device.Float32)
	}
	return e.at(e.params.frozen[id])
}

// matrixType is the type in which a matrix is held.
func (e *Engine) matrixType(id graph.ParamID) device.Type {
	if e.g.Params[id].Trainable || e.starts[id] {
		return e.act
	}
	return e.held
}

// matrix is where a matrix is held, in its matrixType.
func (e *Engine) matrix(id graph.ParamID) device.Pointer {
	switch {
	case !e.g.Params[id].Trainable:
		return e.at(e.params.frozen[id])
	case e.act == device.Float32:
		return e.in(e.params.master, id, device.Float32)
	}
	return e.in(e.params.copied, id, e.act)
}

// gradient is where the gradient of a trained parameter is summed, in float32.
func (e *Engine) gradient(id graph.ParamID) device.Pointer {
	return e.in(e.params.gradient, id, device.Float32)
}
