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
		dm[i] += sums[i] / norm
	}
}

// ratios are m over the norms of the rows of W + s·B·A.
func (k *linearKernel) ratios(a *graph.Adapter) []float32 {
	ratios := make([]float32, k.out)
	norms := k.e.rowNorms(k.op, a)
	for i, m := range k.e.vector(a.Magnitude) {
		ratios[i] = m / norms[i]
	}
	return ratios
}

// rowNorms are the norms of the rows of W + s·B·A for the parameters as they are, from
//
//	‖W_i + s·B_i·A‖² = ‖W_i‖² + 2s·B_i·(A·W_iᵀ) + s²·B_i·(A·Aᵀ)·B_iᵀ
//
// which takes a product as large as one of the adapter for as many tokens as W has rows.
func (e *Engine) rowNorms(o *graph.Linear, a *graph.Adapter) []float32 {
	if norms := e.norms[o]; norms != nil {
		return norms
	}
	w, r, s := e.weight(o.Weight), a.Rank, a.Scaling()
	across, among := make([]float32, r*w.rows), make([]float32, r*r)
	down, up := e.vector(a.A), e.vector(a.B)
	e.matmulTransposed(across, down, w, r, false)
	e.matmulTransposed(among, down, e.weight(a.A), r, false)
	norms := make([]float32, w.rows)
	e.eachRow(w.rows, func(from, to int) {
		row := make([]float32, w.cols)
		for i := from; i < to; i++ {
			w.row(i, row)
			sum := 0.0
			for _, v := range row {
				sum += float64(v) * float64(v)
			}
			for j, b := range up[i*r : (i+1)*r] {
				sum += 2 * s * float64(b) * float64(across[j*w.rows+i])
				for l, other := range up[i*r : (i+1)*r] {
					sum += s * s * float64(b) * float64(other) * float64(among[j*r+l])
				}
			}
			norms[i] = float32(math.Sqrt(max(0, sum)))
		}
	})
	if e.norms == nil {
		e.norms = map[*graph.Linear][]float32{}
	}
	e.norms[o] = norms
	return norms
}

// magnitudes begin as the norms of the rows.
func (e *Engine) magnitudes() {
	for _, n := range e.g.Nodes {
		if o, ok := n.Op.(*graph.Linear); ok && o.Adapter != nil && o.Adapter.Magnitude != graph.NoParam {
			copy(e.vector(o.Adapter.Magnitude), e.rowNorms(o, o.Adapter))
		}
	}
}
