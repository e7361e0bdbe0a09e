package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/engine"
	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugin"
)

// backend is the plugin: it keeps the order of calls and leaves the work to an
// engine.
type backend struct {
	engine   *engine.Engine
	gpu      *device.GPU
	restored bool
	trained  bool
}

// block is the plugin's block in a run file.
type block struct {
	GPUs             []string `config:"gpus"`
	Recompute        string   `config:"recompute"`
	Offload          bool     `config:"offload"`
	Profile          bool     `config:"profile"`
	Ceilings         bool     `config:"ceilings"`
	MicroBatchTokens int      `config:"micro_batch_tokens"`
	Libraries        []string `config:"libraries"`
}

func schema() config.Schema {
	return config.Schema{Attributes: []config.Attribute{
		{Name: "gpus", Type: config.ListOf(config.String), Doc: "Which GPU: its index among those that CUDA_VISIBLE_DEVICES leaves, or its UUID. By default the first. One run trains on one GPU."},
		{
			Name: "recompute", Type: config.Of(config.String), Default: engine.RecomputeAuto,
			OneOf: []string{engine.RecomputeAuto, engine.RecomputeNone, engine.RecomputeLayers},
			Doc:   "What the backward pass computes again to save memory: nothing, or all but what crosses from layer to layer; auto decides value by value, as far as the limit asks for, and moves values to the host's memory where that is cheaper.",
		},
		{Name: "offload", Type: config.Of(config.Bool), Default: true, Doc: "Whether recompute = \"auto\" may move values to the host's memory and back."},
		{Name: "profile", Type: config.Of(config.Bool), Default: false, Doc: "Report the time of each family of kernels as the metrics time/…; steps then wait for each other."},
		{Name: "ceilings", Type: config.Of(config.Bool), Default: false, Doc: "When training ends, measure what the GPU reaches at the model's shapes, and report it with the last step as the metrics ceiling/…."},
		{Name: "micro_batch_tokens", Type: config.Of(config.Int), Default: float64(0), Doc: "The most tokens to compute at once; 0 chooses. It changes memory and speed, not the mathematics."},
		{Name: "libraries", Type: config.ListOf(config.String), Doc: "Folders to look for NVIDIA's libraries in, before all others; hone doctor says what is found where."},
	}}
}

// Describe says what the plugin can do.
func (*backend) Describe(context.Context) (*kernels.Description, error) {
	return &kernels.Description{
		Name: "cuda", Version: "0.1.0", Schema: schema(),
		Ops:         engine.Ops(),
		Adapters:    []string{"lora", "lora_bias", "dora", "pissa", "full", kernels.TokenRows},
		Precisions:  []string{"bf16", "fp16", "fp32"},
		WeightTypes: []string{"auto", "float32", "bfloat16", "float16"},
		Objectives:  []string{kernels.CrossEntropy}, Capabilities: []string{plugin.DoctorCapability, kernels.ExpertBalance},
	}, nil
}

// options decodes the block.
func options(req *kernels.BindRequest) (engine.Options, device.Options, error) {
	settings := block{Recompute: engine.RecomputeAuto, Offload: true}
	o := engine.Options{}
	if err := config.Decode(req.Settings.Config, &settings); err != nil {
		return o, device.Options{}, err
	}
	o.Recompute, o.Offload, o.MicroBatch = settings.Recompute, settings.Offload, settings.MicroBatchTokens
	o.Profile, o.Ceilings = settings.Profile, settings.Ceilings
	gpu := device.Options{Folders: settings.Libraries}
	if len(settings.GPUs) > 0 {
		gpu.Name = settings.GPUs[0]
	}
	switch {
	case len(settings.GPUs) > 1:
		return o, gpu, config.Errorf([]string{"gpus"}, "%d GPUs: a run trains on one so far; name one", len(settings.GPUs))
	case settings.MicroBatchTokens < 0 || settings.MicroBatchTokens > 1<<24:
		return o, gpu, config.Errorf([]string{"micro_batch_tokens"}, "%d tokens", settings.MicroBatchTokens)
	}
	o.MemoryBytes = req.Limits.MemoryBytes
	// A run that goes on keeps its micro-batches, by which sums are cut.
	if n := engine.PreviousTokens(req.Previous); n > 0 && o.MicroBatch == 0 {
		o.MicroBatch = n
	}
	return o, gpu, nil
}

