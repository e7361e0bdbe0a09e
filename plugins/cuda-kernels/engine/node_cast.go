package engine

import (
	"slices"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

// castNode gives a node, whose kernels read the activations' type alone, inputs that
// are float32 (what routers make) in that type, and their gradients back.
type castNode struct {
	node
	base
	casts    []bool // by input
	to, from *rows.Scale
}

// casting is inner, or a castNode around it where an input needs one. Inputs that are
// excepted inner takes as they are.
func casting(b base, inner node, except ...int) node {
	casts := make([]bool, len(b.node.Inputs))
	for i := range casts {
		casts[i] = b.inType(i) != b.e.act && !slices.Contains(except, i)
	}
	if !slices.Contains(casts, true) {
		return inner
	}
	return &castNode{
		node: inner, base: b, casts: casts,
		to: rows.NewScale(&b.e.set, device.Float32, b.e.act), from: rows.NewScale(&b.e.set, b.e.act, device.Float32),
	}
}

// withoutCast is what computes in a node.
func withoutCast(n node) node {
	if cast, ok := n.(*castNode); ok {
		return cast.node
	}
	return n
}

func (n *castNode) name() string             { return n.base.name() }
func (n *castNode) family() string           { return n.base.family() }
func (n *castNode) keptBytes(rows int) int64 { return n.node.keptBytes(rows) }
func (n *castNode) auxBytes(rows int) int64  { return n.node.auxBytes(rows) }

func (n *castNode) scratchBytes(rowCount int) int64 {
	total := n.node.scratchBytes(rowCount)
	for i := range n.base.node.Inputs {
		if n.casts[i] {
			total += 2 * need(n.elements(rowCount, i)*n.e.act.Size())
		}
	}
	return total
}

func (n *castNode) elements(rowCount, input int) int64 {
	return int64(rowCount) * int64(n.inSlots(input)) * int64(n.inWidth(input))
}

// cast replaces the inputs of c that need it.
func (n *castNode) cast(c *call) {
	c.in = slices.Clone(c.in)
	for i, x := range c.in {
		if x == 0 || !n.casts[i] {
			continue
		}
		count := n.elements(c.rows, i)
		c.in[i] = c.take(count * n.e.act.Size())
		n.to.Write(c.q, count, c.in[i], x, 1)
	}
}

func (n *castNode) forward(c *call) {
	inner := *c
	n.cast(&inner)
	n.node.forward(&inner)
}

func (n *castNode) backward(c *call) {
	inner := *c
	n.cast(&inner)
	inner.dIn, inner.accumulate = slices.Clone(c.dIn), slices.Clone(c.accumulate)
	apart := func(i int) bool { return c.dIn[i] != 0 && n.casts[i] }
	for i := range c.dIn {
		if apart(i) {
			inner.dIn[i], inner.accumulate[i] = inner.take(n.elements(c.rows, i)*n.e.act.Size()), false
		}
	}
	n.node.backward(&inner)
	for i := range c.dIn {
		switch {
		case !apart(i):
		case c.accumulate[i]:
			n.from.Add(c.q, n.elements(c.rows, i), c.dIn[i], inner.dIn[i], 1)
		default:
			n.from.Write(c.q, n.elements(c.rows, i), c.dIn[i], inner.dIn[i], 1)
		}
	}
}
