package engine

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	kernelrows "github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/sdk/graph"
)

// columns is what the GPU knows of the rows of a batch: arrays of int32 [rows], but for
// share.
type columns struct {
	id, position, docStart, docEnd, sample device.Pointer
	// share is float32: graph.Batch.Shares, where routes have balancing losses, else 0.
	share device.Pointer
	// first and next link the rows with the same id, where an embedding is trained:
	// rows.Chains.
	first, next device.Pointer
}

// predictions is what the GPU knows of the rows whose next token is predicted:
// arrays [n], n rounded up to a bucket; what is beyond has the row −1.
type predictions struct {
	count int // rounded up

	row, target      device.Pointer // int32
	weight           device.Pointer // float32
	position, sample device.Pointer // int32, those of the row
}

// The words that a batch takes for each row.
const (
	columnWords     = 8
	predictionWords = 5
)

// leastRows is the least bucket of rows. The products like multiples of it.
const leastRows = 64

// bucket is T rounded up so that there are few different numbers of rows, which all
// launches and the choice of products depend on: to a 16th of the power of two below.
func bucket(tokens int) int {
	unit := leastRows
	if tokens > 16*leastRows {
		unit = 1 << (bits.Len(uint(tokens-1)) - 5)
	}
	return (tokens + unit - 1) / unit * unit
}

// A words is a batch's arrays as they are copied to the GPU, one after the other.
type words struct{ data []byte }

func (w *words) put(v int32) { w.data = binary.LittleEndian.AppendUint32(w.data, uint32(v)) }
func (w *words) float(v float32) {
	w.data = binary.LittleEndian.AppendUint32(w.data, math.Float32bits(v))
}

// column appends an array and what stands in the rows beyond it.
func (w *words) column(values []int32, rows int, beyond func(t int) int32) {
	for _, v := range values {
		w.put(v)
	}
	for t := len(values); t < rows; t++ {
		w.put(beyond(t))
	}
}

func constant(v int32) func(int) int32 { return func(int) int32 { return v } }

// rowsOfBatch appends the columns of a batch. Rows beyond it are documents of one
// token with the id 0, of no sample. With linked, rows with the same id are linked; with
// shared, they have their shares.
func (w *words) rowsOfBatch(b *graph.Batch, rows int, linked, shared bool) {
	w.column(b.ID, rows, constant(0))
	w.column(b.Position, rows, constant(0))
	w.column(b.DocStart, rows, func(t int) int32 { return int32(t) })
	w.column(b.DocEnd, rows, func(t int) int32 { return int32(t + 1) })
	w.column(b.Sample, rows, constant(-1))
	var shares []float64
	if shared {
		shares = b.Shares()
	}
	for _, s := range shares {
		w.float(float32(s))
	}
	for range rows - len(shares) {
		w.float(0)
	}
	first, next := make([]int32, rows), make([]int32, rows)
	if linked {
		kernelrows.Chains(first, next, b.ID)
	}
	w.column(first, rows, nil)
	w.column(next, rows, nil)
}

// A prediction is a row whose next token is predicted.
type prediction struct {
	row    int
	target int32
	weight float32
}

// supervised lists the predictions of a batch that have a weight.
func supervised(b *graph.Batch) []prediction {
	var out []prediction
	for t, w := range b.Weight {
		if w != 0 {
			out = append(out, prediction{t - 1, b.ID[t], w})
		}
	}
	return out
}

// following lists the predictions of all tokens but the first of each document.
func following(b *graph.Batch) []prediction {
	var out []prediction
	for t, p := range b.Position {
		if p > 0 {
			out = append(out, prediction{t - 1, b.ID[t], 1})
		}
	}
	return out
}

// predictionsOf appends the arrays of predictions, n of each.
func (w *words) predictionsOf(b *graph.Batch, list []prediction, n int) {
	column := func(f func(p prediction) int32, beyond int32) {
		for _, p := range list {
			w.put(f(p))
		}
		for range n - len(list) {
			w.put(beyond)
		}
	}
	column(func(p prediction) int32 { return int32(p.row) }, -1)
	column(func(p prediction) int32 { return p.target }, 0)
	for i := range n {
		if i < len(list) {
			w.float(list[i].weight)
		} else {
			w.float(0)
		}
	}
	column(func(p prediction) int32 { return b.Position[p.row] }, 0)
	column(func(p prediction) int32 { return b.Sample[p.row] }, 0)
}

// columnsAt are the addresses of the arrays of rowsOfBatch at an address.
func columnsAt(at device.Pointer, rows int) columns {
	next := func() device.Pointer {
		p := at
		at = at.Offset(int64(rows) * 4)
		return p
	}
	return columns{id: next(), position: next(), docStart: next(), docEnd: next(), sample: next(), share: next(), first: next(), next: next()}
}

// predictionsAt are the addresses of the arrays of predictionsOf at an address.
func predictionsAt(at device.Pointer, n int) predictions {
	next := func() device.Pointer {
		p := at
		at = at.Offset(int64(n) * 4)
		return p
	}
	return predictions{count: n, row: next(), target: next(), weight: next(), position: next(), sample: next()}
}

// part are n predictions from the one at from on.
func (p predictions) part(from, n int) predictions {
	skip := int64(from) * 4
	return predictions{
		count: n, row: p.row.Offset(skip), target: p.target.Offset(skip), weight: p.weight.Offset(skip),
		position: p.position.Offset(skip), sample: p.sample.Offset(skip),
	}
}

// batchBytes is the memory of a batch's arrays on up to rows rows.
func batchBytes(rows int) int64 { return int64(rows) * 4 * (columnWords + predictionWords) }

// upload copies a batch and its predictions to the GPU.
func (e *Engine) upload(b *graph.Batch, list []prediction) (rows int, c columns, p predictions) {
	rows = bucket(b.Tokens())
	n := bucket(max(1, len(list)))
	if len(list) == 0 {
		n = 0
	}
	var w words
	w.data = e.staging.next()[:0]
	w.rowsOfBatch(b, rows, e.linksRows, e.g.Balanced())
	w.predictionsOf(b, list, n)
	e.q.At("the batch")
	e.staging.send(e.q, e.at(e.batchSpan), w.data)
	at := e.at(e.batchSpan)
	return rows, columnsAt(at, rows), predictionsAt(at.Offset(int64(rows)*4*columnWords), n)
}
