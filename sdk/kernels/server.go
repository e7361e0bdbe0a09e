package kernels

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/internal/wire"
	"github.com/honeml/hone/sdk/plugin"
	pb "github.com/honeml/hone/sdk/proto/hone/v1"
)

// Serve serves b as a plugin process. It does not return.
func Serve(b Backend) { plugin.Serve(plugin.Kernels, NewPlugin(b)) }

// NewPlugin is go-plugin's view of a kernels plugin: b is what a plugin process
// serves, nil in the host.
func NewPlugin(b Backend) goplugin.Plugin { return &grpcPlugin{impl: b} }

type grpcPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	impl Backend
}

// GRPCServer registers the service in a plugin process.
func (p *grpcPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pb.RegisterKernelsServer(s, &server{impl: p.impl, turn: make(chan struct{}, 1)})
	return nil
}

// GRPCClient gives the host a [Backend] over the connection.
func (p *grpcPlugin) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return &client{rpc: pb.NewKernelsClient(conn)}, nil
}

// server gives a backend its calls, one at a time: a call that the host has given
// up may still be ending when the next one comes.
type server struct {
	pb.UnimplementedKernelsServer
	impl Backend
	turn chan struct{} // holds an element while a call is under way
}

// begin waits for the call's turn; end gives it back.
func (s *server) begin(ctx context.Context) (end func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, wire.ToStatus(ctx.Err())
	}
}

func (s *server) Describe(ctx context.Context, _ *pb.Empty) (*pb.KernelsDescription, error) {
	d, err := s.impl.Describe(ctx)
	if err != nil {
		return nil, wire.ToStatus(err)
	}
	schema, err := json.Marshal(d.Schema)
	if err != nil {
		return nil, wire.ToStatus(fmt.Errorf("schema: %w", err))
	}
	return &pb.KernelsDescription{
		Name: d.Name, Version: d.Version, Schema: schema, Ops: d.Ops, Adapters: d.Adapters, Precisions: d.Precisions,
		WeightTypes: d.WeightTypes, Quantizations: d.Quantizations, Objectives: d.Objectives, Capabilities: d.Capabilities,
	}, nil
}

func (s *server) Estimate(ctx context.Context, req *pb.BindRequest) (*pb.Plan, error) {
	return s.plan(ctx, req, s.impl.Estimate)
}

func (s *server) Bind(ctx context.Context, req *pb.BindRequest) (*pb.Plan, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return s.plan(ctx, req, s.impl.Bind)
}

func (s *server) plan(
	ctx context.Context, req *pb.BindRequest, call func(context.Context, *BindRequest) (*Plan, error),
) (*pb.Plan, error) {
	in, err := bindFromProto(req)
	if err != nil {
		return nil, wire.ToStatus(err)
	}
	plan, err := call(ctx, in)
	if err != nil {
		return nil, wire.ToStatus(err)
	}
	return planToProto(plan), nil
}

func (s *server) Load(req *pb.LoadRequest, stream grpc.ServerStreamingServer[pb.LoadProgress]) error {
	end, err := s.begin(stream.Context())
	if err != nil {
		return err
	}
	defer end()
	in := &LoadRequest{Checkpoint: req.GetCheckpoint(), Adapter: req.GetAdapter()}
	if r := req.GetRandom(); r != nil {
		in.Random = &RandomWeights{Seed: r.GetSeed(), StdDev: r.GetStdDev()}
	}
	var sendErr error
	err = s.impl.Load(stream.Context(), in, func(done, total int64) {
		if sendErr == nil {
			sendErr = stream.Send(&pb.LoadProgress{DoneBytes: done, TotalBytes: total})
		}
	})
	return wire.ToStatus(errors.Join(err, sendErr))
}

func (s *server) Restore(ctx context.Context, req *pb.RestoreRequest) (*pb.RestoreResponse, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	r, err := s.impl.Restore(ctx, req.GetDirectory())
	if err != nil {
		return nil, wire.ToStatus(err)
	}
	return &pb.RestoreResponse{Exact: r.Exact, Notes: r.Notes}, nil
}

