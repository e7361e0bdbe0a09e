package engine

import (
	"github.com/honeml/hone/plugins/cuda-kernels/adapter"
	"github.com/honeml/hone/sdk/graph"
)

// readsInput reports whether the adapter has x read, in training: one that does not lead
// its group is given what it needs.
func (n *linearNode) readsInput() bool { return n.group == nil || n.group.leads(n) }

// joined reports whether the linear's group is at work: in training.
func (n *linearNode) joined(c *call) bool { return n.group != nil && c.kept != 0 }

// adapted is h = s·dropout(x)·Aᵀ [rows, rank].
func (n *linearNode) adapted(c *call, a *graph.Adapter, x operand) operand {
	if !n.joined(c) {
		return n.down(c, a, n.dropped(c, x))
	}
	if n.group.leads(n) {
		n.group.down(c, x)
	}
	return n.group.part(n, n.group.h(c))
}

// down is h = s·input·Aᵀ [rows, rank] of what dropped gives, where it is kept or in scratch
// memory.
func (n *linearNode) down(c *call, a *graph.Adapter, input operand) operand {
	at := c.kept
	if at == 0 {
		at = c.take(int64(c.rows) * int64(a.Rank) * n.e.act.Size())
	}
	h, kernels := n.activations(c, at, n.e.act, a.Rank), n.input
	if n.drops(c) && n.masks() {
		kernels = n.masked
	}
	if kernels.Wins(c.rows) {
		kernels.Down(c.q, c.rows, h.at, input.at, n.parameter(a.A).at, float32(a.Scaling()), n.mask(c), c.lend(kernels.Workspace(c.rows)))
		return h
	}
	n.e.multiply(c.q, h, input, n.parameter(a.A).T(), float32(a.Scaling()), false)
	return h
}

// keptOrAgain is h as the forward pass kept it, or computed again.
func (n *linearNode) keptOrAgain(c *call, a *graph.Adapter, input operand) operand {
	switch {
	case n.joined(c):
		return n.group.part(n, n.group.h(c))
	case c.kept == 0:
		return n.down(c, a, input)
	}
	return n.activations(c, c.kept, n.e.act, a.Rank)
}

// masks reports whether kernels drop elements of the adapter's input as they read it.
func (n *linearNode) masks() bool { return n.masked != nil || n.group != nil && n.group.dropped > 0 }

// mask is what is dropped of its input, and of those of the linears it leads; nothing where it
// has no dropout.
func (n *linearNode) mask(c *call) adapter.Mask {
	if n.drop == nil {
		return adapter.Mask{}
	}
	return adapter.Mask{Sample: c.batch.sample, Position: c.batch.position, Keys: n.e.keyAt(n.key), P: n.op.Adapter.Dropout}
}

// alone asks for the kernels that the linear's adapter needs beside those of a group, in
// training.
func (n *linearNode) alone() {
	a := n.op.Adapter
	if n.drop != nil && n.group == nil && n.dora == nil && n.trained(a.A) && adapter.Masks(a.Dropout) {
		n.masked = n.e.adapterInput(n.in, a.Rank, 1)
	}
	if n.trained(a.B) && (n.group == nil || n.group.thin == nil) {
		n.thin = n.e.adapterOutput([]int{n.out}, a.Rank)
	}
}

// drops reports whether dropout is on.
func (n *linearNode) drops(c *call) bool { return c.training && n.drop != nil }

// dropped is the adapter's input: x, or dropout(x) in scratch memory unless kernels drop what
// they read.
func (n *linearNode) dropped(c *call, x operand) operand {
	if !n.drops(c) || n.masks() {
		return x
	}
	y := x
	y.at = c.take(int64(c.rows) * int64(n.in) * n.e.act.Size())
	n.drop.Apply(c.q, c.rows, y.at, x.at, c.batch.sample, c.batch.position, n.e.keyAt(n.key), n.op.Adapter.Dropout, false)
	return y
}

// joinedBackward is its part of that in a group.
func (n *linearNode) joinedBackward(c *call, x, dy operand) {
	g := n.group
	if a := n.op.Adapter; a != nil && !g.thin.Wins(c.rows) {
		n.ofOutput(c, a, g.part(n, g.d(c)), dy, g.part(n, g.h(c)))
		n.e.clock.lap(familyAdapter + familyBackward)
	}
	if g.leads(n) {
		g.finish(c, x, dy)
	}
}

// ofOutput is what the adapter takes from dy: d = s·dy·B, and the gradient of B.
func (n *linearNode) ofOutput(c *call, a *graph.Adapter, d, dy, h operand) {
	e, s := n.e, float32(a.Scaling())
	if n.thin.Wins(c.rows) {
		of := []adapter.Output{{DY: dy.at, B: n.parameter(a.B).at, DB: e.gradient(a.B)}}
		n.thin.Run(c.q, c.rows, d.rowsOf(), h.rowsOf(), of, s, c.lend(n.thin.Workspace(c.rows)))
		return
	}
	if n.trained(a.B) {
		e.multiply(c.q, n.gradientOperand(a.B), dy.T(), h, 1, true)
	}
	e.multiply(c.q, d, dy, n.parameter(a.B), s, false)
}

// ofInput is what it takes from its input: the gradient of A.
func (n *linearNode) ofInput(c *call, a *graph.Adapter, input, d operand) {
	if n.input.Wins(c.rows) {
		n.input.Gradient(c.q, c.rows, n.e.gradient(a.A), input.at, d.at, c.lend(n.input.Workspace(c.rows)))
		return
	}
	n.e.multiply(c.q, n.gradientOperand(a.A), d.T(), input, 1, true)
}

// adapter is the adapter's share of backward, without that of the gradient of A where kernels
// have masks. It answers the gradient of input·Aᵀ, whose product with A goes to that of x, or
// none where that was added, and whether the gradient of x holds something by then, to which
// the rest is added.
func (n *linearNode) adapter(c *call, a *graph.Adapter, x, dy operand) (d operand, adds bool) {
	e := n.e
	input := x
	if n.trained(a.A) || n.trained(a.B) && c.kept == 0 {
		input = n.dropped(c, x)
	}
	d = n.activations(c, c.take(int64(c.rows)*int64(a.Rank)*e.act.Size()), e.act, a.Rank)
	var h operand
	if n.trained(a.B) {
		h = n.keptOrAgain(c, a, input)
	}
	n.ofOutput(c, a, d, dy, h)
	if n.masks() {
		return d, c.accumulate[0]
	}
	if n.trained(a.A) {
		n.ofInput(c, a, input, d)
	}
	if c.dIn[0] == 0 || !n.drops(c) {
		return d, c.accumulate[0]
	}
	if input == x { // dropout(x) was not made: its place is not taken yet
		input.at = c.take(int64(c.rows) * int64(n.in) * e.act.Size())
	}
	e.multiply(c.q, input, d, n.parameter(a.A), 1, false)
	n.drop.Apply(c.q, c.rows, c.dIn[0], input.at, c.batch.sample, c.batch.position, e.keyAt(n.key), a.Dropout, c.accumulate[0])
	return operand{}, true
}
