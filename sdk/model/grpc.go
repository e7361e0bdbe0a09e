package model

import (
	"context"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/internal/wire"
	"github.com/honeml/hone/sdk/plugin"
	pb "github.com/honeml/hone/sdk/proto/hone/v1"
)

// Serve serves m as a plugin process. It does not return.
func Serve(m Model) { plugin.Serve(plugin.Model, NewPlugin(m)) }

// NewPlugin is go-plugin's view of a model plugin: m is what a plugin process
// serves, nil in the host.
func NewPlugin(m Model) goplugin.Plugin { return &grpcPlugin{impl: m} }

type grpcPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	impl Model
}

// GRPCServer registers the service in a plugin process.
func (p *grpcPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pb.RegisterModelServer(s, &server{impl: p.impl})
	return nil
}

// GRPCClient gives the host a [Model] over the connection.
func (p *grpcPlugin) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return &client{rpc: pb.NewModelClient(conn)}, nil
}

type server struct {
	pb.UnimplementedModelServer
	impl Model
}

func (s *server) Describe(ctx context.Context, _ *pb.Empty) (*pb.ModelDescription, error) {
	d, err := s.impl.Describe(ctx)
	if err != nil {
		return nil, wire.ToStatus(err)
	}
	return &pb.ModelDescription{
		Name: d.Name, Version: d.Version, Architectures: d.Architectures, GgufArchitectures: d.GGUFArchitectures,
		Capabilities: d.Capabilities,
	}, nil
}

func (s *server) Build(ctx context.Context, req *pb.BuildRequest) (*pb.BuildResponse, error) {
	g, err := s.impl.Build(ctx, &BuildRequest{
		Configuration: req.GetConfiguration(), MaxLength: int(req.GetMaxLength()), Untied: req.GetUntied(),
		Options: req.GetOptions(),
	})
	if err != nil {
		return nil, wire.ToStatus(err)
	}
	return &pb.BuildResponse{Graph: wire.GraphToProto(g)}, nil
}

func (s *server) FromGGUF(ctx context.Context, req *pb.FromGGUFRequest) (*pb.FromGGUFResponse, error) {
	in := &FromGGUFRequest{Metadata: wire.TypedMapFromProto(req.GetMetadata()), Tensors: map[string][]int{}, RopeFactors: map[string][]float32{}}
	for name, shape := range req.GetTensors() {
		for _, d := range shape.GetItems() {
			in.Tensors[name] = append(in.Tensors[name], int(d))
		}
	}
	for name, values := range req.GetRopeFactors() {
		in.RopeFactors[name] = values.GetItems()
	}
	out, err := s.impl.FromGGUF(ctx, in)
	if err != nil {
		return nil, wire.ToStatus(err)
	}
	resp := &pb.FromGGUFResponse{Configuration: out.Configuration, Tensors: map[string]*pb.Source{}}
	for name, source := range out.Tensors {
		resp.Tensors[name] = wire.SourceToProto(source)
	}
	return resp, nil
}

func (s *server) ToGGUF(ctx context.Context, req *pb.ToGGUFRequest) (*pb.ToGGUFResponse, error) {
	out, err := s.impl.ToGGUF(ctx, &ToGGUFRequest{Configuration: req.GetConfiguration(), Tensors: req.GetTensors()})
	if err != nil {
		return nil, wire.ToStatus(err)
	}
	resp := &pb.ToGGUFResponse{Architecture: out.Architecture}
	if resp.Metadata, err = wire.TypedMapToProto(out.Metadata); err != nil {
		return nil, wire.ToStatus(err)
	}
	for _, t := range out.Tensors {
		resp.Tensors = append(resp.Tensors, &pb.GGUFTensor{Name: t.Name, Source: wire.SourceToProto(t.Source), Values: t.Values})
	}
	return resp, nil
}

type client struct{ rpc pb.ModelClient }

func (c *client) Describe(ctx context.Context) (*Description, error) {
	d, err := c.rpc.Describe(ctx, &pb.Empty{})
	if err != nil {
		return nil, wire.FromStatus(err)
	}
	return &Description{
		Name: d.GetName(), Version: d.GetVersion(), Architectures: d.GetArchitectures(),
		GGUFArchitectures: d.GetGgufArchitectures(), Capabilities: d.GetCapabilities(),
	}, nil
}

func (c *client) Build(ctx context.Context, req *BuildRequest) (*graph.Graph, error) {
	resp, err := c.rpc.Build(ctx, &pb.BuildRequest{
		Configuration: req.Configuration, MaxLength: int64(req.MaxLength), Untied: req.Untied, Options: req.Options,
	})
	if err != nil {
		return nil, wire.FromStatus(err)
	}
	return wire.GraphFromProto(resp.GetGraph())
}

func (c *client) FromGGUF(ctx context.Context, req *FromGGUFRequest) (*FromGGUFResponse, error) {
	metadata, err := wire.TypedMapToProto(req.Metadata)
	if err != nil {
		return nil, err
	}
	in := &pb.FromGGUFRequest{Metadata: metadata, Tensors: map[string]*pb.Integers{}, RopeFactors: map[string]*pb.Floats{}}
	for name, shape := range req.Tensors {
		dims := &pb.Integers{}
		for _, d := range shape {
			dims.Items = append(dims.Items, int64(d))
		}
		in.Tensors[name] = dims
	}
	for name, values := range req.RopeFactors {
		in.RopeFactors[name] = &pb.Floats{Items: values}
	}
	resp, err := c.rpc.FromGGUF(ctx, in)
	if err != nil {
		return nil, wire.FromStatus(err)
	}
	out := &FromGGUFResponse{Configuration: resp.GetConfiguration(), Tensors: map[string]*graph.Source{}}
	for name, source := range resp.GetTensors() {
		if out.Tensors[name], err = wire.SourceFromProto(source, 0); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *client) ToGGUF(ctx context.Context, req *ToGGUFRequest) (*ToGGUFResponse, error) {
	resp, err := c.rpc.ToGGUF(ctx, &pb.ToGGUFRequest{Configuration: req.Configuration, Tensors: req.Tensors})
	if err != nil {
		return nil, wire.FromStatus(err)
	}
	out := &ToGGUFResponse{Architecture: resp.GetArchitecture()}
	if out.Metadata, err = wire.ExactMapFromProto(resp.GetMetadata()); err != nil {
		return nil, err
	}
	for _, t := range resp.GetTensors() {
		source, err := wire.SourceFromProto(t.GetSource(), 0)
		if err != nil {
			return nil, err
		}
		out.Tensors = append(out.Tensors, GGUFTensor{Name: t.GetName(), Source: source, Values: t.GetValues()})
	}
	return out, nil
}

// Interface guards.
var (
	_ Model               = (*client)(nil)
	_ pb.ModelServer      = (*server)(nil)
	_ goplugin.GRPCPlugin = (*grpcPlugin)(nil)
)
