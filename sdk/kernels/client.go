package kernels

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/internal/wire"
	pb "github.com/honeml/hone/sdk/proto/hone/v1"
)

// client is the host's side of the wire.
type client struct{ rpc pb.KernelsClient }

func (c *client) Describe(ctx context.Context) (*Description, error) {
	d, err := c.rpc.Describe(ctx, &pb.Empty{})
	if err != nil {
		return nil, wire.FromStatus(err)
	}
	out := &Description{
		Name: d.GetName(), Version: d.GetVersion(), Ops: d.GetOps(), Adapters: d.GetAdapters(), Precisions: d.GetPrecisions(),
		WeightTypes: d.GetWeightTypes(), Quantizations: d.GetQuantizations(), Objectives: d.GetObjectives(),
		Capabilities: d.GetCapabilities(),
	}
	if out.Schema, err = config.ParseSchema(d.GetSchema()); err != nil {
		return nil, err
	}
	return out, nil
}

func (c *client) Estimate(ctx context.Context, req *BindRequest) (*Plan, error) {
	return c.plan(ctx, req, c.rpc.Estimate)
}

func (c *client) Bind(ctx context.Context, req *BindRequest) (*Plan, error) {
	return c.plan(ctx, req, c.rpc.Bind)
}

func (c *client) plan(
	ctx context.Context, req *BindRequest, call func(context.Context, *pb.BindRequest, ...grpc.CallOption) (*pb.Plan, error),
) (*Plan, error) {
	m, err := bindToProto(req)
	if err != nil {
		return nil, err
	}
	p, err := call(ctx, m)
	if err != nil {
		return nil, wire.FromStatus(err)
	}
	return planFromProto(p), nil
}

func (c *client) Load(ctx context.Context, req *LoadRequest, progress func(done, total int64)) error {
	m := &pb.LoadRequest{Checkpoint: req.Checkpoint, Adapter: req.Adapter}
	if r := req.Random; r != nil {
		m.Random = &pb.RandomWeights{Seed: r.Seed, StdDev: r.StdDev}
	}
	stream, err := c.rpc.Load(ctx, m)
	if err != nil {
		return wire.FromStatus(err)
	}
	return drain(ctx, stream, func(p *pb.LoadProgress) error {
		if progress != nil {
			progress(p.GetDoneBytes(), p.GetTotalBytes())
		}
		return nil
	})
}

// drain gives each message of a stream to f, until the stream or f ends it.
func drain[M any](ctx context.Context, stream grpc.ServerStreamingClient[M], f func(*M) error) error {
	for {
		// The plugin sends ahead: what arrived before the call was cancelled would come
		// to its end.
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return wire.FromStatus(err)
		}
		if err := f(m); err != nil {
			return err
		}
	}
}

func (c *client) Restore(ctx context.Context, directory string) (*Restored, error) {
	r, err := c.rpc.Restore(ctx, &pb.RestoreRequest{Directory: directory})
	if err != nil {
		return nil, wire.FromStatus(err)
	}
	return &Restored{Exact: r.GetExact(), Notes: r.GetNotes()}, nil
}

// maxOutstanding is how many steps may be under way before the first is
// reported.
const maxOutstanding = 2

func (c *client) Train(ctx context.Context, next func() (*Step, error), report func(*StepResult) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stream, err := c.rpc.Train(ctx)
	if err != nil {
		return wire.FromStatus(err)
	}
	slots := make(chan struct{}, maxOutstanding)
	sent := make(chan error, 1)
	go func() {
		err := sendSteps(ctx, stream, next, slots)
		if err != nil {
			cancel(err)
		}
		sent <- err
	}()
	err = receiveResults(stream, report, slots)
	cancel(err) // the stream is over: nothing that is sent would be heard
	// An error of the sender's own comes first: the receiver's is its echo.
	sendErr := <-sent
	switch {
	case sendErr == nil:
		return err
	case errors.Is(sendErr, io.EOF), errors.Is(sendErr, context.Canceled):
		if err == nil {
			err = fault.New(fault.BadInput, "the plugin ended the training although steps were left")
		}
		return err
	}
	return sendErr
}

func sendSteps(
	ctx context.Context, stream grpc.BidiStreamingClient[pb.StepPart, pb.StepResult], next func() (*Step, error), slots chan<- struct{},
) error {
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		step, err := next()
		if errors.Is(err, io.EOF) {
			return stream.CloseSend()
		}
		if err != nil {
			return err
		}
		if err := sendStep(stream, step); err != nil {
			return err // io.EOF: the server ended the stream, and the receiver knows why
		}
	}
}

func sendStep(stream grpc.BidiStreamingClient[pb.StepPart, pb.StepResult], step *Step) error {
	part := &pb.StepPart{Step: step.Number, LearningRate: step.LearningRate, Objective: step.Objective}
	for i, b := range step.Batches {
		part.Batch, part.Last = batchToProto(b), i == len(step.Batches)-1
		if err := stream.Send(part); err != nil {
			return err
		}
		part = &pb.StepPart{Step: step.Number}
	}
	if len(step.Batches) == 0 {
		part.Last = true
		return stream.Send(part)
	}
	return nil
}

