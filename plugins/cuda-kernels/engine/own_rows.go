package engine

import (
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/sdk/graph"
)

// ownRows are the rows of a linear's weight that are an adapter's own: of a head, those of
// some tokens. The columns of y that they give are computed apart and put in place.
type ownRows struct {
	e   *Engine
	of  *graph.TokenRows
	ids int // index of theirs among the constants

	put, take *rows.Pick // into y, and out of dy in the activations' type

	in       int
	t        device.Type // of y
	widen    *rows.Scale // of the rows to the activations' type; nil where they have it
	trained  bool
	elements int64
}

func newOwnRows(b base, of *graph.TokenRows, in, out int) *ownRows {
	o := &ownRows{
		e: b.e, of: of, ids: b.e.addIndices(of.IDs),
		put: rows.NewPick(&b.e.set, out, len(of.IDs), b.outType()), take: rows.NewPick(&b.e.set, out, len(of.IDs), b.e.act),
		in: in, t: b.outType(), trained: b.trained(of.Values), elements: int64(len(of.IDs)) * int64(in),
	}
	if held := b.e.matrixType(of.Values); held != b.e.act {
		o.widen = rows.NewScale(&b.e.set, held, b.e.act)
	}
	return o
}

// scratchBytes: the columns, those of the gradient in the activations' type, and the rows
// in theirs.
func (o *ownRows) scratchBytes(rowCount int) int64 {
	if o == nil {
		return 0
	}
	columns := int64(rowCount) * int64(o.put.Stride())
	total := need(columns*o.t.Size(), columns*o.e.act.Size())
	if o.widen != nil {
		total += need(o.elements * o.e.act.Size())
	}
	return total
}

// matrix is the rows [ids, in] in the activations' type.
func (o *ownRows) matrix(c *call) operand {
	at := o.e.matrix(o.of.Values)
	if o.widen != nil {
		wide := c.take(o.elements * o.e.act.Size())
		o.widen.Write(c.q, o.elements, wide, at, 1)
		at = wide
	}
	return operand{at: at, t: o.e.act, rows: len(o.of.IDs), cols: o.in}
}

// columns is room for the columns of y, of a type.
func (o *ownRows) columns(c *call, t device.Type) operand {
	stride := o.put.Stride()
	return operand{at: c.take(int64(c.rows) * int64(stride) * t.Size()), t: t, rows: c.rows, cols: len(o.of.IDs), stride: stride}
}

// forward replaces the columns of y that the rows give.
func (o *ownRows) forward(c *call, y, x operand) {
	d := o.columns(c, o.t)
	o.e.multiply(c.q, d, x, o.matrix(c).T(), 1, false)
	o.put.Put(c.q, c.rows, y.at, d.at, o.e.constantAt(o.ids))
}

// taken takes the columns of dy out of it, so that what reads dy from then on passes them
// over.
func (o *ownRows) taken(c *call, dy operand) operand {
	d := o.columns(c, dy.t)
	o.take.Take(c.q, c.rows, d.at, dy.at, o.e.constantAt(o.ids))
	return d
}

// backward adds d·rows to dx, where that is wanted, and dᵀ·x to the gradient of the rows.
func (o *ownRows) backward(c *call, d, x, dx operand) {
	if dx.at != 0 {
		o.e.multiply(c.q, dx, d, o.matrix(c), 1, true)
	}
	if o.trained {
		gradient := operand{at: o.e.gradient(o.of.Values), t: device.Float32, rows: len(o.of.IDs), cols: o.in}
		o.e.multiply(c.q, gradient, d.T(), x, 1, true)
	}
}
