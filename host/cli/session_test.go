package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugin"
)

// TestBalanceIsAnnounced: a kernels plugin that does not say that it trains balancing
// losses is not asked to.
func TestBalanceIsAnnounced(t *testing.T) {
	b := graph.New("MixtureForCausalLM")
	x := b.Embed("embed", 9, 4)
	indices, weights := b.Route(b.Linear(x, "router", 3, graph.RoleRouter), "route", graph.Route{
		Experts: 3, TopK: 2, Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1,
	})
	stack := b.Param("experts", []int{3, 4, 4}, graph.RoleExpertUp)
	y := b.ExpertLinear(x, indices, "experts", graph.ExpertLinear{Weight: stack, Bias: graph.NoParam, Experts: 3})
	b.Logits(b.Linear(b.Combine(y, weights, "combine"), "lm_head", 9, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	d := &kernels.Description{
		Ops: graph.OpNames(), Adapters: []string{"full"}, WeightTypes: []string{"auto"}, Objectives: []string{kernels.CrossEntropy},
	}
	s := &session{
		run: &runfile.Run{}, model: &basemodel.Model{Architecture: g.Architecture, Graph: g}, graph: adapt.Full(g),
		kernels: &selected{description: d, plugin: pluginhost.Plugin{Kind: plugin.Kernels, Name: "old"}},
	}
	s.run.Adapter.Kind, s.run.Model.DType = runfile.AdapterFull, "auto"
	if err := s.balance(); err != nil || s.graph.Balanced() {
		t.Fatalf("without a coefficient: %v, balanced %v", err, s.graph.Balanced())
	}
	if err := s.capable(); err != nil {
		t.Fatal(err)
	}
	s.run.Train.ExpertBalance = 0.01
	if err := s.balance(); err != nil || !s.graph.Balanced() {
		t.Fatalf("with one: %v, balanced %v", err, s.graph.Balanced())
	}
	err = s.capable()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != fault.Unsupported {
		t.Fatalf("got %v", err)
	}
	const lacks, hint = "old-kernels lacks expert_balance: balancing losses of experts (train.expert_balance)", "leave expert_balance out of the train block"
	if !strings.Contains(err.Error(), lacks) || !strings.Contains(f.Hint, hint) {
		t.Errorf("got %q, hint %q", err, f.Hint)
	}
	d.Capabilities = []string{kernels.ExpertBalance}
	if err := s.capable(); err != nil {
		t.Error(err)
	}
}
