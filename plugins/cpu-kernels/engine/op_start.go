package engine

import (
	"context"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels/principal"
)

// startForward adds −s·(x·A₀ᵀ)·B₀ᵀ to y: what the adapter began with (PiSSA), without
// dropout.
func (k *linearKernel) startForward(c *call, a *graph.Adapter) {
	n, s := c.rows.len(), float32(a.Scaling())
	h := k.e.scratch(n * a.Rank)
	k.e.matmulTransposed(h, c.in[0], k.e.weight(a.Start.A), n, false)
	for i := range h {
		h[i] *= -s
	}
	k.e.matmulTransposed(c.out[0], h, k.e.weight(a.Start.B), n, true)
	k.e.release(h)
}

// startBackward adds −s·dY·B₀·A₀ to dX. The start itself has no gradient.
func (k *linearKernel) startBackward(c *call, a *graph.Adapter) {
	if c.dIn[0] == nil {
		return
	}
	n, s := c.rows.len(), float32(a.Scaling())
	h := k.e.scratch(n * a.Rank)
	k.e.matmul(h, c.dOut[0], k.e.weight(a.Start.B), n, false)
	for i := range h {
		h[i] *= -s
	}
	k.e.matmul(c.dIn[0], h, k.e.weight(a.Start.A), n, true)
	k.e.release(h)
}

// starts gives A, B and their starts the principal parts of the weights, as they are held.
func (e *Engine) starts(ctx context.Context, progress func(elements int)) error {
	for _, o := range principal.Linears(e.g) {
		if err := ctx.Err(); err != nil {
			return err
		}
		a, w := o.Adapter, e.weight(o.Weight)
		down, up := principal.Factors(a, multiplier{e, w})
		copy(e.vector(a.A), down)
		copy(e.vector(a.Start.A), down)
		copy(e.vector(a.B), up)
		copy(e.vector(a.Start.B), up)
		progress(w.rows * w.cols)
	}
	return nil
}

// startElements are those of the weights that starts goes through.
func (e *Engine) startElements() int {
	n := 0
	for _, o := range principal.Linears(e.g) {
		n += e.g.Params[o.Weight].Elements()
	}
	return n
}

// A multiplier gives package principal the engine's own products with a weight.
type multiplier struct {
	e *Engine
	w *matrix
}

var _ principal.Matrix = multiplier{}

func (m multiplier) Shape() (rows, columns int) { return m.w.rows, m.w.cols }

func (m multiplier) Multiply(y, x []float32, n int) { m.e.matmulTransposed(y, x, m.w, n, false) }

func (m multiplier) MultiplyTransposed(y, x []float32, n int) { m.e.matmul(y, x, m.w, n, false) }
