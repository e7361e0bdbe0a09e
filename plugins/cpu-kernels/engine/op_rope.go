package engine

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

// ropeKernel rotates pairs of columns by the token's position.
type ropeKernel struct {
	base
	op    *graph.RoPE
	width int
}

func newRoPE(b base, o *graph.RoPE) *ropeKernel {
	return &ropeKernel{base: b, op: o, width: b.inWidth(0)}
}

func (k *ropeKernel) forward(c *call) { k.rotate(c, c.in[0], c.out[0], 1, false) }

// backward rotates back.
func (k *ropeKernel) backward(c *call) { k.rotate(c, c.dOut[0], c.dIn[0], -1, c.accumulate[0]) }

func (k *ropeKernel) rotate(c *call, x, y []float32, sign float64, accumulate bool) {
	half, head := len(k.op.Freq), k.width/k.op.Heads
	k.e.eachRow(c.rows.len(), func(from, to int) {
		cos, sin := make([]float32, half), make([]float32, half)
		turned := make([]float32, head)
		for t := from; t < to; t++ {
			for i, f := range k.op.Freq {
				s, co := math.Sincos(float64(float32(c.rows.position[t]) * f))
				cos[i], sin[i] = float32(co)*k.op.Factor, float32(sign*s)*k.op.Factor
			}
			for h := range k.op.Heads {
				at := t*k.width + h*head
				k.turn(x[at:at+head], turned, cos, sin)
				store(y[at:at+head], turned, accumulate)
			}
		}
	})
}

func (k *ropeKernel) turn(x, y, cos, sin []float32) {
	copy(y, x)
	half := len(cos)
	for i, co := range cos {
		a, b := k.op.Offset+i, k.op.Offset+i+half
		if k.op.Interleaved {
			a, b = k.op.Offset+2*i, k.op.Offset+2*i+1
		}
		y[a], y[b] = x[a]*co-x[b]*sin[i], x[b]*co+x[a]*sin[i]
	}
}