func receiveResults(
	stream grpc.BidiStreamingClient[pb.StepPart, pb.StepResult], report func(*StepResult) error, slots <-chan struct{},
) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return wire.FromStatus(err)
		}
		err = report(&StepResult{
			Number: m.GetStep(), Loss: m.GetLoss(), Weight: m.GetWeight(), GradNorm: m.GetGradNorm(), Skipped: m.GetSkipped(),
			NotFinite: m.GetNotFinite(), Tokens: m.GetTokens(), Seconds: m.GetSeconds(), Metrics: m.GetMetrics(),
			BatchLosses: m.GetBatchLosses(),
		})
		if err != nil {
			return err
		}
		select {
		case <-slots:
		default:
			return fault.New(fault.BadInput, "the plugin reported step %d, which it was not given", m.GetStep())
		}
	}
}

func (c *client) Score(ctx context.Context, req *ScoreRequest, emit func([]float32) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := &pb.ScoreRequest{Adapter: req.Adapter}
	for _, b := range req.Batches {
		m.Batches = append(m.Batches, batchToProto(b))
	}
	stream, err := c.rpc.Score(ctx, m)
	if err != nil {
		return wire.FromStatus(err)
	}
	return drain(ctx, stream, func(r *pb.ScoreResult) error { return emit(r.GetLogProbs()) })
}

func (c *client) Generate(ctx context.Context, req *GenerateRequest, emit func(Token) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := &pb.GenerateRequest{
		Adapter: req.Adapter, MaxTokens: int64(req.MaxTokens), Temperature: req.Temperature, TopK: int64(req.TopK),
		TopP: req.TopP, Seed: req.Seed, Stop: req.Stop,
	}
	for _, p := range req.Prompts {
		m.Prompts = append(m.Prompts, &pb.Prompt{Ids: p})
	}
	stream, err := c.rpc.Generate(ctx, m)
	if err != nil {
		return wire.FromStatus(err)
	}
	return drain(ctx, stream, func(t *pb.GeneratedToken) error {
		return emit(Token{Sequence: int(t.GetSequence()), ID: t.GetId(), LogProb: t.GetLogProb(), Finish: t.GetFinish()})
	})
}

func (c *client) Save(ctx context.Context, req *SaveRequest) ([]string, error) {
	r, err := c.rpc.Save(ctx, &pb.SaveRequest{Directory: req.Directory, WeightsOnly: req.WeightsOnly})
	if err != nil {
		return nil, wire.FromStatus(err)
	}
	return r.GetFiles(), nil
}

func (c *client) ReadTensor(ctx context.Context, req *ReadTensorRequest, emit func([]float32) error) ([]int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.rpc.ReadTensor(ctx, &pb.ReadTensorRequest{Name: req.Name, Kind: string(req.Kind)})
	if err != nil {
		return nil, wire.FromStatus(err)
	}
	var shape []int
	err = drain(ctx, stream, func(p *pb.TensorPart) error {
		for _, d := range p.GetShape() {
			shape = append(shape, int(d))
		}
		if len(p.GetData()) == 0 {
			return nil
		}
		return emit(p.GetData())
	})
	return shape, err
}

func (c *client) Close(ctx context.Context) error {
	_, err := c.rpc.Close(ctx, &pb.Empty{})
	return wire.FromStatus(err)
}

func bindToProto(req *BindRequest) (*pb.BindRequest, error) {
	block, err := json.Marshal(req.Settings.Config)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	s, o := req.Settings, req.Settings.Optimizer
	return &pb.BindRequest{
		Graph: wire.GraphToProto(req.Graph),
		Settings: &pb.Settings{
			Adapter: s.Adapter, Seed: s.Seed, Precision: s.Precision, WeightType: s.WeightType, StoredType: s.StoredType, MaxLength: int64(s.MaxLength),
			TokensPerStep: int64(s.TokensPerStep), Config: block,
			Optimizer: &pb.Optimizer{
				Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon, WeightDecay: o.WeightDecay, MaxGradNorm: o.MaxGradNorm,
			},
		},
		Limits: &pb.Limits{MemoryBytes: req.Limits.MemoryBytes, Device: req.Limits.Device},
		Phases: &pb.Phases{
			Train: req.Phases.Train, Score: req.Phases.Score,
			GenerateSequences: int64(req.Phases.GenerateSequences), GenerateLength: int64(req.Phases.GenerateLength),
		},
		Previous: req.Previous,
	}, nil
}

func planFromProto(p *pb.Plan) *Plan {
	d := p.GetDevice()
	out := &Plan{
		Device: Device{
			Kind: d.GetKind(), Name: d.GetName(), ID: d.GetId(), MemoryBytes: d.GetMemoryBytes(), Driver: d.GetDriver(),
		},
		MicroBatchTokens: int(p.GetMicroBatchTokens()), FLOPsPerToken: p.GetFlopsPerToken(),
		SecondsPerStep: p.GetSecondsPerStep(), Notes: p.GetNotes(), Bound: p.GetBound(), SameAsPrevious: p.GetSameAsPrevious(),
	}
	for _, m := range p.GetMemory() {
		out.Memory = append(out.Memory, MemoryItem{Category: m.GetCategory(), Bytes: m.GetBytes()})
	}
	for _, c := range p.GetChoices() {
		out.Choices = append(out.Choices, Choice{What: c.GetWhat(), Why: c.GetWhy(), Bytes: c.GetBytes(), Seconds: c.GetSeconds()})
	}
	return out
}

func batchToProto(b *graph.Batch) *pb.Batch {
	return &pb.Batch{
		Id: b.ID, Position: b.Position, DocStart: b.DocStart, DocEnd: b.DocEnd, Sample: b.Sample, Weight: b.Weight,
	}
}

// Interface guard.
var _ Backend = (*client)(nil)
