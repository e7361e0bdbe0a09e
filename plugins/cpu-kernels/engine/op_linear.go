package engine

import (
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/dropout"
)

// linearKernel is y = x·Wᵀ + b, and the adapter's s·((dropout(x)·Aᵀ)·Bᵀ + b') less
// s·(x·A₀ᵀ)·B₀ᵀ of its start.
type linearKernel struct {
	base
	op      *graph.Linear
	in, out int
}

func newLinear(b base, o *graph.Linear) *linearKernel {
	shape := b.e.g.Params[o.Weight].Shape
	return &linearKernel{base: b, op: o, in: shape[1], out: shape[0]}
}

func (k *linearKernel) forward(c *call) {
	if a := diff.Active(k.op, c.adapter); a != nil && a.Magnitude != graph.NoParam {
		k.doraForward(c, a)
		return
	}
	n := c.rows.len()
	k.e.matmulTransposed(c.out[0], c.in[0], k.e.weight(k.op.Weight), n, false)
	if own := diff.ActiveRows(k.op, c.adapter); own != nil {
		k.ownRows(c, own)
	}
	if bias := k.e.vector(k.op.Bias); bias != nil {
		k.e.addToRows(c.out[0], bias, 1)
	}
	a := diff.Active(k.op, c.adapter)
	if a == nil {
		return
	}
	s := float32(a.Scaling())
	h := k.e.scratch(n * a.Rank)
	k.down(c, a, h)
	for i := range h {
		h[i] *= s
	}
	k.e.matmulTransposed(c.out[0], h, k.e.weight(a.B), n, true)
	k.e.release(h)
	if a.Start != nil {
		k.startForward(c, a)
	}
	if bias := k.e.vector(a.Bias); bias != nil {
		k.e.addToRows(c.out[0], bias, s)
	}
}

// down is h = dropout(x)·Aᵀ, [n, rank].
func (k *linearKernel) down(c *call, a *graph.Adapter, h []float32) {
	n := c.rows.len()
	if !c.training || a.Dropout == 0 {
		k.e.matmulTransposed(h, c.in[0], k.e.weight(a.A), n, false)
		return
	}
	x := k.e.scratch(n * k.in)
	defer k.e.release(x)
	k.dropped(c, a, x, c.in[0], false)
	k.e.matmulTransposed(h, x, k.e.weight(a.A), n, false)
}

// dropped puts dropout(x), [n, in], into y, or adds it.
func (k *linearKernel) dropped(c *call, a *graph.Adapter, y, x []float32, accumulate bool) {
	key := dropout.NewKey(k.e.settings.Seed, c.step, k.op.Module)
	k.e.eachRow(c.rows.len(), func(from, to int) {
		m := make([]float32, k.in)
		for t := from; t < to; t++ {
			dropout.Row(key, c.rows.sample[t], c.rows.position[t], a.Dropout, m)
			for i, v := range x[t*k.in : (t+1)*k.in] {
				v *= m[i]
				if accumulate {
					v += y[t*k.in+i]
				}
				y[t*k.in+i] = v
			}
		}
	})
}

// backward: dX = dY·W + dropout(s·dY·B·A) − s·dY·B₀·A₀; dW = dYᵀ·X; db = Σ dY;
// dB = s·dYᵀ·h; dA = (s·dY·B)ᵀ·dropout(x); db' = s·Σ dY.
func (k *linearKernel) backward(c *call) {
	if a := diff.Active(k.op, c.adapter); a != nil && a.Magnitude != graph.NoParam {
		k.doraBackward(c, a)
		return
	}
	n, dy := c.rows.len(), c.dOut[0]
	putBack := func() {}
	if own := diff.ActiveRows(k.op, c.adapter); own != nil {
		putBack = k.ownRowsBackward(c, own)
	}
	if c.dIn[0] != nil {
		k.e.matmul(c.dIn[0], dy, k.e.weight(k.op.Weight), n, c.accumulate[0])
	}
	if k.trains(k.op.Weight) {
		k.e.matmulGradient(k.e.gradient(k.op.Weight), dy, c.in[0], n, k.out, k.in)
	}
	putBack()
	if k.trains(k.op.Bias) {
		k.e.columnSums(k.e.gradient(k.op.Bias), dy, k.out, 1)
	}
	if a := diff.Active(k.op, c.adapter); a != nil {
		k.adapterBackward(c, a, c.dOut[0])
		if a.Start != nil {
			k.startBackward(c, a)
		}
	}
}

