package adapt_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/graphtest"
)

// adapters are the ranks and alphas of what is adapted, by path.
func adapters(g *graph.Graph) map[string][2]float64 {
	out := map[string][2]float64{}
	for _, n := range g.Nodes {
		if l, ok := n.Op.(*graph.Linear); ok && l.Adapter != nil {
			out[l.Module] = [2]float64{float64(l.Adapter.Rank), l.Adapter.Alpha}
		}
	}
	return out
}

// own are the model's own parameters that are trained.
func own(g *graph.Graph) (names []string) {
	for _, p := range g.Trainable() {
		if p.Adapter == "" {
			names = append(names, p.Name)
		}
	}
	return names
}

func TestLinears(t *testing.T) {
	g := llama(t)
	for _, test := range []struct {
		name string
		lora adapt.LoRA
		want string // the paths' ends
	}{
		{"exclude a role", adapt.LoRA{Targets: []string{"auto"}, Exclude: []string{"attn.*", "up_proj", "1.mlp.gate_proj"}}, "0.mlp.gate_proj 0.mlp.down_proj 1.mlp.down_proj"},
		{"a layer", adapt.LoRA{Targets: []string{"q_proj", "lm_head"}, Layers: []int{1}}, "1.self_attn.q_proj"},
		{"a module in full", adapt.LoRA{Targets: []string{"down_proj", "head"}, Modules: []string{"lm_head"}}, "0.mlp.down_proj 1.mlp.down_proj"},
		{"a regular expression", adapt.LoRA{Targets: []string{`~.*\.1\.(self_attn|mlp)\.[qu].*`}}, "1.self_attn.q_proj 1.mlp.up_proj"},
		{"a regular expression is of the whole path", adapt.LoRA{Targets: []string{`~.*q_proj|lm`, "k_proj"}}, "0.self_attn.q_proj 0.self_attn.k_proj 1.self_attn.q_proj 1.self_attn.k_proj"},
	} {
		t.Run(test.name, func(t *testing.T) {
			nodes, err := test.lora.Linears(g)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, i := range nodes {
				got = append(got, strings.TrimPrefix(g.Nodes[i].Name, "model.layers."))
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("%s, want %s", s, test.want)
			}
		})
	}
}

func TestLinearsErrors(t *testing.T) {
	for _, test := range []struct {
		lora adapt.LoRA
		want string
	}{
		{adapt.LoRA{Exclude: []string{"q_prj"}}, `no linear of the model is called "q_prj"; near it: q_proj`},
		{adapt.LoRA{Exclude: []string{"*"}}, "no linear is left"},
		{adapt.LoRA{Layers: []int{2}}, "layer 2: those of the model with linears are 0 to 1"},
		{adapt.LoRA{Targets: []string{"head"}, Layers: []int{1}}, "no linear is left"},
		{adapt.LoRA{Targets: []string{"head"}, Modules: []string{"head"}}, "no linear is left"},
		{adapt.LoRA{Modules: []string{"embed_token"}}, `no module of the model is called "embed_token"; near it: embed_tokens`},
		{adapt.LoRA{Targets: []string{"~(?!x)"}}, `the regular expression "(?!x)"`},
		{adapt.LoRA{Targets: []string{"~q_proj"}}, `no linear of the model is called "~q_proj"; near it: q_proj`},
		{adapt.LoRA{Ranks: []adapt.Exception[int]{{"q_proj", 0}}}, "q_proj: rank 0"},
		{adapt.LoRA{Alphas: []adapt.Exception[float64]{{"q_proj", -1}}}, "q_proj: alpha -1"},
	} {
		test.lora.Rank, test.lora.Alpha = 2, 2
		if test.lora.Targets == nil {
			test.lora.Targets = []string{adapt.Auto}
		}
		if _, err := adapt.Apply(llama(t), test.lora); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.lora, err, test.want)
		}
	}
}

