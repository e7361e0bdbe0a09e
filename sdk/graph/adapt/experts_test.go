package adapt_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// mixture has two layers with stacks of three experts.
func mixture(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.New("Mixture")
	x := b.Embed("model.embed_tokens.weight", 9, 4)
	for i := range 2 {
		b.Scope("model.layers.%d", i)
		x = b.Linear(x, "self_attn.o_proj", 4, graph.RoleAttnO)
		indices, weights := b.Route(b.Linear(x, "mlp.gate", 3, graph.RoleRouter), "mlp.route", graph.Route{
			Experts: 3, TopK: 2, Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1,
		})
		const up, down = "mlp.experts.up_proj", "mlp.experts.down_proj"
		y := b.ExpertLinear(x, indices, up, graph.ExpertLinear{
			Weight: b.Param(up, []int{3, 5, 4}, graph.RoleExpertUp), Bias: b.Param(up+"_bias", []int{3, 5}, graph.RoleExpertUp), Experts: 3,
		})
		y = b.ExpertLinear(y, indices, down, graph.ExpertLinear{
			Weight: b.Param(down, []int{3, 4, 5}, graph.RoleExpertDown), Bias: graph.NoParam, Experts: 3,
		})
		x = b.Combine(y, weights, "mlp.combine")
	}
	b.Scope("")
	b.Logits(b.Linear(x, "lm_head", 9, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestExperts: what an adapter on stacks of experts is called, and that its description
// makes it again.
func TestExperts(t *testing.T) {
	for name, test := range map[string]struct {
		targets             []string
		modules, parameters []string
		shapes              map[string][]int
	}{
		"auto leaves them out": {[]string{adapt.Auto}, []string{"o_proj"}, nil, map[string][]int{"0.self_attn.o_proj": {2, 4}}},
		"one stack":            {[]string{"down_proj"}, nil, []string{"down_proj"}, map[string][]int{"1.mlp.experts": {6, 5}}},
		"one of one layer": {
			[]string{adapt.Auto, "0.mlp.experts.up_proj"}, []string{"o_proj"}, []string{"0.mlp.experts.up_proj"},
			map[string][]int{"0.mlp.experts": {6, 4}},
		},
		"both, one around the other": {
			[]string{"expert.*"}, nil, []string{"down_proj", "up_proj"},
			map[string][]int{"1.mlp.experts.base_layer": {6, 4}, "1.mlp.experts": {6, 5}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := adapt.Apply(mixture(t), adapt.LoRA{Rank: 2, Alpha: 4, Targets: test.targets, Bias: adapt.BiasLoRAOnly})
			if err != nil {
				t.Fatal(err)
			}
			shapes := map[string][]int{}
			for _, p := range g.Trainable() {
				shapes[p.Name] = p.Shape
			}
			for path, want := range test.shapes {
				if got := shapes["base_model.model.model.layers."+path+".lora_A.weight"]; !reflect.DeepEqual(got, want) {
					t.Errorf("A of %s: %v, want %v among %v", path, got, want, shapes)
				}
			}
			d, ok := adapt.Describe(g)
			if !ok || !reflect.DeepEqual(d.TargetModules, test.modules) || !reflect.DeepEqual(d.TargetParameters, test.parameters) {
				t.Errorf("target_modules %q, target_parameters %q", d.TargetModules, d.TargetParameters)
			}
			again, err := adapt.Apply(mixture(t), adapt.LoRA{Rank: 2, Alpha: 4, Targets: append(d.TargetModules, d.TargetParameters...)})
			if err != nil {
				t.Fatal(err)
			}
			if again.Text() != g.Text() {
				t.Errorf("by its description it is\n%s\nwant\n%s", again.Text(), g.Text())
			}
		})
	}
	for want, l := range map[string]adapt.LoRA{
		"lora_bias is not for experts": {LoRABias: true},
		`bias = "all" is not for`:      {Bias: adapt.BiasAll},
		"model.layers.0.mlp.experts.up_proj: DoRA is not for experts; leave it off, or them out of the targets":         {DoRA: true},
		`model.layers.0.mlp.experts.up_proj: init "pissa" is not for experts; leave it out, or them out of the targets`: {Init: adapt.InitPiSSA},
	} {
		l.Rank, l.Alpha, l.Targets = 2, 4, []string{"expert.*"}
		if _, err := adapt.Apply(mixture(t), l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
