package export_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/export"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// withExperts is a model with a dense MLP and, where experts, a mixture after it.
func withExperts(t *testing.T, experts bool, targets ...string) *graph.Graph {
	t.Helper()
	b := graph.New("DeepseekV3ForCausalLM")
	x := b.Embed("model.embed_tokens.weight", 50, 16)
	x = b.Linear(b.Linear(x, "model.layers.0.mlp.up_proj", 32, graph.RoleMLPUp), "model.layers.0.mlp.down_proj", 16, graph.RoleMLPDown)
	if experts {
		router := b.Linear(x, "model.layers.1.mlp.gate", 4, graph.RoleRouter, graph.Float32Out())
		slots, weights := b.Route(router, "model.layers.1.mlp.route", graph.Route{Experts: 4, TopK: 2, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1, Bias: graph.NoParam})
		down := b.Param("model.layers.1.mlp.experts.down_proj", []int{4, 16, 16}, graph.RoleExpertDown)
		y := b.ExpertLinear(x, slots, "model.layers.1.mlp.experts.down_proj", graph.ExpertLinear{Weight: down, Bias: graph.NoParam, Experts: 4})
		x = b.Combine(y, weights, "model.layers.1.mlp.combine")
	}
	b.Logits(b.Linear(x, "lm_head", 50, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = adapt.Apply(g, adapt.LoRA{Rank: 2, Alpha: 2, Targets: targets}); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestFusedByPEFT(t *testing.T) {
	for name, test := range map[string]struct {
		g    *graph.Graph
		want []string
	}{
		"no experts":    {withExperts(t, false, "up_proj"), nil},
		"dense linears": {withExperts(t, true, "up_proj"), []string{"up_proj"}},
	} {
		got := export.FusedByPEFT(test.g)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		card := string(export.Card{Name: "a", Base: "b", Fused: got}.Markdown())
		if says := strings.Contains(card, "fused experts"); says != (len(test.want) > 0) {
			t.Errorf("%s: the card is %q", name, card)
		}
	}
}
