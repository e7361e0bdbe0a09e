package engine

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

// adamState is AdamW's state (Loshchilov and Hutter, 2019; kernels.Optimizer has
// the formulas). Steps are counted from 1 by the host's numbers; one that was
// skipped counts nowhere.
type adamState struct {
	first, second [][]float32 // moments, by trainable parameter
	updates       int64       // done so far: Adam's t
	weight        float64     // the sum of weights that gradients of this step are divided by
}

// chunk is how many elements a piece of work has in the optimizer.
const chunk = 1 << 14

// gradNorm is the norm of the gradient of the mean loss. Sums are taken piece by
// piece, in float64, and the pieces in order.
func (e *Engine) gradNorm() float64 {
	total := 0.0
	for _, g := range e.grads {
		pieces := make([]float64, (len(g)+chunk-1)/chunk)
		e.pool.Run(len(pieces), func(i int) {
			sum := 0.0
			for _, v := range g[i*chunk : min(len(g), (i+1)*chunk)] {
				sum += float64(v) * float64(v)
			}
			pieces[i] = sum
		})
		for _, p := range pieces {
			total += p
		}
	}
	return math.Sqrt(total) / e.adam.weight
}

// update moves every trainable parameter.
func (e *Engine) update(_ int64, rate, norm float64) {
	o := e.settings.Optimizer
	e.adam.updates++
	clear(e.norms)
	scale := 1 / e.adam.weight
	if o.MaxGradNorm > 0 {
		scale *= math.Min(1, o.MaxGradNorm/(norm+1e-6))
	}
	t := float64(e.adam.updates)
	u := adamUpdate{
		scale: float32(scale), beta1: float32(o.Beta1), beta2: float32(o.Beta2),
		rest1: float32(1 - o.Beta1), rest2: float32(1 - o.Beta2),
		decay: float32(1 - rate*o.WeightDecay), size: float32(rate / (1 - math.Pow(o.Beta1, t))),
		root: float32(1 / math.Sqrt(1-math.Pow(o.Beta2, t))), epsilon: float32(o.Epsilon),
	}
	for _, p := range e.g.Trainable() {
		w := e.params[p.ID].f32
		g, m, v := e.grads[p.ID], e.adam.first[p.ID], e.adam.second[p.ID]
		e.pool.Run((len(w)+chunk-1)/chunk, func(i int) {
			from, to := i*chunk, min(len(w), (i+1)*chunk)
			u.apply(w[from:to], g[from:to], m[from:to], v[from:to])
		})
	}
}

// An adamUpdate holds what is the same for all elements of a step.
type adamUpdate struct {
	scale        float32 // of the summed gradient
	beta1, beta2 float32
	rest1, rest2 float32 // 1 − β
	decay        float32 // 1 − η·λ
	size         float32 // η/(1−β₁ᵗ)
	root         float32 // 1/√(1−β₂ᵗ)
	epsilon      float32
}

func (u adamUpdate) apply(w, g, m, v []float32) {
	for i := range w {
		d := g[i] * u.scale
		m[i] = u.beta1*m[i] + u.rest1*d
		v[i] = u.beta2*v[i] + u.rest2*d*d
		w[i] = w[i]*u.decay - u.size*m[i]/(float32(math.Sqrt(float64(v[i])))*u.root+u.epsilon)
	}
}

// Gradient is the gradient of the last step's mean loss by a parameter, before
// clipping.
func (e *Engine) gradientOfMean(id graph.ParamID) []float32 {
	out := make([]float32, len(e.grads[id]))
	for i, g := range e.grads[id] {
		out[i] = float32(float64(g) / e.adam.weight)
	}
	return out
}
