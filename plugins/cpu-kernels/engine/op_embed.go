package engine

import (
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// embedKernel looks rows of the table up: y[t] = scale·table[id[t]].
type embedKernel struct {
	base
	op *graph.Embed
}

func (k *embedKernel) forward(c *call) {
	table, w := k.e.weight(k.op.Table), k.outWidth()
	scale := float32(k.op.Scale)
	own := diff.ActiveRows(k.op, c.adapter)
	k.e.eachRow(c.rows.len(), func(from, to int) {
		for t := from; t < to; t++ {
			row := c.out[0][t*w : (t+1)*w]
			if at, ok := ownRow(own, c.rows.id[t]); ok {
				k.e.weight(own.Values).row(at, row)
			} else {
				table.row(int(c.rows.id[t]), row)
			}
			if scale != 1 {
				for i := range row {
					row[i] *= scale
				}
			}
		}
	})
}

// ownRow is which of the rows that replace a table's is that of a token.
func ownRow(own *graph.TokenRows, id int32) (at int, ok bool) {
	if own == nil {
		return 0, false
	}
	return slices.BinarySearch(own.IDs, int(id))
}

// backward adds each token's gradient to its row of the table's, or to that which
// replaces it.
func (k *embedKernel) backward(c *call) {
	own := diff.ActiveRows(k.op, c.adapter)
	var table, rows []float32
	if k.trains(k.op.Table) {
		table = k.e.gradient(k.op.Table)
	}
	if own != nil && k.trains(own.Values) {
		rows = k.e.gradient(own.Values)
	}
	if table == nil && rows == nil {
		return
	}
	w := k.outWidth()
	scale := float32(k.op.Scale)
	k.e.eachColumn(w, func(from, to int) {
		for t, id := range c.rows.id {
			d, at := table, int(id)
			if k, ok := ownRow(own, id); ok {
				d, at = rows, k
			}
			if d != nil {
				addTo(d[at*w+from:at*w+to], c.dOut[0][t*w+from:t*w+to], scale)
			}
		}
	})
}
