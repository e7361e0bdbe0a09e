package engine

import (
	"context"
	"math"
	"time"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/facts"
)

// Step does one optimizer step: every micro-batch forward and backward, the
// gradients summed, one update. Where the loss or the gradient is not finite,
// nothing is updated.
func (e *Engine) Step(ctx context.Context, s *kernels.Step) (*kernels.StepResult, error) {
	if err := e.loaded(); err != nil {
		return nil, err
	}
	if e.training == nil {
		return nil, fault.New(fault.OutOfOrder, "the plan has no train phase")
	}
	if s.Objective != kernels.CrossEntropy {
		return nil, fault.New(fault.Unsupported, "cpu-kernels does not know the objective %q", s.Objective)
	}
	begun := time.Now()
	r := &kernels.StepResult{Number: s.Number}
	for _, b := range s.Batches {
		if err := facts.CheckBatch(e.g, b, e.layout.tokens); err != nil {
			return nil, err
		}
		r.Weight += b.TotalWeight()
		r.Tokens += int64(b.Tokens())
	}
	if r.Weight == 0 {
		return nil, fault.New(fault.BadInput, "step %d has no token whose prediction has a weight", s.Number)
	}
	for _, g := range e.grads {
		clear(g)
	}
	balance := 0.0
	for _, b := range s.Batches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		loss := e.train(b, uint64(s.Number))
		r.BatchLosses = append(r.BatchLosses, loss)
		r.Loss += loss
		balance += e.balance()
	}
	e.adam.weight = r.Weight
	r.GradNorm = e.gradNorm()
	r.NotFinite = !finite(r.Loss) || !finite(r.GradNorm)
	if !r.NotFinite {
		e.update(s.Number, s.LearningRate, r.GradNorm)
	}
	r.Seconds = time.Since(begun).Seconds()
	r.Metrics = map[string]float64{"memory/planned_bytes": float64(e.totalBytes())}
	if e.g.Balanced() {
		r.Metrics[kernels.AuxLoss] = balance / r.Weight
	}
	return r, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// train runs a micro-batch forward and backward and returns its loss.
func (e *Engine) train(b *graph.Batch, step uint64) float64 {
	c := call{rows: rowsOf(b), training: true, step: step, adapter: e.settings.Adapter}
	if e.g.Balanced() {
		c.rows.shares = b.Shares()
	}
	loss, begun := 0.0, false
	for i := range e.training.steps {
		s := &e.training.steps[i]
		switch s.kind {
		case diff.Forward:
			s.kernel.forward(e.call(s, c))
		case diff.Loss:
			loss, begun = e.loss(c, b), true
		case diff.Backward:
			s.kernel.backward(e.call(s, c))
		}
	}
	if !begun { // nothing below the head is trained
		loss = e.loss(c, b)
	}
	return loss
}

// balance is the sum of the balancing losses of the last micro-batch.
func (e *Engine) balance() float64 {
	sum := 0.0
	for i := range e.training.steps {
		s := &e.training.steps[i]
		if s.kind == diff.Loss { // what is forward from here on is computed again
			break
		}
		if k, ok := s.kernel.(*routeKernel); ok {
			sum += k.loss
		}
	}
	return sum
}

// loss computes the objective and the gradient of the trunk's last value.
func (e *Engine) loss(c call, b *graph.Batch) float64 {
	n := b.Tokens()
	x, dx := e.slice(e.training.logits, n), e.slice(e.training.dLogits, n)
	clear(dx)
	losses := make([]float64, n)
	each := func(indices []int, logits, d []float32) {
		v := e.g.Vocabulary()
		e.pool.Run(len(indices), func(i int) {
			t := indices[i] + 1
			losses[t] = -float64(b.Weight[t]) * crossEntropy(logits[i*v:(i+1)*v], d[i*v:(i+1)*v], b.ID[t], b.Weight[t])
		})
	}
	if indices := predicting(b); e.head != nil {
		e.head.each(c, x, indices, dx, each)
	} else {
		e.wholeLoss(x, dx, indices, each)
	}
	total := 0.0
	for _, l := range losses {
		total += l
	}
	return total
}

// wholeLoss gives each the rows of logits that exist whole.
func (e *Engine) wholeLoss(x, dx []float32, indices []int, each func([]int, []float32, []float32)) {
	v := e.g.Vocabulary()
	for _, t := range indices {
		each([]int{t}, x[t*v:(t+1)*v], dx[t*v:(t+1)*v])
	}
}

// predicting lists the tokens whose next one has a weight.
func predicting(b *graph.Batch) []int {
	var out []int
	for t, w := range b.Weight {
		if w != 0 {
			out = append(out, t-1)
		}
	}
	return out
}

// Score gives each token's log-probability after those before it.
func (e *Engine) Score(ctx context.Context, adapter string, b *graph.Batch) ([]float32, error) {
	if err := e.loaded(); err != nil {
		return nil, err
	}
	if err := facts.CheckAdapter(e.g, adapter); err != nil {
		return nil, err
	}
	if err := facts.CheckBatch(e.g, b, e.layout.tokens); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := call{rows: rowsOf(b), adapter: adapter}
	e.forward(c)
	out := make([]float32, b.Tokens())
	var indices []int
	for t, p := range b.Position {
		if p > 0 {
			indices = append(indices, t-1)
		}
	}
	e.logits(c, indices, func(indices []int, logits []float32) {
		v := e.g.Vocabulary()
		e.pool.Run(len(indices), func(i int) {
			t := indices[i] + 1
			out[t] = float32(logProb(logits[i*v:(i+1)*v], b.ID[t]))
		})
	})
	return out, nil
}

// forward runs the forward pass alone.
func (e *Engine) forward(c call) {
	for i := range e.scoring.steps {
		s := &e.scoring.steps[i]
		s.kernel.forward(e.call(s, c))
	}
}

// logits gives f the logits of the rows listed, after forward.
func (e *Engine) logits(c call, indices []int, f func(indices []int, logits []float32)) {
	x := e.slice(e.scoring.logits, c.rows.len())
	if e.head != nil {
		e.head.each(c, x, indices, nil, func(indices []int, logits, _ []float32) { f(indices, logits) })
		return
	}
	v := e.g.Vocabulary()
	for _, t := range indices {
		f([]int{t}, x[t*v:(t+1)*v])
	}
}
