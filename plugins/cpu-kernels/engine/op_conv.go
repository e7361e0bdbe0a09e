package engine

import "github.com/honeml/hone/sdk/graph"

// convKernel is the short causal depthwise convolution.
type convKernel struct {
	base
	op    *graph.Conv
	width int
}

// tap is column c's weight for the token d before.
func (k *convKernel) tap(w []float32, c, d int) float32 {
	return w[c*k.op.Kernel+k.op.Kernel-1-d]
}

func (k *convKernel) forward(c *call) {
	w, bias := k.e.vector(k.op.Weight), k.e.vector(k.op.Bias)
	if c.cache != nil {
		k.continued(c, w, bias)
		return
	}
	k.e.eachRow(c.rows.len(), func(from, to int) {
		for t := from; t < to; t++ {
			y := c.out[0][t*k.width : (t+1)*k.width]
			clear(y)
			if bias != nil {
				copy(y, bias)
			}
			for d := 0; d < k.op.Kernel && d <= int(c.rows.position[t]); d++ {
				for i, v := range c.in[0][(t-d)*k.width : (t-d+1)*k.width] {
					y[i] += k.tap(w, i, d) * v
				}
			}
		}
	})
}

// continued is forward where earlier tokens are in the cache.
func (k *convKernel) continued(c *call, w, bias []float32) {
	for t := range c.rows.len() {
		c.cache.put(k.node, 0, t, c.rows, c.in[0][t*k.width:(t+1)*k.width])
	}
	for t := range c.rows.len() {
		y := c.out[0][t*k.width : (t+1)*k.width]
		clear(y)
		if bias != nil {
			copy(y, bias)
		}
		for d := 0; d < k.op.Kernel && d <= int(c.rows.position[t]); d++ {
			for i, v := range c.cache.get(k.node, 0, int(c.rows.sample[t]), int(c.rows.position[t])-d) {
				y[i] += k.tap(w, i, d) * v
			}
		}
	}
}

func (k *convKernel) backward(c *call) {
	w := k.e.vector(k.op.Weight)
	if c.dIn[0] != nil {
		k.e.eachRow(c.rows.len(), func(from, to int) {
			d := make([]float32, k.width)
			for t := from; t < to; t++ {
				clear(d)
				// Token t reaches those up to Kernel−1 behind it in its document.
				for s := 0; s < k.op.Kernel && t+s < int(c.rows.docEnd[t]); s++ {
					for i, v := range c.dOut[0][(t+s)*k.width : (t+s+1)*k.width] {
						d[i] += k.tap(w, i, s) * v
					}
				}
				store(c.dIn[0][t*k.width:(t+1)*k.width], d, c.accumulate[0])
			}
		})
	}
	k.params(c)
}

func (k *convKernel) params(c *call) {
	if k.trains(k.op.Weight) {
		dw := k.e.gradient(k.op.Weight)
		k.e.eachColumn(k.width, func(from, to int) {
			for t := range c.rows.len() {
				for d := 0; d < k.op.Kernel && d <= int(c.rows.position[t]); d++ {
					for i := from; i < to; i++ {
						dw[i*k.op.Kernel+k.op.Kernel-1-d] += c.dOut[0][t*k.width+i] * c.in[0][(t-d)*k.width+i]
					}
				}
			}
		})
	}
	if k.trains(k.op.Bias) {
		k.e.columnSums(k.e.gradient(k.op.Bias), c.dOut[0], k.width, 1)
	}
}

// columnSums adds factor times the sum of the rows of x, [n, width], to dst.
func (e *Engine) columnSums(dst, x []float32, width int, factor float32) {
	e.eachColumn(width, func(from, to int) {
		for at := 0; at < len(x); at += width {
			addTo(dst[from:to], x[at+from:at+to], factor)
		}
	})
}
