package kernels

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/internal/wire"
	pb "github.com/honeml/hone/sdk/proto/hone/v1"
)

// TestNewerHost: what a newer host asks for and this SDK does not know is refused, not
// left out.
func TestNewerHost(t *testing.T) {
	b := graph.New("SmallForCausalLM")
	b.Logits(b.Linear(b.Embed("embed", 6, 4), "lm_head", 6, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	request := func() *pb.BindRequest {
		return &pb.BindRequest{
			Graph: wire.GraphToProto(g), Settings: &pb.Settings{Optimizer: &pb.Optimizer{}}, Limits: &pb.Limits{}, Phases: &pb.Phases{},
		}
	}
	if _, err := bindFromProto(request()); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		part func(*pb.BindRequest) proto.Message
	}{
		{"Settings", func(r *pb.BindRequest) proto.Message { return r.GetSettings() }},
		{"Optimizer", func(r *pb.BindRequest) proto.Message { return r.GetSettings().GetOptimizer() }},
		{"Limits", func(r *pb.BindRequest) proto.Message { return r.GetLimits() }},
		{"Phases", func(r *pb.BindRequest) proto.Message { return r.GetPhases() }},
		{"Linear", func(r *pb.BindRequest) proto.Message { return r.GetGraph().GetNodes()[1].GetLinear() }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := request()
			test.part(r).ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 60, protowire.VarintType), 1))
			_, err := bindFromProto(r)
			want := test.name + " has field 60, which this version of hone does not know"
			if !errors.Is(err, fault.Unsupported) || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}