func TestExceptions(t *testing.T) {
	g := llama(t)
	targets, err := adapt.Targets(g, []string{"attn.*", "mlp.up"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := adapt.Exceptions(g, targets, map[string]int{"*": 1, "attn.*": 2, "0.self_attn.q_proj": 3, "q_proj": 4, "k_proj": 4})
	if err != nil {
		t.Fatal(err)
	}
	want := []adapt.Exception[int]{{"0.self_attn.q_proj", 3}, {"k_proj", 4}, {"q_proj", 4}, {"attn.*", 2}, {"*", 1}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for want, values := range map[string]map[string]int{
		`no linear of the model is called "down_proj"; near it: o_proj`:                               {"down_proj": 2}, // no target
		`model.layers.0.self_attn.q_proj is 2 by "attn.q" and 3 by "q_proj", and neither is narrower`: {"q_proj": 3, "attn.q": 2},
	} {
		if _, err := adapt.Exceptions(g, targets, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestModules: what is trained in full, by names and by roles; weights that are shared
// are trained by either name.
func TestModules(t *testing.T) {
	tied := graph.New("Tied")
	x := tied.Embed("model.embed_tokens.weight", 6, 4)
	table := tied.Param("model.embed_tokens.weight", []int{6, 4}, graph.RoleEmbed)
	x = tied.Linear(x, "up", 4, graph.RoleMLPUp)
	tied.Logits(tied.Linear(x, "lm_head", 6, graph.RoleHead, graph.Tied(table)))
	shared, err := tied.Graph()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		g       *graph.Graph
		modules []string
		want    string
		peft    []string
	}{
		{llama(t), []string{"lm_head", "embed"}, "model.embed_tokens.weight lm_head.weight", []string{"embed_tokens", "lm_head"}},
		{llama(t), []string{"model.norm"}, "model.norm.weight", []string{"model.norm"}},
		{llama(t), []string{"0.self_attn.q_proj"}, "model.layers.0.self_attn.q_proj.weight model.layers.0.self_attn.q_proj.bias", []string{"0.self_attn.q_proj"}},
		{shared, []string{"lm_head"}, "model.embed_tokens.weight", []string{"embed_tokens", "lm_head"}},
		{shared, []string{"embed"}, "model.embed_tokens.weight", []string{"embed_tokens", "lm_head"}},
	} {
		targets := []string{"up_proj"}
		if test.g == shared {
			targets = []string{"up"}
		}
		g, err := adapt.Apply(test.g, adapt.LoRA{Rank: 1, Alpha: 1, Targets: targets, Modules: test.modules})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(own(g), " "); got != test.want {
			t.Errorf("%v: %s are trained, want %s", test.modules, got, test.want)
		}
		d, _ := adapt.Describe(g)
		if !slices.Equal(d.ModulesToSave, test.peft) || d.EnsureWeightTying != (test.g == shared) {
			t.Errorf("%v: modules_to_save %v, ties %v; want %v", test.modules, d.ModulesToSave, d.EnsureWeightTying, test.peft)
		}
	}
}

// TestDescribe: endings of paths, with the layer where there is no other way.
func TestDescribe(t *testing.T) {
	for _, test := range []struct {
		name    string
		targets []string
		want    []string
		layers  []int
	}{
		{"all", []string{"auto"}, []string{"down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"}, nil},
		{"one in each layer", []string{"q_proj"}, []string{"q_proj"}, nil},
		{"of one layer", []string{"1.self_attn.q_proj", "1.mlp.up_proj"}, []string{"q_proj", "up_proj"}, []int{1}},
		{"of each layer another", []string{"1.self_attn.q_proj", "0.mlp.up_proj"}, []string{"0.mlp.up_proj", "1.self_attn.q_proj"}, nil},
		{"of one layer, and the head", []string{"layers.0.mlp.*", "lm_head"}, []string{"0.mlp.down_proj", "0.mlp.gate_proj", "0.mlp.up_proj", "lm_head"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, err := adapt.Apply(llama(t), adapt.LoRA{Rank: 1, Alpha: 1, Targets: test.targets})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := adapt.Describe(g); !slices.Equal(got.TargetModules, test.want) || !slices.Equal(got.LayersToTransform, test.layers) {
				t.Errorf("%v of layers %v, want %v of %v", got.TargetModules, got.LayersToTransform, test.want, test.layers)
			}
		})
	}
	g, err := adapt.Apply(llama(t), adapt.LoRA{
		Rank: 4, Alpha: 8, Targets: []string{"auto"},
		Ranks: []adapt.Exception[int]{{"attn.*", 2}, {"lm_head", 9}}, Alphas: []adapt.Exception[float64]{{"1.mlp.up_proj", 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := adapt.Describe(g)
	got.TargetModules = nil
	want := adapt.PEFT{
		Rank: 2, RankPattern: map[string]int{"down_proj": 4, "gate_proj": 4, "up_proj": 4},
		Alpha: 8, AlphaPattern: map[string]float64{`1\.mlp\.up_proj`: 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, ok := adapt.Describe(llama(t)); ok {
		t.Error("an adapter is described that is not there")
	}
}

// named is what target_modules and layers_to_transform name, by PEFT's rule.
func named(p adapt.PEFT, path string) bool {
	if slices.Contains(p.TargetModules, path) {
		return true
	}
	ends := slices.ContainsFunc(p.TargetModules, func(n string) bool { return strings.HasSuffix(path, "."+n) })
	if !ends || p.LayersToTransform == nil {
		return ends
	}
	found := regexp.MustCompile(`^.*?\.[^.]*\.(\d+)\.`).FindStringSubmatch(path)
	return found != nil && slices.ContainsFunc(p.LayersToTransform, func(n int) bool { return fmt.Sprint(n) == found[1] })
}

// valueOf is what a pattern of PEFT's says, by its rule.
func valueOf[T any](t *testing.T, pattern map[string]T, path string, usual T) T {
	t.Helper()
	var all []T
	for key, v := range pattern {
		if regexp.MustCompile(`^(.*\.)?(` + key + `)$`).MatchString(path) {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return usual
	}
	for _, v := range all {
		if fmt.Sprint(v) != fmt.Sprint(all[0]) {
			t.Errorf("%v says several things of %s", pattern, path)
		}
	}
	return all[0]
}

// TestPEFTTermsMeanTheSame: on random graphs and adapters, what is written for PEFT
// means by its rules what was meant, and is read back as it.
func TestPEFTTermsMeanTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(53, 54))
	for range 100 {
		g := graphtest.Random(rng, graphtest.Options{Frozen: true}).Graph
		if rng.IntN(2) == 0 {
			g = llama(t)
		}
		l := adapt.LoRA{Rank: 3, Alpha: 5}
		for _, i := range g.Linears() {
			path := g.Nodes[i].Op.(*graph.Linear).Module //nolint:forcetypeassert // Linears says so
			if rng.IntN(3) > 0 {
				l.Targets = append(l.Targets, path)
			}
			if rng.IntN(3) == 0 {
				l.Ranks = append(l.Ranks, adapt.Exception[int]{Pattern: path, Value: 1 + rng.IntN(4)})
			}
			if rng.IntN(3) == 0 {
				l.Alphas = append(l.Alphas, adapt.Exception[float64]{Pattern: path, Value: 1 + rng.Float64()})
			}
		}
		if len(l.Targets) == 0 {
			continue
		}
		adapted, err := adapt.Apply(g, l)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := adapt.Describe(adapted)
		want, got := adapters(adapted), map[string][2]float64{}
		for _, i := range g.Linears() {
			path := g.Nodes[i].Op.(*graph.Linear).Module //nolint:forcetypeassert // Linears says so
			if named(d, path) {
				got[path] = [2]float64{float64(valueOf(t, d.RankPattern, path, d.Rank)), valueOf(t, d.AlphaPattern, path, d.Alpha)}
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%+v means %v, the adapters are %v", d, got, want)
		}
		data, err := json.Marshal(map[string]any{
			"r": d.Rank, "lora_alpha": d.Alpha, "target_modules": d.TargetModules, "layers_to_transform": d.LayersToTransform,
			"rank_pattern": d.RankPattern, "alpha_pattern": d.AlphaPattern,
		})
		if err != nil {
			t.Fatal(err)
		}
		back, err := adapt.ParseConfig(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := adapt.Apply(g, back)
		if err != nil {
			t.Fatal(err)
		}
		if got := adapters(again); !maps.Equal(got, want) {
			t.Errorf("%s is read as %v, the adapters are %v", data, got, want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"peft_type": "LORA", "r": 4, "target_modules": ["q_proj"], "rank_pattern": {"k": 3}, "modules_to_save": ["lm_head"]}`))
	f.Add([]byte(`{"target_modules": ".*\\.(q|k)_proj", "alpha_pattern": {"a.*b": 2.5}, "layers_to_transform": [1], "layers_pattern": "layers"}`))
	g := llama(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := adapt.ParseConfig(data)
		if err != nil {
			return
		}
		if adapted, err := adapt.Apply(g, l); err == nil {
			if _, ok := adapt.Describe(adapted); !ok {
				t.Error("an adapter of nothing")
			}
		}
	})
}
