package engine

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

// doraForward is y = x·Wᵀ + (n−1)∘(x'·Wᵀ) + n∘s·(x'·Aᵀ)·Bᵀ + b, x' being dropout(x) and
// n the magnitudes over the rows' norms. Without dropout, x' being x, that is
// n∘(x·(W + s·B·A)ᵀ) + b.
func (k *linearKernel) doraForward(c *call, a *graph.Adapter) {
	y, ratios := c.out[0], k.ratios(a)
	if !c.training || a.Dropout == 0 {
		k.product(c, a, y, c.in[0])
		k.timesColumns(y, ratios)
	} else {
		n := c.rows.len()
		u, x := k.e.scratch(n*k.out), k.e.scratch(n*k.in)
		k.dropped(c, a, x, c.in[0], false)
		k.e.matmulTransposed(u, x, k.e.weight(k.op.Weight), n, false)
		k.e.matmulTransposed(y, c.in[0], k.e.weight(k.op.Weight), n, false)
		addTo(y, u, -1)
		k.update(c, a, u, x)
		k.timesColumns(u, ratios)
		addTo(y, u, 1)
		k.e.release(x)
		k.e.release(u)
	}
	if bias := k.e.vector(k.op.Bias); bias != nil {
		k.e.addToRows(y, bias, 1)
	}
}

// product is u = x·(W + s·B·A)ᵀ.
func (k *linearKernel) product(c *call, a *graph.Adapter, u, x []float32) {
	k.e.matmulTransposed(u, x, k.e.weight(k.op.Weight), c.rows.len(), false)
	k.update(c, a, u, x)
}

// update adds s·(x·Aᵀ)·Bᵀ to u.
func (k *linearKernel) update(c *call, a *graph.Adapter, u, x []float32) {
	n, s := c.rows.len(), float32(a.Scaling())
	h := k.e.scratch(n * a.Rank)
	k.e.matmulTransposed(h, x, k.e.weight(a.A), n, false)
	for i := range h {
		h[i] *= s
	}
	k.e.matmulTransposed(u, h, k.e.weight(a.B), n, true)
	k.e.release(h)
}

// timesColumns multiplies each column of y, [n, out], by a factor of its own.
func (k *linearKernel) timesColumns(y, factors []float32) {
	k.e.eachRow(len(y)/k.out, func(from, to int) {
		for t := from; t < to; t++ {
			for i, f := range factors {
				y[t*k.out+i] *= f
			}
		}
	})
}

// doraBackward, with dZ = n∘dY and without a gradient through the norms:
//
//	dX = dY·W + dropout((dZ − dY)·W + s·dZ·B·A);  dW = dYᵀ·x + (dZ − dY)ᵀ·x';  db = Σ dY
//	dm = Σ dY∘(x'·(W + s·B·A)ᵀ) / ‖W + s·B·A‖;  dB = s·dZᵀ·(x'·Aᵀ);  dA = (s·dZ·B)ᵀ·x'
func (k *linearKernel) doraBackward(c *call, a *graph.Adapter) {
	n, dy, drops := c.rows.len(), c.dOut[0], c.training && a.Dropout > 0
	w := k.e.weight(k.op.Weight)
	if k.trains(k.op.Bias) {
		k.e.columnSums(k.e.gradient(k.op.Bias), dy, k.out, 1)
	}
	kept := c.in[0]
	if drops && (k.trains(a.Magnitude) || k.trains(k.op.Weight)) {
		kept = k.e.scratch(n * k.in)
		k.dropped(c, a, kept, c.in[0], false)
		defer k.e.release(kept)
	}
	if k.trains(a.Magnitude) {
		k.magnitudeGradient(c, a, kept)
	}
	dz := k.e.scratch(n * k.out)
	defer k.e.release(dz)
	copy(dz, dy)
	k.timesColumns(dz, k.ratios(a))
	if !drops {
		if c.dIn[0] != nil {
			k.e.matmul(c.dIn[0], dz, w, n, c.accumulate[0])
		}
		if k.trains(k.op.Weight) {
			k.e.matmulGradient(k.e.gradient(k.op.Weight), dz, kept, n, k.out, k.in)
		}
		k.adapterBackward(c, a, dz)
		return
	}
	more := k.e.scratch(n * k.out)
	defer k.e.release(more)
	copy(more, dz)
	addTo(more, dy, -1)
	if c.dIn[0] != nil {
		k.e.matmul(c.dIn[0], dy, w, n, c.accumulate[0])
		dx := k.e.scratch(n * k.in)
		k.e.matmul(dx, more, w, n, false)
		k.dropped(c, a, c.dIn[0], dx, true)
		k.e.release(dx)
	}
	if k.trains(k.op.Weight) {
		k.e.matmulGradient(k.e.gradient(k.op.Weight), dy, c.in[0], n, k.out, k.in)
		k.e.matmulGradient(k.e.gradient(k.op.Weight), more, kept, n, k.out, k.in)
	}
	k.adapterBackward(c, a, dz)
}

