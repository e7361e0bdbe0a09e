package engine

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

// normKernel normalises each group of a row; statistics are summed in float64.
type normKernel struct {
	base
	op    *graph.Norm
	width int
}

// statistics are μ and 1/√(variance + ε) of a group.
func (k *normKernel) statistics(x []float32) (mean, inverse float32) {
	n := float64(len(x))
	mu := 0.0
	if k.op.Centre {
		for _, v := range x {
			mu += float64(v)
		}
		mu /= n
	}
	sum := 0.0
	for _, v := range x {
		d := float64(v) - mu
		sum += d * d
	}
	return float32(mu), float32(1 / math.Sqrt(sum/n+k.op.Epsilon))
}

// affine are the weight and bias as the row at column c of a group sees them;
// nil for none.
func (k *normKernel) affine(at int) (w, b []float32) {
	size := k.width / k.op.Groups
	part := func(id graph.ParamID) []float32 {
		p := k.e.vector(id)
		if len(p) > size {
			return p[at%k.width : at%k.width+size]
		}
		return p
	}
	return part(k.op.Weight), part(k.op.Bias)
}

func (k *normKernel) plus() float32 {
	if k.op.PlusOne {
		return 1
	}
	return 0
}

func (k *normKernel) forward(c *call) {
	size, plus := k.width/k.op.Groups, k.plus()
	k.e.eachRow(c.rows.len(), func(from, to int) {
		for at := from * k.width; at < to*k.width; at += size {
			x, y := c.in[0][at:at+size], c.out[0][at:at+size]
			mean, inverse := k.statistics(x)
			w, b := k.affine(at)
			for i, v := range x {
				v = (v - mean) * inverse
				if w != nil {
					v *= plus + w[i]
				}
				if b != nil {
					v += b[i]
				}
				y[i] = v
			}
		}
	})
}

// backward: with g = dy·w, dx = (g − x̂·mean(g·x̂) − mean(g))·inverse, the last
// mean for layer norms alone.
func (k *normKernel) backward(c *call) {
	if c.dIn[0] != nil {
		k.input(c)
	}
	if k.trains(k.op.Weight) || k.trains(k.op.Bias) {
		k.params(c)
	}
}

func (k *normKernel) input(c *call) {
	size, plus := k.width/k.op.Groups, k.plus()
	k.e.eachRow(c.rows.len(), func(from, to int) {
		g := make([]float32, size)
		for at := from * k.width; at < to*k.width; at += size {
			x, dy, dx := c.in[0][at:at+size], c.dOut[0][at:at+size], c.dIn[0][at:at+size]
			mean, inverse := k.statistics(x)
			w, _ := k.affine(at)
			var sum, product float64
			for i, d := range dy {
				if w != nil {
					d *= plus + w[i]
				}
				g[i] = d
				sum += float64(d)
				product += float64(d) * float64((x[i]-mean)*inverse)
			}
			m := float32(0)
			if k.op.Centre {
				m = float32(sum / float64(size))
			}
			p := float32(product / float64(size))
			for i, v := range g {
				d := (v - m - (x[i]-mean)*inverse*p) * inverse
				if c.accumulate[0] {
					d += dx[i]
				}
				dx[i] = d
			}
		}
	})
}

// params sums dw = Σ dy·x̂ and db = Σ dy over the rows, in their order.
func (k *normKernel) params(c *call) {
	size, groups, n := k.width/k.op.Groups, k.op.Groups, c.rows.len()
	means, inverses := make([]float32, n*groups), make([]float32, n*groups)
	k.e.eachRow(n, func(from, to int) {
		for g := from * groups; g < to*groups; g++ {
			means[g], inverses[g] = k.statistics(c.in[0][g*size : (g+1)*size])
		}
	})
	sum := func(id graph.ParamID, f func(at, group int) float32) {
		if !k.trains(id) {
			return
		}
		d := k.e.gradient(id)
		k.e.eachColumn(size, func(from, to int) {
			for g := range n * groups {
				shift := 0
				if len(d) > size {
					shift = g % groups * size
				}
				for i := from; i < to; i++ {
					d[shift+i] += f(g*size+i, g)
				}
			}
		})
	}
	x, dy := c.in[0], c.dOut[0]
	sum(k.op.Weight, func(at, g int) float32 { return dy[at] * ((x[at] - means[g]) * inverses[g]) })
	sum(k.op.Bias, func(at, _ int) float32 { return dy[at] })
}
