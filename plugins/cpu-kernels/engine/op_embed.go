package engine

import "github.com/honeml/hone/sdk/graph"

// embedKernel looks rows of the table up: y[t] = scale·table[id[t]].
type embedKernel struct {
	base
	op *graph.Embed
}

func (k *embedKernel) forward(c *call) {
	table, w := k.e.weight(k.op.Table), k.outWidth()
	scale := float32(k.op.Scale)
	k.e.eachRow(c.rows.len(), func(from, to int) {
		for t := from; t < to; t++ {
			row := c.out[0][t*w : (t+1)*w]
			table.row(int(c.rows.id[t]), row)
			if scale != 1 {
				for i := range row {
					row[i] *= scale
				}
			}
		}
	})
}

// backward adds each token's gradient to its row of the table's.
func (k *embedKernel) backward(c *call) {
	if !k.trains(k.op.Table) {
		return
	}
	w, d := k.outWidth(), k.e.gradient(k.op.Table)
	scale := float32(k.op.Scale)
	k.e.eachColumn(w, func(from, to int) {
		for t, id := range c.rows.id {
			addTo(d[int(id)*w+from:int(id)*w+to], c.dOut[0][t*w+from:t*w+to], scale)
		}
	})
}
