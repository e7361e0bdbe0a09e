package engine

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

// The balancing losses of a route, which training adds to the objective; graph.Route
// defines them. With f the shares of a token's document, s' its scores divided by their
// sum, and share_t the document's weight by its number of tokens,
//
//	loss = Σ_t share_t · Balance · Σ_i f_i·s'_{t,i}
//	dx_i = share_t · Balance · s'_i·(f_i − Σ f·s'), with sigmoids times 1 − σ(x_i)

// auxWidth: f, which stands in the row of a document's first token, and each token's loss.
func (k *routeKernel) auxWidth() int {
	if !graph.Balances(k.op) || !k.e.phases.Train {
		return 0
	}
	return k.op.Experts + 1
}

// balance takes the losses of a micro-batch, and leaves f for the backward step.
func (k *routeKernel) balance(c *call) {
	n, experts := c.rows.len(), k.op.Experts
	k.share(c)
	losses := c.aux[n*experts:]
	k.e.eachRow(n, func(from, to int) {
		r := k.router()
		for t := from; t < to; t++ {
			losses[t] = 0
			if share := c.rows.shares[t]; share != 0 {
				losses[t] = float32(share * k.op.Balance * r.load(c.in[0][t*experts:(t+1)*experts], c.shareOf(t, experts)))
			}
		}
	})
	k.loss = 0
	for _, l := range losses {
		k.loss += float64(l)
	}
}

// share fills in f: how often each expert was chosen for a document's tokens, by how often
// it would be if all were equally often.
func (k *routeKernel) share(c *call) {
	experts, top := k.op.Experts, k.op.TopK
	k.e.eachRow(c.rows.len(), func(from, to int) {
		for t := from; t < to; t++ {
			if int(c.rows.docStart[t]) != t || c.rows.shares[t] == 0 {
				continue
			}
			end, f := int(c.rows.docEnd[t]), c.shareOf(t, experts)
			clear(f)
			for _, e := range c.out[0][t*top : end*top] {
				f[int(e)]++
			}
			each := float64(experts) / float64(top*(end-t))
			for e, count := range f {
				f[e] = float32(each * float64(count))
			}
		}
	})
}

// shareOf is f of the document of token t.
func (c *call) shareOf(t, experts int) []float32 {
	start := int(c.rows.docStart[t])
	return c.aux[start*experts : (start+1)*experts]
}

// load fills all in with a token's s', and returns Σ f·s'.
func (r *router) load(logits, f []float32) float64 {
	for e, x := range logits {
		r.all[e] = float64(x)
		if r.k.op.Sigmoid { // its logarithm, which does not vanish
			r.all[e] = math.Min(float64(x), 0) - math.Log1p(math.Exp(-math.Abs(float64(x))))
		}
	}
	exponentials(r.all)
	sum := 0.0
	for e, s := range r.all {
		sum += float64(f[e]) * s
	}
	return sum
}

// addBalance adds the gradient of factor·Σ f·s' to d.
func (r *router) addBalance(d, logits, f []float32, factor float64) {
	mean := r.load(logits, f)
	for e, s := range r.all {
		slope := factor * s * (float64(f[e]) - mean)
		if r.k.op.Sigmoid {
			slope /= 1 + math.Exp(float64(logits[e]))
		}
		d[e] += float32(slope)
	}
}
