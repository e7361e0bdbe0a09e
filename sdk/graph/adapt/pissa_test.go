package adapt_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// TestPiSSA: A and B are trained, what they began with is not; PEFT is told of the plain
// adapter that is saved, of twice the rank and the same scaling, exceptions likewise.
func TestPiSSA(t *testing.T) {
	root := math.Sqrt2 // in float64
	for _, test := range []struct {
		rslora bool
		want   adapt.PEFT
	}{
		{false, adapt.PEFT{Rank: 4, Alpha: 12, RankPattern: map[string]int{"down_proj": 6}, AlphaPattern: map[string]float64{"down_proj": 10}}},
		{true, adapt.PEFT{
			Rank: 4, Alpha: 6 * root, RankPattern: map[string]int{"down_proj": 6}, AlphaPattern: map[string]float64{"down_proj": 5 * root},
		}},
	} {
		g, err := adapt.Apply(llama(t), adapt.LoRA{
			Rank: 2, Alpha: 6, RSLoRA: test.rslora, Init: adapt.InitPiSSA, Targets: []string{"q_proj", "k_proj", "down_proj"},
			Ranks: []adapt.Exception[int]{{Pattern: "down_proj", Value: 3}}, Alphas: []adapt.Exception[float64]{{Pattern: "down_proj", Value: 5}},
		})
		if err != nil {
			t.Fatal(err)
		}
		elements := int64(0)
		for _, n := range g.Nodes {
			a := graph.AdapterOf(n.Op)
			if a == nil {
				continue
			}
			pairs := map[graph.ParamID]graph.ParamID{a.A: a.Start.A, a.B: a.Start.B}
			for trained, frozen := range pairs {
				p, q := g.Params[trained], g.Params[frozen]
				if !p.Trainable || q.Trainable || p.Init != graph.InitPrincipal || q.Init != graph.InitPrincipal || !slices.Equal(p.Shape, q.Shape) {
					t.Errorf("%s began with %s: %+v, %+v", p.Name, q.Name, p, q)
				}
				elements += int64(p.Elements())
			}
			rank, alpha := a.Plain()
			plain := graph.Adapter{Rank: rank, Alpha: alpha, RSLoRA: a.RSLoRA}
			if rank != 2*a.Rank || math.Abs(plain.Scaling()-a.Scaling()) > 1e-15*a.Scaling() {
				t.Errorf("a plain adapter of rank %d and scaling %v for one of %d and %v", rank, plain.Scaling(), a.Rank, a.Scaling())
			}
		}
		if s := adapt.Summarise(g); s.Adapter != elements {
			t.Errorf("%d elements of adapters are trained, %d are counted", elements, s.Adapter)
		}
		got, _ := adapt.Describe(g)
		test.want.TargetModules = []string{"down_proj", "k_proj", "q_proj"}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%+v, want %+v", got, test.want)
		}
		if text := g.Text(); !strings.Contains(text, "pissa:default(rank=2 alpha=6") {
			t.Errorf("no adapter with a start in\n%s", text)
		}
	}
}

// TestChangedBases: an adapter that fits a base that PEFT changed is refused; it would
// mean something else on the base as it is.
func TestChangedBases(t *testing.T) {
	for init, refused := range map[string]bool{
		`true`: false, `false`: false, `null`: false, `"gaussian"`: false, `"eva"`: false, `"orthogonal"`: false,
		`"pissa"`: true, `"pissa_niter_16"`: true, `"olora"`: true, `"OLoRA"`: true, `"corda"`: true, `"loftq"`: true, `"lora_ga"`: true,
	} {
		_, err := adapt.ParseConfig([]byte(`{"target_modules": ["q"], "init_lora_weights": ` + init + `}`))
		if refused != (err != nil) || refused && !strings.Contains(err.Error(), "its init_lora_weights is "+init) {
			t.Errorf("init_lora_weights %s: %v", init, err)
		}
	}
}
