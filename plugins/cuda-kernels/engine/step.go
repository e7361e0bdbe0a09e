package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/optimizer"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/dropout"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/facts"
)

// A pendingStep was enqueued and its result not yet read.
type pendingStep struct {
	result       *kernels.StepResult
	copy         *resultsCopy
	microBatches int
}

// enqueue puts a whole optimizer step on the queue: every micro-batch forward and
// backward, the gradients summed, one update, which does nothing where the loss or the
// gradient is not finite.
func (e *Engine) enqueue(ctx context.Context, s *kernels.Step) (*pendingStep, error) {
	r, err := e.checkStep(s)
	if err != nil {
		return nil, err
	}
	p := &pendingStep{result: r, copy: e.results.next(), microBatches: len(s.Batches)}
	err = e.doFor(e.patience(r.Tokens), func() error {
		q := e.q
		q.At("the step's begin")
		p.copy.begun = q.Record(p.copy.begun)
		e.clock.begin()
		q.Zero(e.at(e.params.gradient), e.params.gradient.bytes)
		q.Zero(e.lossAt(), sumsBytes(len(s.Batches)))
		e.uploadKeys(uint64(s.Number))
		e.takeNorms()
		for i, b := range s.Batches {
			if err := ctx.Err(); err != nil {
				return err
			}
			e.train(b, i)
		}
		q.At("the update")
		e.optimizer.Step(q, e.buffers(), e.lossAt(), r.Weight, s.LearningRate)
		e.normsTaken = false
		q.Download(p.copy.memory.Bytes()[:resultsBytes(len(s.Batches))], e.state())
		p.copy.ended = q.Record(p.copy.ended)
		e.clock.lap(familyUpdate)
		return nil
	})
	if err != nil {
		return nil, err
	}
	e.stepped, e.weight = true, r.Weight
	e.tally.add(s)
	return p, nil
}

// checkStep refuses a step that cannot be done, before anything of it is.
func (e *Engine) checkStep(s *kernels.Step) (*kernels.StepResult, error) {
	if err := e.loaded(); err != nil {
		return nil, err
	}
	if e.training == nil {
		return nil, fault.New(fault.OutOfOrder, "the plan has no train phase")
	}
	if s.Objective != kernels.CrossEntropy {
		return nil, fault.New(fault.Unsupported, "cuda-kernels does not know the objective %q", s.Objective)
	}
	if len(s.Batches) > mostMicroBatches {
		return nil, fault.New(fault.BadInput, "step %d has %d micro-batches; this backend takes %d", s.Number, len(s.Batches), mostMicroBatches)
	}
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
	return r, nil
}

// uploadKeys gives the GPU the keys of the step's dropout.
func (e *Engine) uploadKeys(step uint64) {
	if len(e.keys) == 0 {
		return
	}
	data := e.staging.next()[:0]
	for _, module := range e.keys {
		key := dropout.NewKey(e.settings.Seed, step, module)
		data = binary.LittleEndian.AppendUint32(data, key[0])
		data = binary.LittleEndian.AppendUint32(data, key[1])
	}
	e.staging.send(e.q, e.at(e.keySpan), data)
}

// buffers are the flat buffers as the optimizer takes them.
func (e *Engine) buffers() optimizer.Buffers {
	return optimizer.Buffers{
		Parameters: e.at(e.params.master), Gradients: e.at(e.params.gradient),
		First: e.at(e.params.first), Second: e.at(e.params.second), Copy: e.at(e.params.copied),
		State: e.state(), Workspace: e.at(e.optimizerSpan),
	}
}

// train enqueues a micro-batch, forward and backward.
func (e *Engine) train(b *graph.Batch, index int) {
	rows, columns, list := e.upload(b, supervised(b))
	e.clock.lap("upload")
	c := call{q: e.q, rows: rows, batch: columns, training: true, adapter: e.settings.Adapter}
	e.repeat(recordKey{rows, list.count}, func() {
		e.q.Zero(e.lossNow(), 8)
		e.run(e.training, c, func() { e.head.train(c, list) })
	})
	e.q.Copy(e.batchLossAt(index), e.lossNow(), 8)
}

// train computes the loss of predictions and its gradient by the head's input.
func (h *logitsHead) train(c call, list predictions) {
	e := h.e
	d := e.activation(e.training.dLogits)
	if d != 0 {
		c.q.Zero(d, e.valueBytes(h.Input, c.rows))
	}
	h.each(c, e.activation(e.training.logits), list, d, e.crossEntropy)
	e.loss.Total(c.q, list.count, e.at(e.lossSpan), e.lossAt())
	e.loss.Total(c.q, list.count, e.at(e.lossSpan), e.lossNow())
}

