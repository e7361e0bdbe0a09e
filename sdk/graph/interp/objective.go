package interp

import "math"

// LogProbs is, for each token, the log-probability of it after those before it
// in its document, after Forward or Step; 0 at a document's first.
func (r *Run) LogProbs() []float64 { return r.logProbs }

// Loss is the cross-entropy, after Forward or Step.
func (r *Run) Loss() float64 { return r.loss }

// Balance is what the balancing losses of the routes that were run add to it, after
// Forward or Step; see graph.Route.
func (r *Run) Balance() float64 {
	sum := 0.0
	for _, b := range r.balances {
		sum += b
	}
	return sum
}

// objective computes the log-probabilities and the weighted cross-entropy.
func (r *Run) objective() {
	v := r.g.Vocabulary()
	logits := r.values[r.g.Logits]
	r.logProbs = make([]float64, r.batch.Tokens())
	r.loss = 0
	for t, id := range r.batch.ID {
		if r.batch.Position[t] > 0 {
			row := logits[(t-1)*v : t*v]
			r.logProbs[t] = row[id] - logSumExp(row)
			r.loss -= float64(r.batch.Weight[t]) * r.logProbs[t]
		}
	}
}

// objectiveBackward is the gradient by the logits: weight·(softmax − one-hot), in
// the row before the token.
func (r *Run) objectiveBackward() {
	v := r.g.Vocabulary()
	logits := r.values[r.g.Logits]
	gradient := make([]float64, len(logits))
	for t, id := range r.batch.ID {
		w := float64(r.batch.Weight[t])
		if w == 0 {
			continue
		}
		row, d := logits[(t-1)*v:t*v], gradient[(t-1)*v:t*v]
		total := logSumExp(row)
		for i, x := range row {
			d[i] += r.sign(-1, "softmax", 0) * w * math.Exp(x-total)
		}
		d[id] -= r.sign(-1, "one_hot", 0) * w
	}
	r.gradients[r.g.Logits] = r.round(r.g.Logits, gradient)
}

func logSumExp(row []float64) float64 {
	largest := math.Inf(-1)
	for _, x := range row {
		largest = math.Max(largest, x)
	}
	sum := 0.0
	for _, x := range row {
		sum += math.Exp(x - largest)
	}
	return largest + math.Log(sum)
}