// Estimate plans without a GPU.
func (b *backend) Estimate(_ context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	o, _, err := options(req)
	if err != nil {
		return nil, err
	}
	o.ContextBytes = device.UsualContext
	o.Device = kernels.Device{Kind: "cuda", Name: req.Limits.Device}
	known, ok := findCard(req.Limits.Device)
	if ok {
		known.assume(&o)
	}
	e, err := engine.Bind(req, o)
	if err != nil {
		return nil, err
	}
	plan, err := e.Plan(req.Previous)
	if err == nil && !ok && req.Limits.Device != "" {
		plan.Notes = append(plan.Notes, fmt.Sprintf("the device %q is not known here (%s are): memory without its limit, time about as on an H100", req.Limits.Device, cardNames()))
	}
	return plan, err
}

// Bind asks the GPU what it has, and plans for good.
func (b *backend) Bind(_ context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	if b.engine != nil {
		return nil, fault.New(fault.OutOfOrder, "Bind came twice")
	}
	o, gpuOptions, err := options(req)
	if err != nil {
		return nil, err
	}
	gpu, err := device.Open(gpuOptions)
	if err != nil {
		return nil, err
	}
	if err := describe(gpu, &o); err != nil {
		return nil, errors.Join(err, gpu.Close())
	}
	e, err := engine.Bind(req, o)
	if err != nil {
		return nil, errors.Join(err, gpu.Close())
	}
	b.engine, b.gpu = e, gpu
	return e.Plan(req.Previous)
}

// headroom is left free of a GPU's memory: modules of kernels, and what the driver
// takes as it goes.
const headroom = 256 << 20

// describe fills in what the GPU has.
func describe(gpu *device.GPU, o *engine.Options) error {
	return gpu.Do(func() error {
		free, err := gpu.FreeMemory()
		if err != nil {
			return err
		}
		o.ContextBytes = gpu.ContextBytes
		o.Device = kernels.Device{
			Kind: "cuda", Name: gpu.Info.Name, ID: gpu.Info.UUID, MemoryBytes: gpu.Info.TotalMemory,
			Driver: fmt.Sprintf("CUDA %s", gpu.Driver),
		}
		fit(o, gpu.Info, gpu.Arch(), free+gpu.ContextBytes)
		return nil
	})
}

// fit has a plan be for a device of that architecture, with so much memory for it.
func fit(o *engine.Options, d cuda.Device, arch string, memory int64) {
	o.SharedBytes, o.Arch, o.Processors, o.Rates = d.SharedPerBlock, arch, d.SMs, rates(d)
	if available := memory - headroom; o.MemoryBytes == 0 || o.MemoryBytes > available {
		o.MemoryBytes = available
	}
}

// rates are what a GPU does in a second, by its data sheet and what kernels reach of
// that.
func rates(d cuda.Device) engine.Rates {
	const reached, bytesReached = 0.65, 0.8
	link := 22e9 // PCIe 4.0 with 16 lanes
	if d.Major >= 9 {
		link = 45e9 // PCIe 5.0
	}
	perClock := map[int]float64{8: 1024, 9: 4096, 10: 8192}[d.Major] // of a multiprocessor, in 16 bits
	if d.Major == 8 && d.Minor == 0 {
		perClock = 2048
	}
	if perClock == 0 {
		perClock = 1024
	}
	return engine.Rates{
		FLOPs: reached * perClock * float64(d.SMs) * float64(d.ClockKHz) * 1e3,
		Bytes: bytesReached * 2 * float64(d.MemoryClockKHz) * 1e3 * float64(d.MemoryBusBits) / 8,
		Link:  link,
	}
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
	return b.engine.Load(ctx, req, b.gpu, progress)
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

// Train does the steps that next gives.
func (b *backend) Train(ctx context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
	if err := b.bound(); err != nil {
		return err
	}
	counted := func() (*kernels.Step, error) {
		s, err := next()
		b.trained = b.trained || err == nil
		return s, err
	}
	err := b.engine.Train(ctx, counted, report)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
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

// Close gives the GPU back.
func (b *backend) Close(context.Context) error {
	var err error
	if b.gpu != nil {
		err = b.gpu.Close()
	}
	b.engine, b.gpu = nil, nil
	return err
}

// Interface guard.
var _ kernels.Backend = (*backend)(nil)
