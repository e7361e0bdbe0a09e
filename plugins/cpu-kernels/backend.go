package main

import (
	"context"
	"errors"
	"io"

	"github.com/honeml/hone/plugins/cpu-kernels/engine"
	"github.com/honeml/hone/plugins/cpu-kernels/workers"
	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
)

// backend is the plugin: it keeps the order of calls and leaves the work to an
// engine.
type backend struct {
	engine   *engine.Engine
	pool     *workers.Pool
	restored bool
	trained  bool
}

// block is the plugin's block in a run file.
type block struct {
	Threads          int    `config:"threads"`
	Recompute        string `config:"recompute"`
	MicroBatchTokens int    `config:"micro_batch_tokens"`
}

func schema() config.Schema {
	return config.Schema{Attributes: []config.Attribute{
		{Name: "threads", Type: config.Of(config.Int), Default: float64(0), Doc: "Threads to compute on; 0 takes every core. The losses are the same whatever the number."},
		{
			Name: "recompute", Type: config.Of(config.String), Default: engine.RecomputeAuto,
			OneOf: []string{engine.RecomputeAuto, engine.RecomputeNone, engine.RecomputeLayers},
			Doc:   "What the backward pass computes again to save memory: nothing, or all but what crosses from layer to layer; auto decides by the limit.",
		},
		{Name: "micro_batch_tokens", Type: config.Of(config.Int), Default: float64(0), Doc: "The most tokens to compute at once; 0 chooses. It changes memory and speed, not the mathematics."},
	}}
}

// Describe says what the plugin can do.
func (*backend) Describe(context.Context) (*kernels.Description, error) {
	return &kernels.Description{
		Name: "cpu", Version: "0.1.0", Schema: schema(),
		Ops:         []string{"embed", "linear", "norm", "rope", "attention", "map", "split", "concat", "conv", "route", "expert_linear", "combine"},
		Adapters:    []string{"lora", "lora_bias", "dora", "pissa", "full", kernels.TokenRows},
		Precisions:  []string{"fp32"},
		WeightTypes: []string{"auto", "float32", "bfloat16", "float16"},
		Objectives:  []string{kernels.CrossEntropy}, Capabilities: []string{kernels.ExpertBalance},
	}, nil
}

// bind decodes the block and binds an engine.
func (b *backend) bind(req *kernels.BindRequest) (*engine.Engine, *workers.Pool, error) {
	settings := block{Recompute: engine.RecomputeAuto}
	if err := config.Decode(req.Settings.Config, &settings); err != nil {
		return nil, nil, err
	}
	o := engine.Options{
		Recompute: settings.Recompute, MicroBatch: settings.MicroBatchTokens,
		MemoryBytes: req.Limits.MemoryBytes, AvailableMemory: availableMemory(),
	}
	switch {
	case settings.Threads < 0 || settings.Threads > 4096:
		return nil, nil, config.Errorf([]string{"threads"}, "%d threads; 1 to 4096 can be asked for, 0 takes every core", settings.Threads)
	case settings.MicroBatchTokens < 0 || settings.MicroBatchTokens > 1<<24:
		return nil, nil, config.Errorf([]string{"micro_batch_tokens"}, "%d tokens; 1 to %d can be asked for, 0 chooses", settings.MicroBatchTokens, 1<<24)
	}
	p := workers.New(settings.Threads)
	e, err := engine.Bind(req, o, p)
	if err != nil {
		p.Close()
		return nil, nil, err
	}
	return e, p, nil
}

// Estimate plans without keeping anything.
func (b *backend) Estimate(_ context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	e, p, err := b.bind(req)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return e.Plan(req.Previous)
}

// Bind plans for good.
func (b *backend) Bind(_ context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	if b.engine != nil {
		return nil, fault.New(fault.OutOfOrder, "Bind came twice")
	}
	e, p, err := b.bind(req)
	if err != nil {
		return nil, err
	}
	b.engine, b.pool = e, p
	return e.Plan(req.Previous)
}

func (b *backend) bound() error {
	if b.engine == nil {
		return fault.New(fault.OutOfOrder, "Bind has to come first")
	}
	return nil
}

// Load reads the weights.
func (b *backend) Load(ctx context.Context, req *kernels.LoadRequest, progress func(done, total int64)) error {
	if err := b.bound(); err != nil {
		return err
	}
	return b.engine.Load(ctx, req, progress)
}

// Restore takes a checkpoint.
func (b *backend) Restore(_ context.Context, dir string) (*kernels.Restored, error) {
	if err := b.bound(); err != nil {
		return nil, err
	}
	if b.restored || b.trained {
		return nil, fault.New(fault.OutOfOrder, "Restore comes once, and before the first step")
	}
	r, err := b.engine.Restore(dir)
	b.restored = err == nil
	return r, err
}

// Train does the steps that next gives, one after the other.
func (b *backend) Train(ctx context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
	if err := b.bound(); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		step, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		b.trained = true
		result, err := b.engine.Step(ctx, step)
		if err != nil {
			return err
		}
		if m := residentMemory(); m > 0 {
			result.Metrics["memory/resident_bytes"] = m
		}
		if err := report(result); err != nil {
			return err
		}
	}
}

// Score gives log-probabilities.
func (b *backend) Score(ctx context.Context, req *kernels.ScoreRequest, emit func([]float32) error) error {
	if err := b.bound(); err != nil {
		return err
	}
	for _, batch := range req.Batches {
		logProbs, err := b.engine.Score(ctx, req.Adapter, batch)
		if err != nil {
			return err
		}
		if err := emit(logProbs); err != nil {
			return err
		}
	}
	return nil
}

// Generate continues prompts.
func (b *backend) Generate(ctx context.Context, req *kernels.GenerateRequest, emit func(kernels.Token) error) error {
	if err := b.bound(); err != nil {
		return err
	}
	return b.engine.Generate(ctx, req, emit)
}

// Save writes what is trained.
func (b *backend) Save(_ context.Context, req *kernels.SaveRequest) ([]string, error) {
	if err := b.bound(); err != nil {
		return nil, err
	}
	return b.engine.Save(req.Directory, req.WeightsOnly)
}

// ReadTensor gives a trainable parameter or its gradient.
func (b *backend) ReadTensor(_ context.Context, req *kernels.ReadTensorRequest, emit func([]float32) error) ([]int, error) {
	if err := b.bound(); err != nil {
		return nil, err
	}
	data, shape, err := b.engine.ReadTensor(req.Name, req.Kind)
	if err != nil {
		return nil, err
	}
	return shape, emit(data)
}

// Close ends the threads.
func (b *backend) Close(context.Context) error {
	if b.pool != nil {
		b.pool.Close()
	}
	b.engine, b.pool = nil, nil
	return nil
}

// Interface guard.
var _ kernels.Backend = (*backend)(nil)
