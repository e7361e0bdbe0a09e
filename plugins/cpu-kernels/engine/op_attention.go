package engine

import (
	"math"

	"github.com/honeml/hone/plugins/cpu-kernels/gemm"
	"github.com/honeml/hone/plugins/cpu-kernels/vecmath"
	"github.com/honeml/hone/sdk/graph"
)

// attentionKernel is causal attention within documents. Scores exist for a block
// of queries of one head at a time and are never kept; the log-sum-exp of each row
// and head is, for the backward pass.
type attentionKernel struct {
	base
	op *graph.Attention
}

func newAttention(b base, o *graph.Attention) *attentionKernel {
	return &attentionKernel{base: b, op: o}
}

// auxWidth: a log-sum-exp for each head.
func (k *attentionKernel) auxWidth() int { return k.op.Heads }

// first is the first key that the query at position p sees.
func (k *attentionKernel) first(p int) int {
	f := 0
	if k.op.Window > 0 {
		f = max(f, p-k.op.Window+1)
	}
	if k.op.Chunk > 0 {
		f = max(f, p/k.op.Chunk*k.op.Chunk)
	}
	return f
}

// sinkOf is the sink of a head, and whether there is one.
func (k *attentionKernel) sinkOf(h int) (float64, bool) {
	sinks := k.e.vector(k.op.Sinks)
	if sinks == nil {
		return 0, false
	}
	return float64(sinks[h]), true
}

// columns is the columns of one head in the rows [from, to) of x.
func columns(x []float32, from, to, h, heads, width int) gemm.Matrix {
	return gemm.Float32(x[from*heads*width+h*width:], to-from, width, heads*width)
}

// headOf is the columns of a head in row t of x.
func headOf(x []float32, t, h, heads, width int) []float32 {
	at := (t*heads + h) * width
	return x[at : at+width]
}

// queryBlock is how many queries are computed together.
const queryBlock = 32

// A piece is some queries of one document, rows [from, to), that begins at row
// start.
type piece struct{ start, from, to int }

// pieces cuts documents into blocks of queries.
func pieces(r rows) []piece {
	var out []piece
	for t := 0; t < r.len(); {
		end := int(r.docEnd[t])
		for from := t; from < end; from += queryBlock {
			out = append(out, piece{t, from, min(end, from+queryBlock)})
		}
		t = end
	}
	return out
}

// A block is one piece's attention for one head: scores, then probabilities, of
// its queries over the keys of rows [first, to).
type block struct {
	k     *attentionKernel
	m     *gemm.Multiplier
	c     *call
	p     piece
	h, kv int
	first int       // the first row that any query sees
	keys  int       // to − first
	s     []float32 // [queries, keys]
	slope []float32 // derivative of the cap, where there is one
}

func (k *attentionKernel) block(c *call, m *gemm.Multiplier, p piece, h int) *block {
	b := &block{k: k, m: m, c: c, p: p, h: h, kv: h * k.op.KVHeads / k.op.Heads}
	// Positions grow within a piece, and so does the first key that is seen.
	b.first = p.start + k.first(int(c.rows.position[p.from]))
	b.keys = p.to - b.first
	b.s = make([]float32, (p.to-p.from)*b.keys)
	return b
}

func (b *block) queries() int { return b.p.to - b.p.from }

func (b *block) scores() gemm.Matrix { return gemm.Float32(b.s, b.queries(), b.keys, b.keys) }

// score computes the capped scores of the block.
func (b *block) score(withSlope bool) {
	o := b.k.op
	q := columns(b.c.in[0], b.p.from, b.p.to, b.h, o.Heads, o.KeyWidth)
	keys := columns(b.c.in[1], b.first, b.p.to, b.kv, o.KVHeads, o.KeyWidth)
	b.m.Multiply(b.scores(), q, keys.T(), float32(o.Scale))
	if o.Cap == 0 {
		return
	}
	if withSlope {
		b.slope = make([]float32, len(b.s))
	}
	limit := float32(o.Cap)
	vecmath.Scale(b.s, b.s, 1/limit)
	vecmath.Tanh(b.s, b.s)
	for i := range b.slope {
		b.slope[i] = 1 - b.s[i]*b.s[i]
	}
	vecmath.Scale(b.s, b.s, limit)
}

// row is the scores of query t and where the keys that it sees begin and end.
func (b *block) row(t int) (s []float32, from, to int) {
	s = b.s[(t-b.p.from)*b.keys : (t-b.p.from+1)*b.keys]
	from = b.p.start + b.k.first(int(b.c.rows.position[t])) - b.first
	return s, from, t + 1 - b.first
}