func (s *server) Train(stream grpc.BidiStreamingServer[pb.StepPart, pb.StepResult]) error {
	end, err := s.begin(stream.Context())
	if err != nil {
		return err
	}
	defer end()
	next := ahead(stream.Context(), func() (*Step, error) { return receiveStep(stream) })
	report := func(r *StepResult) error { return stream.Send(resultToProto(r)) }
	return wire.ToStatus(s.impl.Train(stream.Context(), next, report))
}

// receiveStep receives the parts of a step; io.EOF after the last step.
func receiveStep(stream grpc.BidiStreamingServer[pb.StepPart, pb.StepResult]) (*Step, error) {
	var step *Step
	for {
		part, err := stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) && step == nil {
				return nil, io.EOF
			}
			return nil, fmt.Errorf("receiving a step: %w", err)
		}
		if err := wire.Known(part); err != nil {
			return nil, fmt.Errorf("step %d: %w", part.GetStep(), err)
		}
		if step == nil {
			step = &Step{Number: part.GetStep(), LearningRate: part.GetLearningRate(), Objective: part.GetObjective()}
		}
		if part.GetBatch() != nil {
			step.Batches = append(step.Batches, batchFromProto(part.GetBatch()))
		}
		if part.GetLast() {
			return step, nil
		}
	}
}

// ahead is next, called before its answer is asked for: the next step is received
// while the backend does the one before it. The first error is also that of every
// later call.
func ahead(ctx context.Context, next func() (*Step, error)) func() (*Step, error) {
	steps := make(chan *Step, 1)
	var failed error // set before steps is closed
	go func() {
		defer close(steps)
		for {
			step, err := next()
			if err != nil {
				failed = err
				return
			}
			select {
			case steps <- step:
			case <-ctx.Done():
				failed = ctx.Err()
				return
			}
		}
	}()
	return func() (*Step, error) {
		if step, ok := <-steps; ok {
			return step, nil
		}
		return nil, failed
	}
}

func (s *server) Score(req *pb.ScoreRequest, stream grpc.ServerStreamingServer[pb.ScoreResult]) error {
	end, err := s.begin(stream.Context())
	if err != nil {
		return err
	}
	defer end()
	in := &ScoreRequest{Adapter: req.GetAdapter()}
	for _, b := range req.GetBatches() {
		in.Batches = append(in.Batches, batchFromProto(b))
	}
	return wire.ToStatus(s.impl.Score(stream.Context(), in, func(logProbs []float32) error {
		return stream.Send(&pb.ScoreResult{LogProbs: logProbs})
	}))
}

func (s *server) Generate(req *pb.GenerateRequest, stream grpc.ServerStreamingServer[pb.GeneratedToken]) error {
	end, err := s.begin(stream.Context())
	if err != nil {
		return err
	}
	defer end()
	in := &GenerateRequest{
		Adapter: req.GetAdapter(), MaxTokens: int(req.GetMaxTokens()), Temperature: req.GetTemperature(),
		TopK: int(req.GetTopK()), TopP: req.GetTopP(), Seed: req.GetSeed(), Stop: req.GetStop(),
	}
	for _, p := range req.GetPrompts() {
		in.Prompts = append(in.Prompts, p.GetIds())
	}
	return wire.ToStatus(s.impl.Generate(stream.Context(), in, func(t Token) error {
		return stream.Send(&pb.GeneratedToken{Sequence: int64(t.Sequence), Id: t.ID, LogProb: t.LogProb, Finish: t.Finish})
	}))
}

func (s *server) Save(ctx context.Context, req *pb.SaveRequest) (*pb.SaveResponse, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	files, err := s.impl.Save(ctx, &SaveRequest{Directory: req.GetDirectory(), WeightsOnly: req.GetWeightsOnly()})
	if err != nil {
		return nil, wire.ToStatus(err)
	}
	return &pb.SaveResponse{Files: files}, nil
}

