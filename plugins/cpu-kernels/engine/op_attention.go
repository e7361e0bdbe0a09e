package engine

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

// attentionKernel is causal attention within documents. Scores are computed for
// a block of queries at a time and never kept; the log-sum-exp of each row and
// head is, for the backward pass.
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

// scores are the capped scores of query q over keys, of which key i of kv head
// is keys(i), and the log of the sum of their exponentials.
func (k *attentionKernel) scores(s, q []float32, h int, key func(i int) []float32) (logSum float64) {
	scale, limit := float32(k.op.Scale), float32(k.op.Cap)
	largest := math.Inf(-1)
	sink, hasSink := k.sinkOf(h)
	if hasSink {
		largest = sink
	}
	for i := range s {
		v := dot(q, key(i)) * scale
		if limit > 0 {
			v = limit * float32(math.Tanh(float64(v/limit)))
		}
		s[i] = v
		largest = math.Max(largest, float64(v))
	}
	sum := 0.0
	if hasSink {
		sum = math.Exp(sink - largest)
	}
	for _, v := range s {
		sum += math.Exp(float64(v) - largest)
	}
	return largest + math.Log(sum)
}

func (k *attentionKernel) forward(c *call) {
	if c.cache != nil {
		k.continued(c)
		return
	}
	n, o := c.rows.len(), k.op
	k.eachHead(n, func(h, from, to int) {
		scores := make([]float32, n)
		kv := h * o.KVHeads / o.Heads
		for t := from; t < to; t++ {
			start := int(c.rows.docStart[t])
			first := start + k.first(int(c.rows.position[t]))
			s := scores[:t-first+1]
			key := func(i int) []float32 { return headOf(c.in[1], first+i, kv, o.KVHeads, o.KeyWidth) }
			logSum := k.scores(s, headOf(c.in[0], t, h, o.Heads, o.KeyWidth), h, key)
			c.aux[t*o.Heads+h] = float32(logSum)
			y := headOf(c.out[0], t, h, o.Heads, o.ValueWidth)
			clear(y)
			for i, v := range s {
				p := float32(math.Exp(float64(v) - logSum))
				addTo(y, headOf(c.in[2], first+i, kv, o.KVHeads, o.ValueWidth), p)
			}
		}
	})
}

// headOf is the columns of a head in row t of x.
func headOf(x []float32, t, h, heads, width int) []float32 {
	at := (t*heads + h) * width
	return x[at : at+width]
}

// eachHead runs f over pieces of queries of each head.
func (k *attentionKernel) eachHead(n int, f func(h, from, to int)) {
	pieces := (n + rowChunk - 1) / rowChunk
	k.e.pool.Run(pieces*k.op.Heads, func(i int) {
		from := i % pieces * rowChunk
		f(i/pieces, from, min(n, from+rowChunk))
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
	k.eachHead(n, func(h, from, to int) {
		kv := h * o.KVHeads / o.Heads
		for t := from; t < to; t++ {
			p, sequence := int(c.rows.position[t]), int(c.rows.sample[t])
			first := k.first(p)
			s := make([]float32, p-first+1)
			keys, values := c.cache.rows(k.node, 0, sequence), c.cache.rows(k.node, 1, sequence)
			key := func(i int) []float32 { return headOf(keys, first+i, kv, o.KVHeads, o.KeyWidth) }
			logSum := k.scores(s, headOf(c.in[0], t, h, o.Heads, o.KeyWidth), h, key)
			y := headOf(c.out[0], t, h, o.Heads, o.ValueWidth)
			clear(y)
			for i, v := range s {
				p := float32(math.Exp(float64(v) - logSum))
				addTo(y, headOf(values, first+i, kv, o.KVHeads, o.ValueWidth), p)
			}
		}
	})
}

// backward: with p the probabilities and δ = dy·y,
// dv = Σ p·dy; ds = p·(dy·v − δ)·c'(s); dq = scale·Σ ds·k; dk = scale·Σ ds·q;
// d(sink) = −p(sink)·δ.
//
// Pieces are kv heads of one document each: no two write to the same place.
func (k *attentionKernel) backward(c *call) {
	documents := documentsOf(c.rows)
	o := k.op
	k.e.pool.Run(len(documents)*o.KVHeads, func(i int) {
		d := documents[i/o.KVHeads]
		k.document(c, d[0], d[1], i%o.KVHeads)
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

func (k *attentionKernel) document(c *call, start, end, kv int) {
	o := k.op
	n, group := end-start, o.Heads/o.KVHeads
	dk, dv := make([]float32, n*o.KeyWidth), make([]float32, n*o.ValueWidth)
	dq := make([]float32, o.KeyWidth)
	scale, limit := float32(o.Scale), float32(o.Cap)
	for h := kv * group; h < (kv+1)*group; h++ {
		for t := start; t < end; t++ {
			q, dy := headOf(c.in[0], t, h, o.Heads, o.KeyWidth), headOf(c.dOut[0], t, h, o.Heads, o.ValueWidth)
			delta, logSum := k.delta(c, t, h), float64(c.aux[t*o.Heads+h])
			clear(dq)
			for j := start + k.first(int(c.rows.position[t])); j <= t; j++ {
				key := headOf(c.in[1], j, kv, o.KVHeads, o.KeyWidth)
				s, slope := dot(q, key)*scale, float32(1)
				if limit > 0 {
					tanh := float32(math.Tanh(float64(s / limit)))
					s, slope = limit*tanh, 1-tanh*tanh
				}
				p := float32(math.Exp(float64(s) - logSum))
				ds := p * (dot(dy, headOf(c.in[2], j, kv, o.KVHeads, o.ValueWidth)) - delta) * slope * scale
				addTo(dv[(j-start)*o.ValueWidth:(j-start+1)*o.ValueWidth], dy, p)
				addTo(dk[(j-start)*o.KeyWidth:(j-start+1)*o.KeyWidth], q, ds)
				addTo(dq, key, ds)
			}
			if c.dIn[0] != nil {
				store(headOf(c.dIn[0], t, h, o.Heads, o.KeyWidth), dq, c.accumulate[0])
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
