package engine

import (
	"github.com/honeml/hone/plugins/cpu-kernels/vecmath"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// A call is one use of a kernel: a node, forward or backward, on some rows.
type call struct {
	rows     rows
	training bool   // dropout is on
	step     uint64 // its counter
	adapter  string // the adapter that is on

	in, out [][]float32 // values by input and output
	aux     []float32   // the node's auxiliary results

	// Backward: gradients of outputs (nil: zero) and of inputs (nil: not wanted;
	// accumulate says whether to add), and where parameter gradients are summed.
	dOut, dIn  [][]float32
	accumulate []bool
	cache      *cache // generation: keys and values of earlier tokens
}

// A kernel computes a node. Backward adds to the gradients of parameters, which
// are sums over micro-batches.
type kernel interface {
	// auxWidth is the number of auxiliary float32 results a row.
	auxWidth() int
	forward(c *call)
	backward(c *call)
}

// A scratcher is a kernel whose scratch memory the plan counts.
type scratcher interface {
	// scratchFloats is what a micro-batch of that many tokens takes.
	scratchFloats(tokens int) int64
}

// newKernel is the kernel of node n. step is its backward step in the training
// schedule, nil if it has none.
func (e *Engine) newKernel(n *graph.Node, step *diff.Step) (kernel, error) {
	b := base{e: e, node: n, step: step}
	switch o := n.Op.(type) {
	case *graph.Embed:
		return &embedKernel{base: b, op: o}, nil
	case *graph.Linear:
		return newLinear(b, o), nil
	case *graph.Norm:
		return &normKernel{base: b, op: o, width: b.inWidth(0)}, nil
	case *graph.RoPE:
		return newRoPE(b, o), nil
	case *graph.Attention:
		return newAttention(b, o), nil
	case *graph.Map:
		return newMap(b, o)
	case *graph.Split:
		return &splitKernel{base: b, op: o}, nil
	case *graph.Concat:
		return &concatKernel{base: b, op: o}, nil
	case *graph.Conv:
		return &convKernel{base: b, op: o, width: b.inWidth(0)}, nil
	case *graph.Route:
		return &routeKernel{base: b, op: o}, nil
	case *graph.ExpertLinear:
		return newExperts(b, o), nil
	case *graph.Combine:
		return &combineKernel{base: b, op: o}, nil
	}
	return nil, unsupportedOp(e.g, n)
}

// base is what all kernels have.
type base struct {
	e    *Engine
	node *graph.Node
	step *diff.Step // the backward step, or nil
}

func (base) auxWidth() int { return 0 }

func (b base) inWidth(k int) int { return b.e.g.Values[b.node.Inputs[k]].Width }

// inSlots is the number of rows a token of the first input.
func (b base) inSlots() int { return b.e.g.Values[b.node.Inputs[0]].Slots }

// rowsOf is the number of rows of the first output: one for each slot of a token.
func (b base) rowsOf(c *call) int { return c.rows.len() * b.outSlots() }

func (b base) outSlots() int { return b.e.g.Values[b.node.Outputs[0]].Slots }

// outWidth is the width of the first output.
func (b base) outWidth() int { return b.e.g.Values[b.node.Outputs[0]].Width }

// trains reports whether the backward step computes the gradient of a parameter.
func (b base) trains(id graph.ParamID) bool {
	if b.step == nil || id == graph.NoParam {
		return false
	}
	for _, p := range b.step.Params {
		if p.Param == id {
			return true
		}
	}
	return false
}

// store puts d into dst: added where accumulate, else written.
func store(dst, d []float32, accumulate bool) {
	if accumulate {
		vecmath.Add(dst, dst, d)
	} else {
		copy(dst, d)
	}
}

// addTo adds factor times x to dst.
func addTo(dst, x []float32, factor float32) { vecmath.AddScaled(dst, x, factor) }

func dot(a, b []float32) float32 { return vecmath.Dot(a, b) }
