package engine

import (
	"context"
	"errors"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels/principal"
)

// startForward is −s·x·A₀ᵀ and B₀ᵀ, whose product is what the adapter began with (PiSSA),
// to be taken away; none where it has no start. x is the linear's, without dropout.
func (n *linearNode) startForward(c *call, a *graph.Adapter, x operand) pair {
	if a.Start == nil {
		return pair{}
	}
	h := n.activations(c, c.take(int64(c.rows)*int64(a.Rank)*n.e.act.Size()), n.e.act, a.Rank)
	n.e.multiply(c.q, h, x, n.parameter(a.Start.A).T(), -float32(a.Scaling()), false)
	return pair{h, n.parameter(a.Start.B).T()}
}

// startBackward is −s·dy·B₀ and A₀, whose product is the start's part of dx.
func (n *linearNode) startBackward(c *call, a *graph.Adapter, dy operand) pair {
	if a.Start == nil {
		return pair{}
	}
	d := n.activations(c, c.take(int64(c.rows)*int64(a.Rank)*n.e.act.Size()), n.e.act, a.Rank)
	n.e.multiply(c.q, d, dy, n.parameter(a.Start.B), -float32(a.Scaling()), false)
	return pair{d, n.parameter(a.Start.A)}
}

// startsOf says which parameters are starts of adapters: they are held in the activations'
// type, as the copies of A and B are that they were equal to.
func startsOf(g *graph.Graph) []bool {
	out := make([]bool, len(g.Params))
	for _, n := range g.Nodes {
		if a := graph.AdapterOf(n.Op); a != nil && a.Start != nil {
			out[a.Start.A], out[a.Start.B] = true, true
		}
	}
	return out
}

// beginStarts gives A, B and their starts the principal parts of the weights, as they are
// held.
func (e *Engine) beginStarts(ctx context.Context) (err error) {
	linears := principal.Linears(e.g)
	if len(linears) == 0 {
		return nil
	}
	m := multiplier{e: e}
	bytes := int64(0)
	for _, o := range linears {
		bytes = max(bytes, m.need(o))
	}
	m.at, m.bytes = e.at(e.activations), e.activations.bytes
	if m.bytes < bytes { // a small model's activations are smaller
		if m.at, m.bytes = 0, bytes; e.do(func() error { m.at, err = e.gpu.Alloc(bytes); return err }) != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.do(func() error { return e.gpu.Free(m.at) })) }()
	}
	for _, o := range linears {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.of(o)
		down, up := principal.Factors(o.Adapter, &m)
		if m.err != nil {
			return m.err
		}
		for _, p := range []struct {
			id     graph.ParamID
			values []float32
		}{{o.Adapter.A, down}, {o.Adapter.Start.A, down}, {o.Adapter.B, up}, {o.Adapter.Start.B, up}} {
			param := e.g.Params[p.id]
			to, t := e.target(param)
			if err := e.write(param, to, t, p.values); err != nil {
				return err
			}
		}
	}
	return nil
}

// A multiplier is a weight as package principal sees it: products in float32, of some rows
// at a time, in memory that is free before the first step.
type multiplier struct {
	e     *Engine
	n     *linearNode
	at    device.Pointer
	bytes int64
	err   error
}

var _ principal.Matrix = (*multiplier)(nil)

// startRows is what rows that are multiplied at a time are a multiple of.
const startRows = 8

// need is the least memory that products with a linear's weight take.
func (m *multiplier) need(o *graph.Linear) int64 {
	shape := m.e.g.Params[o.Weight].Shape
	out, in := int64(shape[0]), int64(shape[1])
	vectors := int64(principal.Vectors(shape[0], shape[1], o.Adapter.Rank))
	return need(4*vectors*in, 4*vectors*out, 4*startRows*in)
}

// of has the products be those with a linear's weight.
func (m *multiplier) of(o *graph.Linear) {
	for _, n := range m.e.nodes {
		if l := linearOf(n); l != nil && l.op == o {
			m.n = l
		}
	}
}

// Shape is the weight's.
func (m *multiplier) Shape() (rowCount, columns int) { return m.n.out, m.n.in }

// Multiply is y = x·Wᵀ.
func (m *multiplier) Multiply(y, x []float32, n int) {
	m.run(y, m.n.out, x, m.n.in, n, func(y, x, w operand, first int) {
		y.at, y.stride, y.cols = y.at.Offset(4*int64(first)), y.cols, w.rows
		m.e.multiply(m.e.q, y, x, w.T(), 1, false)
	})
}

// MultiplyTransposed is y = x·W.
func (m *multiplier) MultiplyTransposed(y, x []float32, n int) {
	m.run(y, m.n.in, x, m.n.out, n, func(y, x, w operand, first int) {
		x.at, x.stride, x.cols = x.at.Offset(4*int64(first)), x.cols, w.rows
		m.e.multiply(m.e.q, y, x, w, 1, first > 0)
	})
}

// run has n vectors x multiplied by some rows of the weight after the other, from the row
// first on, and gives what y comes to.
func (m *multiplier) run(y []float32, ofY int, x []float32, ofX, n int, multiply func(y, x, w operand, first int)) {
	if m.err != nil {
		return
	}
	e, q := m.e, m.e.q
	from := operand{at: m.at, t: device.Float32, rows: n, cols: ofX}
	to := operand{at: from.at.Offset(need(4 * int64(len(x)))), t: device.Float32, rows: n, cols: ofY}
	block := to.at.Offset(need(4 * int64(len(y))))
	left := m.bytes - int64(block-m.at)
	high := min(m.n.out, int(left/(4*int64(m.n.in)))/startRows*startRows)
	weight, held := e.matrix(m.n.op.Weight), e.matrixType(m.n.op.Weight)
	data := make([]byte, 4*max(len(x), len(y)))
	device.Float32.Encode(data[:4*len(x)], x)
	m.err = e.do(func() error {
		q.At(m.n.name() + ", the principal part of its weight")
		q.Upload(from.at, data[:4*len(x)])
		for first := 0; first < m.n.out; first += high {
			w := operand{at: block, t: device.Float32, rows: min(high, m.n.out-first), cols: m.n.in}
			m.n.wide.Write(q, int64(w.rows)*int64(w.cols), w.at, weight.Offset(int64(first)*int64(w.cols)*held.Size()), 1)
			multiply(to, from, w, first)
		}
		q.Download(data[:4*len(y)], to.at)
		return nil
	})
	copy(y, device.Float32.Decode(data[:4*len(y)]))
}