// crossEntropy turns the logits of some predictions into their gradient.
func (e *Engine) crossEntropy(at int, p predictions) {
	e.loss.Gradient(e.q, p.count, e.head.logits(), p.target, p.weight, optimizer.LossScale(e.state()), e.lossOf(at))
}

// lossOf is where the loss, or log-probability, of a prediction goes.
func (e *Engine) lossOf(i int) device.Pointer { return e.at(e.lossSpan).Offset(4 * int64(i)) }

// finish waits for a step and reads its result.
func (e *Engine) finish(p *pendingStep) (*kernels.StepResult, error) {
	r := p.result
	var shares map[string]float64
	var taken int64
	err := e.doFor(e.patience(r.Tokens), func() error {
		if err := p.copy.ended.Synchronize(); err != nil {
			return err
		}
		ms, err := p.copy.ended.Since(p.copy.begun)
		r.Seconds = float64(ms) / 1e3
		if err == nil && e.clock != nil {
			shares, err = e.clock.seconds()
		}
		if err == nil {
			taken, err = e.gpu.TakenMemory()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("step %d: %w", r.Number, err)
	}
	state, err := optimizer.DecodeState(p.copy.memory.Bytes()[:optimizer.StateBytes])
	if err != nil {
		return nil, err
	}
	var balance float64
	r.Loss, balance, r.BatchLosses = p.copy.losses(p.microBatches)
	r.GradNorm = state.Norm
	// All that a run takes it takes at its start: what is taken now is the most.
	r.Metrics = map[string]float64{"memory/planned_bytes": float64(e.totalBytes()), "memory/peak_bytes": float64(taken)}
	if e.g.Balanced() {
		r.Metrics[kernels.AuxLoss] = balance / r.Weight
	}
	for family, seconds := range shares {
		r.Metrics["time/"+family] = seconds
	}
	e.judge(r, state)
	return r, nil
}

// judge says what became of a step whose loss or gradient is not finite: with a loss
// scale it was skipped, and the run goes on with a smaller one.
func (e *Engine) judge(r *kernels.StepResult, s optimizer.State) {
	if !e.scales() {
		r.NotFinite = s.NotFinite
		return
	}
	r.Metrics["loss_scale"] = float64(s.Used)
	r.Metrics["skipped_steps"] = float64(s.Skipped)
	r.Skipped = s.NotFinite
	// A loss that is not finite, or a gradient at the least scale, is no overflow of
	// the scale's making.
	if s.NotFinite && (!finite(r.Loss) || s.Used <= optimizer.Float16Scaling().Least) {
		r.Skipped, r.NotFinite = false, true
	}
}

// scales reports whether the loss is scaled.
func (e *Engine) scales() bool { return e.act == device.Float16 }

func finite(v float64) bool { return v-v == 0 }

// Train does the steps that next gives. The next step is enqueued before the last
// one's result is read, so that the GPU never waits for the host. It ends with the
// error that next gives, once all results were reported.
func (e *Engine) Train(ctx context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
	var pending *pendingStep
	settle := func(last bool) error {
		if pending == nil {
			return nil
		}
		p := pending
		pending = nil
		r, err := e.finish(p)
		if err == nil && last {
			err = e.reportCeilings(ctx, r)
		}
		if err != nil {
			return err
		}
		return report(r)
	}
	for {
		step, err := next()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			if settled := settle(errors.Is(err, io.EOF)); settled != nil {
				return settled
			}
			return err
		}
		if e.clock != nil { // each step's time by itself
			if settled := settle(false); settled != nil {
				return settled
			}
		}
		enqueued, err := e.enqueue(ctx, step)
		if settled := settle(false); settled != nil {
			return settled
		}
		if err != nil {
			return err
		}
		pending = enqueued
	}
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
	out := make([]float32, b.Tokens())
	list := following(b)
	if len(list) == 0 {
		return out, nil
	}
	data := make([]byte, 4*len(list))
	err := e.do(func() error {
		rows, columns, p := e.upload(b, list)
		c := call{q: e.q, rows: rows, batch: columns, adapter: adapter}
		e.takeNorms()
		e.run(e.scoring, c, nil)
		e.q.At("the scores")
		e.head.each(c, e.activation(e.scoring.logits), p, 0, func(at int, part predictions) {
			e.loss.Score(e.q, part.count, e.head.logits(), part.target, e.lossOf(at))
		})
		e.q.Download(data, e.at(e.lossSpan))
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, v := range device.Float32.Decode(data) {
		out[list[i].row+1] = v
	}
	return out, nil
}
