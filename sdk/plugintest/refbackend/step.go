package refbackend

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/interp"
	"github.com/honeml/hone/sdk/kernels"
)

// step is one optimizer step.
func (b *Backend) step(ctx context.Context, s *kernels.Step) (*kernels.StepResult, error) {
	begun := time.Now()
	if s.Objective != kernels.CrossEntropy {
		return nil, fault.New(fault.Unsupported, "the objective %q", s.Objective)
	}
	r := &kernels.StepResult{Number: s.Number}
	for _, batch := range s.Batches {
		if err := b.batchFits(batch); err != nil {
			return nil, err
		}
		r.Weight += batch.TotalWeight()
		r.Tokens += int64(batch.Tokens())
	}
	if r.Weight == 0 {
		return nil, fault.New(fault.BadInput, "step %d has no token whose prediction has a weight", s.Number)
	}
	gradients, err := b.sum(ctx, s, r)
	if err != nil {
		return nil, err
	}
	b.gradients, b.weight, b.begun = gradients, r.Weight, true
	r.GradNorm = b.gradientNorm()
	r.NotFinite = r.NotFinite || !finite(r.Loss) || !finite(r.GradNorm)
	if !r.NotFinite {
		b.update(s.LearningRate, r.GradNorm)
	}
	r.Seconds = time.Since(begun).Seconds()
	return r, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// sum adds the losses and the gradients of all micro-batches.
func (b *Backend) sum(ctx context.Context, s *kernels.Step, r *kernels.StepResult) (map[graph.ParamID][]float64, error) {
	total, balance := map[graph.ParamID][]float64{}, 0.0
	for _, batch := range s.Batches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		run, err := b.run(batch, interp.Options{
			Adapter: b.req.Settings.Adapter, Training: true, Seed: b.req.Settings.Seed, Step: uint64(s.Number),
		})
		if err != nil {
			return nil, err
		}
		loss, gradients, err := run.Step(b.schedule)
		if err != nil { // a value that is not finite: nothing else can go wrong from here on
			r.NotFinite = true
			loss = math.NaN()
		}
		r.Loss += loss
		balance += run.Balance()
		r.BatchLosses = append(r.BatchLosses, loss)
		for id, g := range gradients {
			if total[id] == nil {
				total[id] = make([]float64, len(g))
			}
			for i, v := range g {
				total[id][i] += v
			}
		}
	}
	if b.req.Graph.Balanced() {
		r.Metrics = map[string]float64{kernels.AuxLoss: balance / r.Weight}
	}
	return total, nil
}

func (b *Backend) run(batch *graph.Batch, o interp.Options) (*interp.Run, error) {
	o.Round = b.rounding()
	return interp.New(b.req.Graph, func(id graph.ParamID) []float64 {
		if o.Round == nil || len(b.req.Graph.Params[id].Shape) < 2 {
			return b.params[id]
		}
		held := slices.Clone(b.params[id])
		for i, v := range held {
			held[i] = o.Round(v)
		}
		return held
	}, batch, o)
}

// rounding is what numbers are rounded to; nil for none.
func (b *Backend) rounding() func(float64) float64 {
	switch {
	case !b.rounded:
		return nil
	case b.req.Settings.Precision == "bf16":
		return interp.BFloat16
	case b.req.Settings.Precision == "fp16":
		return interp.Float16
	}
	return interp.Float32
}

// gradientOfMean is the gradient of the last step's mean loss by p, before clipping.
func (b *Backend) gradientOfMean(p *graph.Param) []float64 {
	out := make([]float64, p.Elements())
	for i, v := range b.gradients[p.ID] {
		out[i] = v / b.weight
	}
	return out
}

func (b *Backend) gradientNorm() float64 {
	sum := 0.0
	for _, p := range b.req.Graph.Trainable() {
		for _, v := range b.gradientOfMean(p) {
			sum += v * v
		}
	}
	return math.Sqrt(sum)
}

// update is AdamW, as kernels.Optimizer has it.
func (b *Backend) update(rate, norm float64) {
	o := b.req.Settings.Optimizer
	b.updates++
	clip := 1.0
	if o.MaxGradNorm > 0 {
		clip = math.Min(1, o.MaxGradNorm/(norm+1e-6))
	}
	rest1, rest2 := 1-math.Pow(o.Beta1, float64(b.updates)), 1-math.Pow(o.Beta2, float64(b.updates))
	for _, p := range b.req.Graph.Trainable() {
		w, m, v := b.params[p.ID], b.first[p.ID], b.second[p.ID]
		for i, g := range b.gradientOfMean(p) {
			g *= clip
			m[i] = interp.Float32(o.Beta1*m[i] + (1-o.Beta1)*g)
			v[i] = interp.Float32(o.Beta2*v[i] + (1-o.Beta2)*g*g)
			w[i] = interp.Float32(w[i] - rate*o.WeightDecay*w[i] - rate*(m[i]/rest1)/(math.Sqrt(v[i]/rest2)+o.Epsilon))
		}
	}
}

// Score gives each token's log-probability after those before it; NaN where
// something is not finite.
func (b *Backend) Score(ctx context.Context, req *kernels.ScoreRequest, emit func([]float32) error) error {
	if err := b.state(true); err != nil {
		return err
	}
	if !b.req.Phases.Score {
		return fault.New(fault.OutOfOrder, "the plan has no score phase")
	}
	if err := b.adapterKnown(req.Adapter); err != nil {
		return err
	}
	for _, batch := range req.Batches {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.batchFits(batch); err != nil {
			return err
		}
		run, err := b.run(batch, interp.Options{Adapter: req.Adapter})
		if err != nil {
			return err
		}
		scores := make([]float64, batch.Tokens())
		if _, err := run.Forward(); err == nil {
			scores = run.LogProbs()
		} else {
			for t := range scores {
				scores[t] = math.NaN()
			}
		}
		if err := emit(narrow(scores)); err != nil {
			return err
		}
	}
	return nil
}