// ownRows replaces the columns of y whose rows of W are replaced: y[:, id] = x·rowᵀ.
func (k *linearKernel) ownRows(c *call, own *graph.TokenRows) {
	n, count := c.rows.len(), len(own.IDs)
	y := k.e.scratch(n * count)
	defer k.e.release(y)
	k.e.matmulTransposed(y, c.in[0], k.e.weight(own.Values), n, false)
	for t := range n {
		for i, id := range own.IDs {
			c.out[0][t*k.out+id] = y[t*count+i]
		}
	}
}

// ownRowsBackward takes the columns of dY whose rows of W are replaced out of it, so
// that the products with W pass them over, and adds to the gradient of these rows. What
// it returns adds to dX, after those products, and puts the columns back.
func (k *linearKernel) ownRowsBackward(c *call, own *graph.TokenRows) func() {
	n, count, dy := c.rows.len(), len(own.IDs), c.dOut[0]
	d := k.e.scratch(n * count)
	for t := range n {
		for i, id := range own.IDs {
			d[t*count+i], dy[t*k.out+id] = dy[t*k.out+id], 0
		}
	}
	if k.trains(own.Values) {
		k.e.matmulGradient(k.e.gradient(own.Values), d, c.in[0], n, count, k.in)
	}
	return func() {
		if c.dIn[0] != nil {
			k.e.matmul(c.dIn[0], d, k.e.weight(own.Values), n, true)
		}
		for t := range n {
			for i, id := range own.IDs {
				dy[t*k.out+id] = d[t*count+i]
			}
		}
		k.e.release(d)
	}
}

// adapterBackward is the adapter's share, dy being the gradient of what it adds.
func (k *linearKernel) adapterBackward(c *call, a *graph.Adapter, dy []float32) {
	n, s := c.rows.len(), float32(a.Scaling())
	if k.trains(a.Bias) {
		k.e.columnSums(k.e.gradient(a.Bias), dy, k.out, s)
	}
	h := k.e.scratch(n * a.Rank)
	defer k.e.release(h)
	if k.trains(a.B) {
		k.down(c, a, h)
		for i := range h {
			h[i] *= s
		}
		k.e.matmulGradient(k.e.gradient(a.B), dy, h, n, k.out, a.Rank)
	}
	// h is the gradient of x·Aᵀ from here on.
	k.e.matmul(h, dy, k.e.weight(a.B), n, false)
	for i := range h {
		h[i] *= s
	}
	drops := c.training && a.Dropout > 0
	if k.trains(a.A) {
		x := c.in[0]
		if drops {
			x = k.e.scratch(n * k.in)
			k.dropped(c, a, x, c.in[0], false)
		}
		k.e.matmulGradient(k.e.gradient(a.A), h, x, n, a.Rank, k.in)
		if drops {
			k.e.release(x)
		}
	}
	switch {
	case c.dIn[0] == nil:
	case !drops:
		k.e.matmul(c.dIn[0], h, k.e.weight(a.A), n, true)
	default:
		dx := k.e.scratch(n * k.in)
		k.e.matmul(dx, h, k.e.weight(a.A), n, false)
		k.dropped(c, a, c.dIn[0], dx, true)
		k.e.release(dx)
	}
}

// scratchFloats is the scratch memory of the adapter: x·Aᵀ and, with dropout, what it
// multiplies. DoRA takes a row of outputs, dZ or the product that the magnitude's gradient
// asks for, with dropout another of each, and a block of rows of W + s·B·A.
func (k *linearKernel) scratchFloats(tokens int) int64 {
	a := k.op.Adapter
	if a == nil {
		return 0
	}
	width, drops, more := a.Rank, k.e.phases.Train && a.Dropout > 0, 0
	if drops {
		width += k.in
	}
	if a.Magnitude != graph.NoParam {
		more = min(normRows, k.out) * k.in
		if k.e.phases.Train {
			width += k.out
		}
		if drops {
			width += k.out + k.in
		}
	}
	return int64(tokens)*int64(width) + int64(more)
}

// addToRows adds factor times a row to each row of y.
func (e *Engine) addToRows(y, row []float32, factor float32) {
	w := len(row)
	e.eachRow(len(y)/w, func(from, to int) {
		for t := from; t < to; t++ {
			addTo(y[t*w:(t+1)*w], row, factor)
		}
	})
}
