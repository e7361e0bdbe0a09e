package adapt_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// llama is the model of testdata/gen_peft.py: two layers, a head of its own, biases
// in its attention.
func llama(t testing.TB) *graph.Graph {
	t.Helper()
	b := graph.New("LlamaForCausalLM")
	x := b.Embed("model.embed_tokens.weight", 16, 8)
	for i := range 2 {
		b.Scope("model.layers.%d", i)
		h := b.RMSNorm(x, "input_layernorm", 1e-6)
		q := b.Linear(h, "self_attn.q_proj", 8, graph.RoleAttnQ, graph.WithBias(true))
		k := b.Linear(h, "self_attn.k_proj", 4, graph.RoleAttnK, graph.WithBias(true))
		v := b.Linear(h, "self_attn.v_proj", 4, graph.RoleAttnV, graph.WithBias(true))
		y := b.Attention(q, k, v, "self_attn", graph.AttentionSpec{Heads: 4, KVHeads: 2, Scale: 1})
		x = b.Add(x, b.Linear(y, "self_attn.o_proj", 8, graph.RoleAttnO, graph.WithBias(true)), "attn.residual")
		h = b.RMSNorm(x, "post_attention_layernorm", 1e-6)
		gate, up := b.Linear(h, "mlp.gate_proj", 12, graph.RoleMLPGate), b.Linear(h, "mlp.up_proj", 12, graph.RoleMLPUp)
		y = b.Linear(b.Gated(gate, up, "silu", "mlp.act"), "mlp.down_proj", 8, graph.RoleMLPDown)
		x = b.Add(x, y, "mlp.residual")
	}
	b.Scope("")
	b.Logits(b.Linear(b.RMSNorm(x, "model.norm", 1e-6), "lm_head", 16, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// targets reads PEFT's target_modules: a list, or the word all-linear.
type targets []string

func (l *targets) UnmarshalJSON(data []byte) error {
	if string(data) == `"all-linear"` {
		*l = targets{adapt.Auto}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

// TestPEFT compares what is adapted and trained, names and shapes, with PEFT; see
// testdata/gen_peft.py.
func TestPEFT(t *testing.T) {
	data, err := os.ReadFile("testdata/peft.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden []struct {
		Targets  targets
		R        int
		Bias     adapt.Bias
		LoRABias bool `json:"lora_bias"`
		DoRA     bool
		Adapter  map[string][]int
		Own      []string
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	for _, want := range golden {
		t.Run(fmt.Sprint(want.Targets, want.Bias), func(t *testing.T) {
			before := llama(t)
			text := before.Text()
			g, err := adapt.Apply(before, adapt.LoRA{
				Rank: max(want.R, 2), Alpha: 8, Targets: want.Targets, Bias: want.Bias, LoRABias: want.LoRABias, DoRA: want.DoRA,
			})
			if err != nil {
				t.Fatal(err)
			}
			if before.Text() != text {
				t.Error("the Graph that Apply was given has changed")
			}
			adapter, own := map[string][]int{}, []string{}
			for _, p := range g.Trainable() {
				if p.Adapter == "" {
					own = append(own, p.Name)
				} else {
					adapter[p.Name] = p.Shape
				}
			}
			slices.Sort(own)
			if !reflect.DeepEqual(adapter, want.Adapter) {
				t.Errorf("adapter %v, PEFT has %v", adapter, want.Adapter)
			}
			if !slices.Equal(own, want.Own) {
				t.Errorf("trained of the model's own: %v, PEFT has %v", own, want.Own)
			}
		})
	}
}

// TestApply looks at what an adapter is made of.
func TestApply(t *testing.T) {
	g, err := adapt.Apply(llama(t), adapt.LoRA{
		Name: "style", Rank: 4, Alpha: 6, RSLoRA: true, Dropout: 0.1, LoRABias: true, Targets: []string{"1.mlp.down_proj"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var found []*graph.Linear
	for _, n := range g.Nodes {
		if l, ok := n.Op.(*graph.Linear); ok && l.Adapter != nil {
			found = append(found, l)
		}
	}
	if len(found) != 1 || found[0].Module != "model.layers.1.mlp.down_proj" {
		t.Fatalf("adapters on %v", found)
	}
	a := found[0].Adapter
	if a.Name != "style" || a.Rank != 4 || a.Alpha != 6 || !a.RSLoRA || a.Dropout != 0.1 || a.Magnitude != graph.NoParam || a.Scaling() != 3 {
		t.Errorf("%+v with scaling %v", a, a.Scaling())
	}
	want := graph.Param{
		ID: a.B, Name: "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight", Shape: []int{8, 4}, Role: graph.RoleLoRA,
		Module: "model.layers.1.mlp.down_proj", Init: graph.InitZeros, Adapter: "style", Trainable: true,
	}
	if got := g.Params[a.B]; !reflect.DeepEqual(*got, want) {
		t.Errorf("B is %+v, want %+v", *got, want)
	}
	if p := g.Params[a.A]; p.Init != graph.InitKaiming || !slices.Equal(p.Shape, []int{4, 12}) {
		t.Errorf("A is %+v", p)
	}
	if p := g.Params[a.Bias]; p.Init != graph.InitZeros || !strings.HasSuffix(p.Name, ".lora_B.bias") {
		t.Errorf("the bias of B is %+v", p)
	}
	if a := (&graph.Adapter{Rank: 4, Alpha: 6}); a.Scaling() != 1.5 {
		t.Errorf("scaling %v, want alpha/rank", a.Scaling())
	}
}

func TestTargets(t *testing.T) {
	g := llama(t)
	all := func(names ...string) (out []string) {
		for i := range 2 {
			for _, n := range names {
				out = append(out, fmt.Sprintf("model.layers.%d.%s", i, n))
			}
		}
		return out
	}
	attention := []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"}
	mlp := []string{"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}
	for _, test := range []struct {
		name     string
		patterns []string
		want     []string
	}{
		{"auto leaves out the head", []string{"auto"}, all(slices.Concat(attention, mlp)...)},
		{"a last part", []string{"q_proj"}, all("self_attn.q_proj")},
		{"a whole path", []string{"model.layers.0.mlp.up_proj"}, []string{"model.layers.0.mlp.up_proj"}},
		{"an ending in whole parts", []string{"0.self_attn.v_proj"}, []string{"model.layers.0.self_attn.v_proj"}},
		{"the head by name", []string{"lm_head"}, []string{"lm_head"}},
		{"the order is the model's", []string{"up_proj", "q_proj"}, all("self_attn.q_proj", "mlp.up_proj")},
		{"twice named", []string{"q_proj", "self_attn.q_proj"}, all("self_attn.q_proj")},
		{"a role", []string{"mlp.down"}, all("mlp.down_proj")},
		{"a role with *", []string{"attn.*"}, all(attention...)},
		{"a last part with *", []string{"*_proj"}, all(slices.Concat(attention, mlp)...)},
		{"a path with *", []string{"model.layers.1.mlp.*"}, all(mlp...)[3:]},
		{"* in the middle", []string{"layers.*.k_proj"}, all("self_attn.k_proj")},
		{"* alone", []string{"*"}, append(all(slices.Concat(attention, mlp)...), "lm_head")},
		{"several *", []string{"mo*lay*.0.*att*v_*"}, []string{"model.layers.0.self_attn.v_proj"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			nodes, err := adapt.Targets(g, test.patterns)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, i := range nodes {
				got = append(got, g.Nodes[i].Name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	good := adapt.LoRA{Rank: 2, Alpha: 2, Targets: []string{"q_proj"}}
	with := func(change func(*adapt.LoRA)) adapt.LoRA {
		l := good
		change(&l)
		return l
	}
	to := func(targets ...string) adapt.LoRA { return with(func(l *adapt.LoRA) { l.Targets = targets }) }
	nan := math.NaN()
	for _, test := range []struct {
		name string
		lora adapt.LoRA
		want string
	}{
		{"rank 0", with(func(l *adapt.LoRA) { l.Rank = 0 }), "rank 0, want at least 1"},
		{"a rank beyond reason", with(func(l *adapt.LoRA) { l.Rank = 1 << 20 }), "rank 1048576"},
		{"alpha 0", with(func(l *adapt.LoRA) { l.Alpha = 0 }), "alpha 0, want above 0"},
		{"alpha -1", with(func(l *adapt.LoRA) { l.Alpha = -1 }), "alpha -1"},
		{"alpha NaN", with(func(l *adapt.LoRA) { l.Alpha = nan }), "alpha NaN"},
		{"dropout 1", with(func(l *adapt.LoRA) { l.Dropout = 1 }), "dropout 1, want at least 0 and below 1"},
		{"dropout below 0", with(func(l *adapt.LoRA) { l.Dropout = -0.1 }), "dropout -0.1"},
		{"dropout NaN", with(func(l *adapt.LoRA) { l.Dropout = nan }), "dropout NaN"},
		{"another bias", with(func(l *adapt.LoRA) { l.Bias = "some" }), `bias "some", want none, all or lora_only`},
		{"DoRA with a bias", with(func(l *adapt.LoRA) { l.DoRA, l.LoRABias = true, true }), "DoRA has no bias in B"},
		{"DoRA of an embedding", with(func(l *adapt.LoRA) { l.DoRA, l.Targets = true, []string{"embed_tokens"} }), `no linear of the model is called "embed_tokens"`},
		{"another init", with(func(l *adapt.LoRA) { l.Init = "olora" }), `init "olora", want lora or pissa`},
		{"PiSSA with DoRA", with(func(l *adapt.LoRA) { l.Init, l.DoRA = adapt.InitPiSSA, true }), `init "pissa" is not together with DoRA`},
		{"PiSSA of too high a rank", with(func(l *adapt.LoRA) { l.Init, l.Rank = adapt.InitPiSSA, 100 }), "model.layers.0.self_attn.q_proj: rank 100 is more than the 8 singular values of its weight [8 8]"},
		{"no targets", to(), "no targets"},
		{"a letter wrong", to("q_prok"), `called "q_prok"; near it: q_proj`},
		{"one of several unknown", to("q_proj", "qproj"), `called "qproj"; near it: q_proj`},
		{"a part wrong", to("self_atn.o_proj"), `near it: self_attn.o_proj`},
		{"a role wrong", to("atn.q"), `near it: attn.q`},
		{"not whole parts", to("proj"), `called "proj"`},
		{"a norm is no linear", to("input_layernorm"), `called "input_layernorm"`},
		{"empty", to(""), `called ""`},
		{"very long", to(strings.Repeat("q", 10000)), `by the 10000 bytes "qqqq`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := adapt.Apply(llama(t), test.lora); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	g, err := adapt.Apply(llama(t), good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := adapt.Apply(g, good); err == nil || !strings.Contains(err.Error(), "model.layers.0.self_attn.q_proj has one already") {
		t.Errorf("a second adapter: %v", err)
	}
	b := graph.New("None")
	b.Logits(b.Embed("embed.weight", 4, 4))
	none, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"auto", "q_proj"} {
		if _, err := adapt.Apply(none, to(target)); err == nil || !strings.Contains(err.Error(), "no linear") {
			t.Errorf("a model without linears: %v", err)
		}
	}
}

// TestSharedModule: a module that a model applies twice has one adapter, and two
// weights under one path are refused.
func TestSharedModule(t *testing.T) {
	build := func() *graph.Graph {
		b := graph.New("Shared")
		x := b.Embed("embed.weight", 4, 4)
		other := b.Param("other.weight", []int{4, 4}, graph.RoleMLPUp)
		x = b.Linear(x, "up", 4, graph.RoleMLPUp)
		x = b.Linear(x, "up", 4, graph.RoleMLPUp)
		x = b.Linear(x, "other", 4, graph.RoleMLPUp, graph.Tied(other))
		b.Logits(x)
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	lora := adapt.LoRA{Rank: 1, Alpha: 1, Targets: []string{"up"}}
	g, err := adapt.Apply(build(), lora)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(g.Trainable()); n != 2 {
		t.Errorf("%d trainable parameters, want A and B", n)
	}
	if s := adapt.Summarise(g); s.Adapter != 8 || len(s.Targets) != 1 || len(s.Targets[0].Modules) != 1 || s.Targets[0].Elements != 8 {
		t.Errorf("%+v", s)
	}
	if d, _ := adapt.Describe(g); !slices.Equal(d.TargetModules, []string{"up"}) {
		t.Errorf("target_modules %v", d.TargetModules)
	}
	clash := build()
	second, _ := clash.Nodes[2].Op.(*graph.Linear)
	other, _ := clash.Nodes[3].Op.(*graph.Linear)
	second.Weight = other.Weight
	if _, err := adapt.Apply(clash, lora); err == nil || !strings.Contains(err.Error(), "different weights have the module path up") {
		t.Errorf("error %v", err)
	}
}

// TestFull: everything is trained, tied weights once.
func TestFull(t *testing.T) {
	before := llama(t)
	g := adapt.Full(before)
	if len(g.Trainable()) != len(g.Params) || len(before.Trainable()) != 0 {
		t.Errorf("%d of %d parameters trained, %d in the Graph that Full was given", len(g.Trainable()), len(g.Params), len(before.Trainable()))
	}
	s := adapt.Summarise(g)
	if s.Own != s.Model || s.Adapter != 0 || s.Model != 16*8*2+8*5+2*(8*8*2+8*4*2+8+4+4+8+3*8*12) {
		t.Errorf("%+v", s)
	}
	// An adapter beside full parameters: both are trained.
	if g, err := adapt.Apply(g, adapt.LoRA{Rank: 1, Alpha: 1, Targets: []string{"lm_head"}}); err != nil || len(g.Trainable()) != len(g.Params) {
		t.Errorf("%v", err)
	}
}

func TestSummarise(t *testing.T) {
	g, err := adapt.Apply(llama(t), adapt.LoRA{Rank: 2, Alpha: 2, Targets: []string{"attn.k", "down_proj"}, Bias: adapt.BiasLoRAOnly})
	if err != nil {
		t.Fatal(err)
	}
	got := adapt.Summarise(g)
	want := []adapt.Target{
		{Name: "k_proj", Role: graph.RoleAttnK, Modules: []string{"model.layers.0.self_attn.k_proj", "model.layers.1.self_attn.k_proj"}, Elements: 2 * 2 * (8 + 4)},
		{Name: "down_proj", Role: graph.RoleMLPDown, Modules: []string{"model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"}, Elements: 2 * 2 * (12 + 8)},
	}
	if !reflect.DeepEqual(got.Targets, want) || got.Adapter != 128 || got.Own != 8 {
		t.Errorf("%+v", got)
	}
}
