package engine

import (
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// A call is one use of a node, forward or backward, on a batch.
type call struct {
	q        *device.Queue
	rows     int
	batch    columns
	training bool   // dropout is on
	again    bool   // it was run before, and what it gave was not kept
	adapter  string // the adapter that is on
	cache    *cache // generation: keys and values of earlier tokens

	in, out []device.Pointer
	aux     device.Pointer   // the node's auxiliary results
	inAux   []device.Pointer // those behind its inputs
	kept    device.Pointer   // what it keeps for its backward step; 0 where there is none
	scratch scratch

	// Backward: gradients of outputs (0: they are zero) and of inputs (0: not wanted;
	// accumulate says whether to add).
	dOut, dIn  []device.Pointer
	accumulate []bool
	led        []device.Pointer // gradients of the outputs of the linears that this one leads
}

// A node computes an operation of the Graph. backward adds to the gradients of
// parameters.
type node interface {
	name() string
	family() string // of kernels: the operation
	// auxBytes is the memory of auxiliary results, which live as long as the first
	// output. Nodes that read it find them in call.inAux.
	auxBytes(rows int) int64
	// keptBytes is the memory of what the node keeps for its backward step beside that.
	keptBytes(rows int) int64
	// scratchBytes is the most that forward or backward take of the scratch memory.
	scratchBytes(rows int) int64
	forward(c *call)
	backward(c *call)
}

// base is what all nodes have.
type base struct {
	e    *Engine
	node *graph.Node
	step *diff.Step // the backward step in the training schedule, or nil
}

func (b base) family() string       { return b.node.Op.Name() }
func (b base) name() string         { return b.node.Name }
func (base) auxBytes(int) int64     { return 0 }
func (base) keptBytes(int) int64    { return 0 }
func (base) scratchBytes(int) int64 { return 0 }

func (b base) inWidth(k int) int            { return b.e.g.Values[b.node.Inputs[k]].Width }
func (b base) inSlots(k int) int            { return b.e.g.Values[b.node.Inputs[k]].Slots }
func (b base) rowsOf(c *call) int           { return c.rows * b.inSlots(0) } // of the first input
func (b base) outWidth() int                { return b.e.g.Values[b.node.Outputs[0]].Width }
func (b base) inType(k int) device.Type     { return b.e.typeOf(b.node.Inputs[k]) }
func (b base) outType() device.Type         { return b.e.typeOf(b.node.Outputs[0]) }
func (b base) trained(p graph.ParamID) bool { return b.paramGradient(p) != nil }

// paramGradient is the gradient of a parameter in the backward step, or nil.
func (b base) paramGradient(id graph.ParamID) *diff.ParamGradient {
	if b.step == nil || id == graph.NoParam {
		return nil
	}
	for i := range b.step.Params {
		if b.step.Params[i].Param == id {
			return &b.step.Params[i]
		}
	}
	return nil
}

// newNode is the node n of the Graph. step is its backward step in the training
// schedule, nil if it has none.
func (e *Engine) newNode(n *graph.Node, step *diff.Step) (node, error) {
	if !runs(n.Op.Name()) {
		return nil, fault.New(fault.Unsupported, "node %q of %s: cuda-kernels does not implement the operation %s", n.Name, e.g.Architecture, n.Op.Name())
	}
	b := base{e: e, node: n, step: step}
	switch o := n.Op.(type) {
	case *graph.Embed:
		return newEmbed(b, o), nil
	case *graph.Linear:
		return casting(b, newLinear(b, o)), nil
	case *graph.Norm:
		return newNorm(b, o), nil
	case *graph.RoPE:
		return casting(b, newRoPE(b, o)), nil
	case *graph.Attention:
		return casting(b, newAttention(b, o)), nil
	case *graph.Map:
		return newMap(b, o)
	case *graph.Split:
		return casting(b, newSplit(b, o)), nil
	case *graph.Concat:
		return casting(b, newConcat(b, o)), nil
	case *graph.Conv:
		return casting(b, newConv(b, o)), nil
	case *graph.Route:
		return newRoute(b, o)
	case *graph.ExpertLinear:
		inner, err := newExpertLinear(b, o)
		if err != nil {
			return nil, err
		}
		return casting(b, inner, 1, 2), nil
	case *graph.Combine:
		return newCombine(b, o), nil
	}
	return nil, fmt.Errorf("node %q: no node for the operation %s", n.Name, n.Op.Name())
}
