package engine

import "github.com/honeml/hone/sdk/graph"

// rows are the tokens that a kernel works on: a micro-batch, or some of its
// tokens (the head), or the next token of several sequences (generation).
type rows struct {
	id, position, docStart, docEnd, sample []int32
	shares                                 []float64 // graph.Batch.Shares, where a training step needs them
}

func (r rows) len() int { return len(r.position) }

func rowsOf(b *graph.Batch) rows {
	return rows{id: b.ID, position: b.Position, docStart: b.DocStart, docEnd: b.DocEnd, sample: b.Sample}
}

// pick is the rows with the given indices. Documents mean nothing among them.
func (r rows) pick(indices []int) rows {
	out := rows{position: make([]int32, len(indices)), sample: make([]int32, len(indices))}
	for i, t := range indices {
		out.position[i], out.sample[i] = r.position[t], r.sample[t]
	}
	return out
}

// rowChunk is how many rows a piece of work has in operations that treat each
// row alone.
const rowChunk = 16

// eachRow runs f over pieces [from, to) of n rows.
func (e *Engine) eachRow(n int, f func(from, to int)) {
	e.pool.Run((n+rowChunk-1)/rowChunk, func(i int) { f(i*rowChunk, min(n, (i+1)*rowChunk)) })
}

// columnChunk is how many columns a piece of work has in sums over all rows.
const columnChunk = 64

// eachColumn runs f over pieces [from, to) of n columns.
func (e *Engine) eachColumn(n int, f func(from, to int)) {
	e.pool.Run((n+columnChunk-1)/columnChunk, func(i int) { f(i*columnChunk, min(n, (i+1)*columnChunk)) })
}
