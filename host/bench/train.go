package bench

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
)

// deviation is that of the weights.
const deviation = 0.02

// A Progress is told how far loading and training are.
type Progress func(what string, done, total int64)

// Train binds, draws weights, trains the steps of work and says what was measured.
func Train(ctx context.Context, b kernels.Backend, bind *kernels.BindRequest, work Work, progress Progress) (*Result, error) {
	if err := work.Check(); err != nil {
		return nil, err
	}
	begun := time.Now()
	plan, err := b.Bind(ctx, bind)
	if err != nil {
		return nil, err
	}
	m := &measurement{work: work, plan: plan, progress: progress, result: newResult(bind, plan, work)}
	m.result.BindSeconds = time.Since(begun).Seconds()
	begun = time.Now()
	load := &kernels.LoadRequest{Random: &kernels.RandomWeights{Seed: work.Seed, StdDev: deviation}}
	if err := b.Load(ctx, load, func(done, total int64) { progress("drawing weights", done, total) }); err != nil {
		return nil, err
	}
	m.result.LoadSeconds = time.Since(begun).Seconds()
	m.last = time.Now()
	words, sample, number := bind.Graph.IDs(), int32(0), int64(0)
	err = b.Train(ctx, func() (*kernels.Step, error) {
		if number == m.total() {
			return nil, io.EOF
		}
		number++
		return work.step(number, words, plan.MicroBatchTokens, &sample), nil
	}, m.report)
	switch {
	case err != nil && m.done == m.counted() && m.work.Ceilings && ctx.Err() == nil:
		m.result.CeilingsError = err.Error() // the steps stand all the same
	case err != nil:
		return nil, err
	case m.done != m.total():
		return nil, fault.New(fault.BadInput, "the kernels plugin reported %d steps of %d", m.done, m.total())
	}
	m.result.summarise(m.seconds)
	return m.result, nil
}

// A measurement is a run that is under way.
type measurement struct {
	work     Work
	plan     *kernels.Plan
	progress Progress
	result   *Result

	done    int64
	last    time.Time // when the last step was reported
	seconds []float64 // of each measured step
}

// total is how many steps there are.
func (m *measurement) total() int64 {
	if m.work.Ceilings {
		return m.counted() + 1
	}
	return m.counted()
}

// counted is how many of them are warm-up or measured.
func (m *measurement) counted() int64 { return int64(m.work.Steps + m.work.Warmup) }

// report takes a step's result. A step takes the time since the one before it was
// reported: two are under way at once.
func (m *measurement) report(r *kernels.StepResult) error {
	now := time.Now()
	took := now.Sub(m.last).Seconds()
	m.last = now
	m.done++
	m.progress("training", m.done, m.total())
	if r.NotFinite {
		return fault.New(fault.BadInput, "step %d: loss %v, gradient norm %v: not finite", r.Number, r.Loss/r.Weight, r.GradNorm)
	}
	if m.done > m.counted() {
		m.result.Ceilings = ceilingsOf(r.Metrics)
		return nil
	}
	if r.Skipped {
		m.result.Skipped++
	}
	for _, name := range []string{"memory/peak_bytes", "memory/resident_bytes"} {
		if v := int64(r.Metrics[name]); v > m.result.MeasuredBytes {
			m.result.MeasuredBytes = v
		}
	}
	step := &StepNumbers{Loss: Number(r.Loss / r.Weight), GradNorm: Number(r.GradNorm)}
	if m.done == 1 {
		m.result.First, m.result.FirstStepSeconds = step, took
	}
	m.result.Last = step
	if m.done <= int64(m.work.Warmup) {
		return nil
	}
	m.seconds = append(m.seconds, took)
	for name, v := range r.Metrics {
		if family, ok := strings.CutPrefix(name, "time/"); ok {
			m.result.Families[family] += v / float64(m.work.Steps)
		}
	}
	return nil
}
