package interp

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

// sharesOf are a document's f: how often each expert is among those chosen for its
// tokens, by how often it would be if all were equally often.
func sharesOf(o *graph.Route, indices []float64, start, end int) []float64 {
	out := make([]float64, o.Experts)
	for _, e := range indices[start*o.TopK : end*o.TopK] {
		out[int(e)] += float64(o.Experts) / float64(o.TopK*(end-start))
	}
	return out
}

// normalised are a token's s': the softmax of its logits, or their sigmoids by the
// sum of these.
func normalised(o *graph.Route, logits []float64) []float64 {
	standing := logits
	if o.Sigmoid { // a softmax of the sigmoids' logarithms, which do not vanish
		standing = make([]float64, len(logits))
		for i, x := range logits {
			standing[i] = math.Min(x, 0) - math.Log1p(math.Exp(-math.Abs(x)))
		}
	}
	out, total := make([]float64, len(logits)), logSumExp(standing)
	for i, x := range standing {
		out[i] = math.Exp(x - total)
	}
	return out
}

// balance is the sum of a route's balancing losses over the documents, each times the
// sum of the weights of its predictions:
//
//	Σ_t share_t · Balance · Σ_i f_i·s'_{t,i}
//
// with share_t the document's weight by its number of tokens.
func (r *Run) balance(o *graph.Route, logits, indices []float64) float64 {
	sum := 0.0
	r.eachBalanced(o, logits, indices, func(_ int, share float64, f, s []float64) {
		for i := range s {
			sum += share * o.Balance * f[i] * s[i]
		}
	})
	return sum
}

// balanceBackward, f held fixed:
//
//	softmax: dx_i = share · Balance · s'_i·(f_i − Σ f·s');  sigmoid: that times 1 − σ(x_i)
func (r *Run) balanceBackward(o *graph.Route, logits, indices []float64) []float64 {
	d := make([]float64, len(logits))
	r.eachBalanced(o, logits, indices, func(t int, share float64, f, s []float64) {
		mean := 0.0
		for i := range s {
			mean += f[i] * s[i]
		}
		for i := range s {
			at := t*o.Experts + i
			d[at] = share * o.Balance * s[i] * (f[i] - mean)
			if o.Sigmoid {
				d[at] /= 1 + math.Exp(logits[at])
			}
		}
	})
	return d
}

// eachBalanced calls each with the tokens of documents that have a weight, their shares,
// the shares of experts and the normalised scores.
func (r *Run) eachBalanced(o *graph.Route, logits, indices []float64, each func(t int, share float64, f, s []float64)) {
	shares := r.batch.Shares()
	for start := 0; start < len(shares); {
		end := int(r.batch.DocEnd[start])
		if shares[start] != 0 {
			f := sharesOf(o, indices, start, end)
			for t := start; t < end; t++ {
				each(t, shares[t], f, normalised(o, logits[t*o.Experts:(t+1)*o.Experts]))
			}
		}
		start = end
	}
}
