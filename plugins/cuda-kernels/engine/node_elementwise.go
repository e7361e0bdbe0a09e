package engine

import (
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/elementwise"
	"github.com/honeml/hone/plugins/cuda-kernels/norm"
	"github.com/honeml/hone/plugins/cuda-kernels/rope"
	"github.com/honeml/hone/sdk/graph"
)

// mapNode evaluates an expression.
type mapNode struct {
	base
	op     *graph.Map
	kernel *elementwise.Map
}

func newMap(b base, o *graph.Map) (*mapNode, error) {
	spec, err := elementwise.SpecOf(b.e.g, b.node, func(v *graph.Value) device.Type { return b.e.typeOf(v.ID) }, b.step)
	if err != nil {
		return nil, fmt.Errorf("node %q: %w", b.node.Name, err)
	}
	kernel, err := elementwise.New(&b.e.set, spec)
	if err != nil {
		return nil, fmt.Errorf("node %q: %w", b.node.Name, err)
	}
	return &mapNode{base: b, op: o, kernel: kernel}, nil
}

func (n *mapNode) scratchBytes(rows int) int64 { return need(n.kernel.Workspace(rows)) }

// params are the parameters by argument.
func (n *mapNode) params() []device.Pointer {
	out := make([]device.Pointer, len(n.op.Args))
	for i, a := range n.op.Args {
		out[i] = n.e.vector(a.Param)
	}
	return out
}

func (n *mapNode) forward(c *call) {
	n.kernel.Forward(c.q, c.rows, c.in, n.params(), c.batch.position, c.out[0])
}

func (n *mapNode) backward(c *call) {
	gradients := make([]device.Pointer, len(n.step.Params))
	for i, p := range n.step.Params {
		gradients[i] = n.e.gradient(p.Param)
	}
	n.kernel.Backward(c.q, c.rows, c.in, n.params(), c.batch.position, c.dOut[0], c.dIn, c.accumulate, gradients,
		c.take(n.kernel.Workspace(c.rows)))
}

// normNode normalises.
type normNode struct {
	base
	op     *graph.Norm
	kernel *norm.Norm
}

func newNorm(b base, o *graph.Norm) *normNode {
	elements := func(id graph.ParamID) int {
		if id == graph.NoParam {
			return 0
		}
		return b.e.g.Params[id].Elements()
	}
	return &normNode{base: b, op: o, kernel: norm.New(&b.e.set, norm.Spec{
		Width: b.inWidth(0), Groups: max(1, o.Groups), Centre: o.Centre, Epsilon: o.Epsilon, PlusOne: o.PlusOne,
		Weight: elements(o.Weight), Bias: elements(o.Bias), X: b.inType(0), Y: b.outType(),
		TrainWeight: b.trained(o.Weight), TrainBias: b.trained(o.Bias),
	})}
}

func (n *normNode) scratchBytes(rows int) int64 { return need(n.kernel.Workspace(rows)) }

func (n *normNode) forward(c *call) {
	n.kernel.Forward(c.q, c.rows, c.out[0], c.in[0], n.e.vector(n.op.Weight), n.e.vector(n.op.Bias))
}

func (n *normNode) backward(c *call) {
	var dWeight, dBias device.Pointer
	if n.trained(n.op.Weight) {
		dWeight = n.e.gradient(n.op.Weight)
	}
	if n.trained(n.op.Bias) {
		dBias = n.e.gradient(n.op.Bias)
	}
	n.kernel.Backward(c.q, c.rows, c.dIn[0], c.dOut[0], c.in[0], n.e.vector(n.op.Weight), dWeight, dBias,
		c.take(n.kernel.Workspace(c.rows)), c.accumulate[0])
}

// ropeNode rotates heads.
type ropeNode struct {
	base
	kernel *rope.RoPE
	freq   int // index of the frequencies among the constants
}

func newRoPE(b base, o *graph.RoPE) *ropeNode {
	return &ropeNode{base: b, freq: b.e.addConstant(o.Freq), kernel: rope.New(&b.e.set, rope.Spec{
		Heads: o.Heads, HeadWidth: b.inWidth(0) / o.Heads, Offset: o.Offset, Pairs: len(o.Freq),
		Interleaved: o.Interleaved, Factor: o.Factor, Type: b.e.act,
	})}
}

func (n *ropeNode) forward(c *call) {
	n.kernel.Forward(c.q, c.rows, c.out[0], c.in[0], n.e.constantAt(n.freq), c.batch.position)
}

func (n *ropeNode) backward(c *call) {
	n.kernel.Backward(c.q, c.rows, c.dIn[0], c.dOut[0], n.e.constantAt(n.freq), c.batch.position, c.accumulate[0])
}
