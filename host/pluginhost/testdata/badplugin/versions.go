package main

import (
	"context"
	"os"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/plugin"
	pb "github.com/honeml/hone/sdk/proto/hone/v1"
)

// serveVersions serves a service at the versions of the protocol that are given, as
// plugins built with other SDKs do.
func serveVersions(kind plugin.Kind, impl goplugin.Plugin, versions ...int) {
	sets := map[int]goplugin.PluginSet{}
	for _, v := range versions {
		sets[v] = goplugin.PluginSet{string(kind): impl}
	}
	handshake := plugin.Handshake()
	handshake.ProtocolVersion = uint(versions[0])
	goplugin.Serve(&goplugin.ServeConfig{HandshakeConfig: handshake, VersionedPlugins: sets, GRPCServer: goplugin.DefaultGRPCServer})
	os.Exit(0)
}

// otherLogger is a logger that misbehaves in nothing but its version.
func otherLogger(name string) goplugin.Plugin { return logger.NewPlugin(&badLogger{name: name}) }

// newerModel is a model plugin whose SDK has a later release of the same protocol: it
// says more than this one knows.
type newerModel struct {
	goplugin.NetRPCUnsupportedPlugin
	pb.UnimplementedModelServer
	name string
}

func (m *newerModel) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pb.RegisterModelServer(s, m)
	return nil
}

func (*newerModel) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

// Describe has a capability and a field that this SDK does not know.
func (m *newerModel) Describe(context.Context, *pb.Empty) (*pb.ModelDescription, error) {
	d := &pb.ModelDescription{
		Name: m.name, Version: "9.0.0", Architectures: []string{"BadForCausalLM"}, Capabilities: []string{"telepathy"},
	}
	d.ProtoReflect().SetUnknown(field(50))
	return d, nil
}

// Build answers a small Graph of this SDK's, with what the configuration names beyond it.
func (*newerModel) Build(_ context.Context, req *pb.BuildRequest) (*pb.BuildResponse, error) {
	g := &pb.Graph{
		Architecture: "BadForCausalLM", Logits: 1,
		Params: []*pb.Param{{
			Name: "embed.weight", Shape: []int64{6, 4}, Role: "embed", Module: "embed", Source: &pb.Source{Op: "tensor", Names: []string{"embed.weight"}},
		}},
		Values: []*pb.Value{{Width: 4, Slots: 1, Type: "act"}, {Node: 1, Width: 6, Slots: 1, Type: "act"}},
		Nodes: []*pb.Node{
			{Name: "embed", Outputs: []int64{0}, Op: &pb.Node_Embed{Embed: &pb.Embed{Table: 1, Scale: 1}}},
			{Name: "head", Inputs: []int64{0}, Outputs: []int64{1}, Op: &pb.Node_Linear{Linear: &pb.Linear{Module: "embed", Weight: 1}}},
		},
	}
	switch string(req.GetConfiguration()) {
	case "attribute":
		g.GetNodes()[1].GetLinear().ProtoReflect().SetUnknown(field(60))
	case "operation":
		g.Nodes[1].Op = nil
		g.GetNodes()[1].ProtoReflect().SetUnknown(field(22))
	}
	return &pb.BuildResponse{Graph: g}, nil
}

// field is a field of 1 as it stands in a message.
func field(n protowire.Number) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), 1)
}

// serveNewerModel serves it.
func serveNewerModel(name string) {
	serveVersions(plugin.Model, &newerModel{name: name}, plugin.ProtocolVersion)
}

// Interface guard.
var _ goplugin.GRPCPlugin = (*newerModel)(nil)