// softmax turns the scores of query t into probabilities, 0 for what it does not
// see, and returns the log of the sum of exponentials.
func (b *block) softmax(t int) float64 {
	s, from, to := b.row(t)
	clear(s[:from])
	clear(s[to:])
	seen := s[from:to]
	largest := vecmath.Largest(seen)
	sink, hasSink := b.k.sinkOf(b.h)
	if hasSink {
		largest = max(largest, float32(sink))
	}
	sum := vecmath.ExpSum(seen, seen, largest)
	if hasSink {
		sum += math.Exp(sink - float64(largest))
	}
	vecmath.Scale(seen, seen, float32(1/sum))
	return float64(largest) + math.Log(sum)
}

// probabilities turns the scores of query t into probabilities, given their
// log-sum-exp.
func (b *block) probabilities(t int, logSum float32) {
	s, from, to := b.row(t)
	clear(s[:from])
	clear(s[to:])
	vecmath.ExpSum(s[from:to], s[from:to], logSum)
}

func (k *attentionKernel) forward(c *call) {
	if c.cache != nil {
		k.continued(c)
		return
	}
	o := k.op
	all := pieces(c.rows)
	k.e.pool.RunOn(len(all)*o.Heads, func(worker, i int) {
		b := k.block(c, k.e.each[worker], all[i/o.Heads], i%o.Heads)
		b.score(false)
		for t := b.p.from; t < b.p.to; t++ {
			c.aux[t*o.Heads+b.h] = float32(b.softmax(t))
		}
		values := columns(c.in[2], b.first, b.p.to, b.kv, o.KVHeads, o.ValueWidth)
		b.m.Multiply(columns(c.out[0], b.p.from, b.p.to, b.h, o.Heads, o.ValueWidth), b.scores(), values, 1)
	})
}

// continued is forward where the keys and values of earlier tokens are in the
// cache: row t is the token at its position of the sequence rows.sample[t].
func (k *attentionKernel) continued(c *call) {
	n, o := c.rows.len(), k.op
	kw, vw := o.KVHeads*o.KeyWidth, o.KVHeads*o.ValueWidth
	for t := range n {
		c.cache.put(k.node, 0, t, c.rows, c.in[1][t*kw:(t+1)*kw])
		c.cache.put(k.node, 1, t, c.rows, c.in[2][t*vw:(t+1)*vw])
	}
	k.e.pool.Run(n*o.Heads, func(i int) {
		t, h := i/o.Heads, i%o.Heads
		k.one(c, t, h)
	})
}

// one is the attention of a single query over the cache.
func (k *attentionKernel) one(c *call, t, h int) {
	o := k.op
	kv, p, sequence := h*o.KVHeads/o.Heads, int(c.rows.position[t]), int(c.rows.sample[t])
	first := k.first(p)
	keys, values := c.cache.rows(k.node, 0, sequence), c.cache.rows(k.node, 1, sequence)
	q := headOf(c.in[0], t, h, o.Heads, o.KeyWidth)
	s := make([]float32, p-first+1)
	limit := float32(o.Cap)
	for j := range s {
		s[j] = dot(q, headOf(keys, first+j, kv, o.KVHeads, o.KeyWidth)) * float32(o.Scale)
		if limit > 0 {
			s[j] = limit * float32(math.Tanh(float64(s[j]/limit)))
		}
	}
	largest := vecmath.Largest(s)
	sink, hasSink := k.sinkOf(h)
	if hasSink {
		largest = max(largest, float32(sink))
	}
	sum := vecmath.ExpSum(s, s, largest)
	if hasSink {
		sum += math.Exp(sink - float64(largest))
	}
	y := headOf(c.out[0], t, h, o.Heads, o.ValueWidth)
	clear(y)
	for j, p := range s {
		addTo(y, headOf(values, first+j, kv, o.KVHeads, o.ValueWidth), float32(float64(p)/sum))
	}
}

// backward: with p the probabilities and δ = dy·y,
// dv = Σ p·dy; ds = p·(dy·v − δ)·c'(s); dq = scale·Σ ds·k; dk = scale·Σ ds·q;
// d(sink) = −p(sink)·δ.
//
// A piece of work is one kv head of one document: no two write to the same place.
func (k *attentionKernel) backward(c *call) {
	documents := documentsOf(c.rows)
	o := k.op
	k.e.pool.RunOn(len(documents)*o.KVHeads, func(worker, i int) {
		d := documents[i/o.KVHeads]
		k.document(c, k.e.each[worker], d[0], d[1], i%o.KVHeads)
	})
	if k.trains(o.Sinks) {
		k.sinks(c)
	}
}