func (s *server) ReadTensor(req *pb.ReadTensorRequest, stream grpc.ServerStreamingServer[pb.TensorPart]) error {
	end, err := s.begin(stream.Context())
	if err != nil {
		return err
	}
	defer end()
	in := &ReadTensorRequest{Name: req.GetName(), Kind: TensorKind(req.GetKind())}
	shape, err := s.impl.ReadTensor(stream.Context(), in, func(data []float32) error {
		for len(data) > 0 {
			n := min(len(data), 1<<20)
			if err := stream.Send(&pb.TensorPart{Data: data[:n]}); err != nil {
				return err
			}
			data = data[n:]
		}
		return nil
	})
	if err != nil {
		return wire.ToStatus(err)
	}
	last := &pb.TensorPart{}
	for _, d := range shape {
		last.Shape = append(last.Shape, int64(d))
	}
	return stream.Send(last)
}

func (s *server) Close(ctx context.Context, _ *pb.Empty) (*pb.Empty, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return &pb.Empty{}, wire.ToStatus(s.impl.Close(ctx))
}

func bindFromProto(m *pb.BindRequest) (*BindRequest, error) {
	for _, part := range []proto.Message{m.GetSettings(), m.GetLimits(), m.GetPhases()} {
		if err := wire.Known(part); err != nil {
			return nil, err
		}
	}
	g, err := wire.GraphFromProto(m.GetGraph())
	if err != nil {
		return nil, err
	}
	s, o := m.GetSettings(), m.GetSettings().GetOptimizer()
	req := &BindRequest{
		Graph: g,
		Settings: Settings{
			Adapter: s.GetAdapter(), Seed: s.GetSeed(), Precision: s.GetPrecision(), WeightType: s.GetWeightType(), StoredType: s.GetStoredType(),
			MaxLength: int(s.GetMaxLength()), TokensPerStep: int(s.GetTokensPerStep()),
			Optimizer: Optimizer{
				Beta1: o.GetBeta1(), Beta2: o.GetBeta2(), Epsilon: o.GetEpsilon(), WeightDecay: o.GetWeightDecay(),
				MaxGradNorm: o.GetMaxGradNorm(),
			},
		},
		Limits: Limits{MemoryBytes: m.GetLimits().GetMemoryBytes(), Device: m.GetLimits().GetDevice()},
		Phases: Phases{
			Train: m.GetPhases().GetTrain(), Score: m.GetPhases().GetScore(),
			GenerateSequences: int(m.GetPhases().GetGenerateSequences()), GenerateLength: int(m.GetPhases().GetGenerateLength()),
		},
		Previous: m.GetPrevious(),
	}
	if err := wire.UnmarshalObject(s.GetConfig(), &req.Settings.Config); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return req, nil
}

func planToProto(p *Plan) *pb.Plan {
	out := &pb.Plan{
		Device: &pb.Device{
			Kind: p.Device.Kind, Name: p.Device.Name, Id: p.Device.ID, MemoryBytes: p.Device.MemoryBytes, Driver: p.Device.Driver,
		},
		MicroBatchTokens: int64(p.MicroBatchTokens), FlopsPerToken: p.FLOPsPerToken, SecondsPerStep: p.SecondsPerStep,
		Notes: p.Notes, Bound: p.Bound, SameAsPrevious: p.SameAsPrevious,
	}
	for _, m := range p.Memory {
		out.Memory = append(out.Memory, &pb.MemoryItem{Category: m.Category, Bytes: m.Bytes})
	}
	for _, c := range p.Choices {
		out.Choices = append(out.Choices, &pb.Choice{What: c.What, Why: c.Why, Bytes: c.Bytes, Seconds: c.Seconds})
	}
	return out
}

func batchFromProto(b *pb.Batch) *graph.Batch {
	return &graph.Batch{
		ID: b.GetId(), Position: b.GetPosition(), DocStart: b.GetDocStart(), DocEnd: b.GetDocEnd(),
		Sample: b.GetSample(), Weight: b.GetWeight(),
	}
}

func resultToProto(r *StepResult) *pb.StepResult {
	return &pb.StepResult{
		Step: r.Number, Loss: r.Loss, Weight: r.Weight, GradNorm: r.GradNorm, Skipped: r.Skipped, NotFinite: r.NotFinite,
		Tokens: r.Tokens, Seconds: r.Seconds, Metrics: r.Metrics, BatchLosses: r.BatchLosses,
	}
}

// Interface guards.
var (
	_ pb.KernelsServer    = (*server)(nil)
	_ goplugin.GRPCPlugin = (*grpcPlugin)(nil)
)
