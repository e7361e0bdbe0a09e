package logger

import (
	"context"
	"encoding/json"
	"fmt"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/internal/wire"
	"github.com/honeml/hone/sdk/plugin"
	pb "github.com/honeml/hone/sdk/proto/hone/v1"
)

// Serve serves l as a plugin process. It does not return.
func Serve(l Logger) { plugin.Serve(plugin.Logger, NewPlugin(l)) }

// NewPlugin is go-plugin's view of a logger plugin: l is what a plugin process
// serves, nil in the host.
func NewPlugin(l Logger) goplugin.Plugin { return &grpcPlugin{impl: l} }

type grpcPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	impl Logger
}

// GRPCServer registers the service in a plugin process.
func (p *grpcPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pb.RegisterLoggerServer(s, &server{impl: p.impl})
	return nil
}

// GRPCClient gives the host a [Logger] over the connection.
func (p *grpcPlugin) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return &client{rpc: pb.NewLoggerClient(conn)}, nil
}

type server struct {
	pb.UnimplementedLoggerServer
	impl Logger
}

func (s *server) Describe(ctx context.Context, _ *pb.Empty) (*pb.LoggerDescription, error) {
	d, err := s.impl.Describe(ctx)
	if err != nil {
		return nil, wire.ToStatus(err)
	}
	schema, err := json.Marshal(d.Schema)
	if err != nil {
		return nil, wire.ToStatus(fmt.Errorf("schema: %w", err))
	}
	return &pb.LoggerDescription{
		Name: d.Name, Version: d.Version, Schema: schema, Rewind: string(d.Rewind), Capabilities: d.Capabilities,
	}, nil
}

func (s *server) Open(ctx context.Context, req *pb.OpenRequest) (*pb.OpenResponse, error) {
	run := &Run{
		Name: req.GetName(), Directory: req.GetDirectory(), Attempt: req.GetAttempt(),
		Start: wire.TimeFrom(req.GetStartUnixNano()), Resolved: req.GetRun(),
	}
	if err := wire.UnmarshalObject(req.GetHyperparameters(), &run.Hyperparameters); err != nil {
		return nil, wire.ToStatus(fmt.Errorf("hyperparameters: %w", err))
	}
	if err := wire.UnmarshalObject(req.GetConfig(), &run.Config); err != nil {
		return nil, wire.ToStatus(fmt.Errorf("configuration: %w", err))
	}
	opened, err := s.impl.Open(ctx, run)
	if err != nil {
		return nil, wire.ToStatus(err)
	}
	return &pb.OpenResponse{Attempt: opened.Attempt, Seq: opened.Seq, Notes: opened.Notes}, nil
}

func (s *server) Log(ctx context.Context, req *pb.LogRequest) (*pb.Empty, error) {
	records := make([]Record, len(req.GetRecords()))
	for i, r := range req.GetRecords() {
		records[i] = recordFromProto(r)
	}
	return &pb.Empty{}, wire.ToStatus(s.impl.Log(ctx, records))
}

func (s *server) Close(ctx context.Context, req *pb.CloseRequest) (*pb.Empty, error) {
	return &pb.Empty{}, wire.ToStatus(s.impl.Close(ctx, Status{State: req.GetStatus(), Reason: req.GetReason()}))
}

type client struct{ rpc pb.LoggerClient }

func (c *client) Describe(ctx context.Context) (*Description, error) {
	d, err := c.rpc.Describe(ctx, &pb.Empty{})
	if err != nil {
		return nil, wire.FromStatus(err)
	}
	out := &Description{
		Name: d.GetName(), Version: d.GetVersion(), Rewind: Rewind(d.GetRewind()), Capabilities: d.GetCapabilities(),
	}
	if out.Schema, err = config.ParseSchema(d.GetSchema()); err != nil {
		return nil, err
	}
	return out, nil
}

func (c *client) Open(ctx context.Context, run *Run) (*Opened, error) {
	hyperparameters, err := json.Marshal(run.Hyperparameters)
	if err != nil {
		return nil, fmt.Errorf("hyperparameters: %w", err)
	}
	block, err := json.Marshal(run.Config)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	resp, err := c.rpc.Open(ctx, &pb.OpenRequest{
		Name: wire.Text(run.Name), Directory: run.Directory, Attempt: run.Attempt, StartUnixNano: wire.UnixNano(run.Start),
		Run: run.Resolved, Hyperparameters: hyperparameters, Config: block,
	})
	if err != nil {
		return nil, wire.FromStatus(err)
	}
	return &Opened{Attempt: resp.GetAttempt(), Seq: resp.GetSeq(), Notes: resp.GetNotes()}, nil
}

func (c *client) Log(ctx context.Context, records []Record) error {
	req := &pb.LogRequest{}
	for i := range records {
		req.Records = append(req.Records, recordToProto(&records[i]))
	}
	_, err := c.rpc.Log(ctx, req)
	return wire.FromStatus(err)
}

func (c *client) Close(ctx context.Context, status Status) error {
	_, err := c.rpc.Close(ctx, &pb.CloseRequest{Status: status.State, Reason: wire.Text(status.Reason)})
	return wire.FromStatus(err)
}

func recordToProto(r *Record) *pb.Record {
	out := &pb.Record{
		Attempt: r.Attempt, Seq: r.Seq, Step: r.Step, TimeUnixNano: wire.UnixNano(r.Time),
		Texts: wire.TextMap(r.Texts), Images: wire.TextMap(r.Images),
	}
	if len(r.Scalars) > 0 {
		out.Scalars = make(map[string]float64, len(r.Scalars))
	}
	for name, v := range r.Scalars {
		out.Scalars[wire.Text(name)] = v
	}
	if len(r.Histograms) > 0 {
		out.Histograms = make(map[string]*pb.Histogram, len(r.Histograms))
	}
	for name, h := range r.Histograms {
		out.Histograms[wire.Text(name)] = &pb.Histogram{Edges: h.Edges, Counts: h.Counts, Sum: h.Sum, SumSquares: h.SumSquares}
	}
	if len(r.Tables) > 0 {
		out.Tables = make(map[string]*pb.Table, len(r.Tables))
	}
	for name, t := range r.Tables {
		table := &pb.Table{Columns: wire.Texts(t.Columns)}
		for _, row := range t.Rows {
			table.Rows = append(table.Rows, &pb.Strings{Items: wire.Texts(row)})
		}
		out.Tables[wire.Text(name)] = table
	}
	return out
}

func recordFromProto(r *pb.Record) Record {
	out := Record{
		Attempt: r.GetAttempt(), Seq: r.GetSeq(), Step: r.GetStep(), Time: wire.TimeFrom(r.GetTimeUnixNano()),
		Scalars: r.GetScalars(), Texts: r.GetTexts(), Images: r.GetImages(),
	}
	for name, h := range r.GetHistograms() {
		if out.Histograms == nil {
			out.Histograms = make(map[string]Histogram)
		}
		out.Histograms[name] = Histogram{
			Edges: h.GetEdges(), Counts: h.GetCounts(), Sum: h.GetSum(), SumSquares: h.GetSumSquares(),
		}
	}
	for name, t := range r.GetTables() {
		if out.Tables == nil {
			out.Tables = make(map[string]Table)
		}
		table := Table{Columns: t.GetColumns()}
		for _, row := range t.GetRows() {
			table.Rows = append(table.Rows, row.GetItems())
		}
		out.Tables[name] = table
	}
	return out
}

// Interface guards.
var (
	_ Logger              = (*client)(nil)
	_ pb.LoggerServer     = (*server)(nil)
	_ goplugin.GRPCPlugin = (*grpcPlugin)(nil)
)