// documentsOf lists where documents begin and end.
func documentsOf(r rows) [][2]int {
	var out [][2]int
	for t := 0; t < r.len(); t = int(r.docEnd[t]) {
		out = append(out, [2]int{t, int(r.docEnd[t])})
	}
	return out
}

// delta is δ of a row and head: dy·y.
func (k *attentionKernel) delta(c *call, t, h int) float32 {
	o := k.op
	return dot(headOf(c.dOut[0], t, h, o.Heads, o.ValueWidth), headOf(c.out[0], t, h, o.Heads, o.ValueWidth))
}

// document computes the gradients of a kv head's keys and values in a document
// and of the queries that read them.
func (k *attentionKernel) document(c *call, m *gemm.Multiplier, start, end, kv int) {
	o := k.op
	n, group := end-start, o.Heads/o.KVHeads
	dk, dv := make([]float32, n*o.KeyWidth), make([]float32, n*o.ValueWidth)
	dq := make([]float32, queryBlock*o.KeyWidth)
	for h := kv * group; h < (kv+1)*group; h++ {
		for from := start; from < end; from += queryBlock {
			b := k.block(c, m, piece{start, from, min(end, from+queryBlock)}, h)
			b.back(dk, dv, dq)
			if c.dIn[0] == nil {
				continue
			}
			for t := b.p.from; t < b.p.to; t++ {
				d := dq[(t-from)*o.KeyWidth : (t-from+1)*o.KeyWidth]
				store(headOf(c.dIn[0], t, h, o.Heads, o.KeyWidth), d, c.accumulate[0])
			}
		}
	}
	for j := range n {
		if c.dIn[1] != nil {
			store(headOf(c.dIn[1], start+j, kv, o.KVHeads, o.KeyWidth), dk[j*o.KeyWidth:(j+1)*o.KeyWidth], c.accumulate[1])
		}
		if c.dIn[2] != nil {
			store(headOf(c.dIn[2], start+j, kv, o.KVHeads, o.ValueWidth), dv[j*o.ValueWidth:(j+1)*o.ValueWidth], c.accumulate[2])
		}
	}
}

// back adds the block's share to dk and dv, which begin at the document's first
// row, and writes the gradients of its queries to dq.
func (b *block) back(dk, dv, dq []float32) {
	o := b.k.op
	b.score(true)
	for t := b.p.from; t < b.p.to; t++ {
		b.probabilities(t, b.c.aux[t*o.Heads+b.h])
	}
	dy := columns(b.c.dOut[0], b.p.from, b.p.to, b.h, o.Heads, o.ValueWidth)
	values := columns(b.c.in[2], b.first, b.p.to, b.kv, o.KVHeads, o.ValueWidth)
	ds := make([]float32, len(b.s))
	dp := gemm.Float32(ds, b.queries(), b.keys, b.keys)
	b.m.Multiply(dp, dy, values.T(), 1)
	at := b.first - b.p.start
	b.m.MultiplyAdd(floats(dv[at*o.ValueWidth:], b.keys, o.ValueWidth), b.scores().T(), dy, 1)
	for t := b.p.from; t < b.p.to; t++ {
		delta := b.k.delta(b.c, t, b.h)
		row := (t - b.p.from) * b.keys
		for i := row; i < row+b.keys; i++ {
			ds[i] = b.s[i] * (ds[i] - delta)
			if b.slope != nil {
				ds[i] *= b.slope[i]
			}
		}
	}
	q := columns(b.c.in[0], b.p.from, b.p.to, b.h, o.Heads, o.KeyWidth)
	keys := columns(b.c.in[1], b.first, b.p.to, b.kv, o.KVHeads, o.KeyWidth)
	scale := float32(o.Scale)
	b.m.MultiplyAdd(floats(dk[at*o.KeyWidth:], b.keys, o.KeyWidth), dp.T(), q, scale)
	b.m.Multiply(floats(dq, b.queries(), o.KeyWidth), dp, keys, scale)
}

func (k *attentionKernel) sinks(c *call) {
	o := k.op
	sinks, d := k.e.vector(o.Sinks), k.e.gradient(o.Sinks)
	k.e.pool.Run(o.Heads, func(h int) {
		sum := 0.0
		for t := range c.rows.len() {
			p := math.Exp(float64(sinks[h]) - float64(c.aux[t*o.Heads+h]))
			sum -= p * float64(k.delta(c, t, h))
		}
		d[h] += float32(sum)
	})
}