// magnitudeGradient adds dm for the adapter's input x.
func (k *linearKernel) magnitudeGradient(c *call, a *graph.Adapter, x []float32) {
	u, sums := k.e.scratch(c.rows.len()*k.out), make([]float32, k.out)
	k.product(c, a, u, x)
	for i, v := range c.dOut[0] {
		u[i] *= v
	}
	k.e.columnSums(sums, u, k.out, 1)
	k.e.release(u)
	dm := k.e.gradient(a.Magnitude)
	for i, norm := range k.e.rowNorms(k.op, a) {
		if norm > 0 { // else the sum is of zeros
			dm[i] += sums[i] / norm
		}
	}
}

// ratios are m over the norms of the rows of W + s·B·A, 1 for rows of zeros.
func (k *linearKernel) ratios(a *graph.Adapter) []float32 {
	ratios, m := make([]float32, k.out), k.e.vector(a.Magnitude)
	for i, norm := range k.e.rowNorms(k.op, a) {
		ratios[i] = 1
		if norm > 0 {
			ratios[i] = m[i] / norm
		}
	}
	return ratios
}

// normRows is of how many rows norms are taken at once.
const normRows = 256

// rowNorms are the norms of the rows of W + s·B·A for the parameters as they are. They
// are kept until these change: that takes a product as large as the adapter's own for
// as many tokens as W has rows.
func (e *Engine) rowNorms(o *graph.Linear, a *graph.Adapter) []float32 {
	if norms := e.norms[o]; norms != nil {
		return norms
	}
	w, up, s := e.weight(o.Weight), e.vector(a.B), a.Scaling()
	norms := make([]float32, w.rows)
	update := e.scratch(min(normRows, w.rows) * w.cols)
	defer e.release(update)
	for first := 0; first < w.rows; first += normRows {
		n := min(normRows, w.rows-first)
		e.matmul(update[:n*w.cols], up[first*a.Rank:(first+n)*a.Rank], e.weight(a.A), n, false)
		e.eachRow(n, func(from, to int) {
			row := make([]float32, w.cols)
			for i := from; i < to; i++ {
				w.row(first+i, row)
				sum := 0.0
				for j, v := range row {
					v := float64(v) + s*float64(update[i*w.cols+j])
					sum += v * v
				}
				norms[first+i] = float32(math.Sqrt(sum))
			}
		})
	}
	if e.norms == nil {
		e.norms = map[*graph.Linear][]float32{}
	}
	e.norms[o] = norms
	return norms
}

// magnitudes gives those that no checkpoint holds their first values, the norms of rows.
func (e *Engine) magnitudes() {
	for _, n := range e.g.Nodes {
		o, ok := n.Op.(*graph.Linear)
		if !ok || o.Adapter == nil || o.Adapter.Magnitude == graph.NoParam {
			continue
		}
		if m := o.Adapter.Magnitude; e.g.Params[m].Init == graph.InitRowNorms {
			copy(e.vector(m), e.rowNorms(o, o.Adapter))
		}
	}
}

// normFloats is how many norms are kept.
func (e *Engine) normFloats() int64 {
	kept := int64(0)
	for _, n := range e.g.Nodes {
		if a := graph.AdapterOf(n.Op); a != nil && a.Magnitude != graph.NoParam {
			kept += int64(e.g.Params[a.Magnitude].Elements())
		}
	}
	return kept
}
