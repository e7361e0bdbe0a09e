package graph_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/graph/live"
	"github.com/honeml/hone/sdk/graph/recompute"
)

// leaves lists everything below v that can be set.
func leaves(v reflect.Value, out []reflect.Value) []reflect.Value {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.CanSet() {
			out = append(out, v)
		}
		if !v.IsNil() {
			out = leaves(v.Elem(), out)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			out = leaves(v.Field(i), out)
		}
	case reflect.Slice:
		out = append(out, v)
		for i := range v.Len() {
			out = leaves(v.Index(i), out)
		}
	default:
		if v.CanSet() {
			out = append(out, v)
		}
	}
	return out
}

// corrupt sets something in g to something else.
func corrupt(rng *rand.Rand, g *graph.Graph) {
	all := leaves(reflect.ValueOf(g), nil)
	v := all[rng.IntN(len(all))]
	switch v.Kind() {
	case reflect.Int:
		v.SetInt([]int64{0, 1, -1, 2, 3, math.MaxInt64, math.MinInt64, v.Int() + 1, v.Int() - 1, rng.Int64N(50)}[rng.IntN(10)])
	case reflect.Float64, reflect.Float32:
		v.SetFloat([]float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e300}[rng.IntN(6)])
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString([]string{"", "x", "norm", "x * y", "((((", "act", "i32", "tensor", "else", "zeros"}[rng.IntN(10)])
	case reflect.Pointer, reflect.Interface:
		// Another of its kind, or nothing.
		same := all[rng.IntN(len(all))]
		for i := 0; i < 20 && same.Type() != v.Type(); i++ {
			same = all[rng.IntN(len(all))]
		}
		if same.Type() == v.Type() && rng.IntN(2) == 0 && v.Type() != reflect.TypeFor[*graph.Source]() {
			v.Set(same)
			return
		}
		v.SetZero()
	case reflect.Slice:
		switch n := v.Len(); {
		case n > 0 && rng.IntN(3) == 0:
			v.Set(v.Slice(0, n-1))
		case n > 0 && rng.IntN(2) == 0:
			v.Set(reflect.AppendSlice(v.Slice(0, n), v.Slice(n-1, n)))
		default:
			v.SetZero()
		}
	}
}

// survive does all that is done to a Graph which came from a plugin. Nothing may
// panic, whatever Validate says.
func survive(g *graph.Graph) (valid bool) {
	if g.Validate() != nil {
		return false
	}
	_, _ = g.Text(), g.Ops()
	for _, p := range g.Params {
		if p.Source != nil {
			_, _ = p.Source.Shape(shapes)
			_ = p.Source.Tensors()
		}
	}
	if adapted, err := adapt.Apply(g, adapt.LoRA{Rank: 1, Alpha: 1, Targets: []string{adapt.Auto}}); err == nil {
		g = adapted
	}
	_ = adapt.Summarise(g)
	_, _ = adapt.Describe(g)
	s, err := diff.Differentiate(adapt.Full(g), diff.Options{Adapter: adapt.DefaultName})
	if err != nil {
		s = diff.ForwardOnly(g, diff.Options{})
	}
	_ = live.Buffers(recompute.Plan(s, recompute.Layers(g)))
	return true
}

// TestCorrupted: a Graph in which anything was changed is refused or still does.
func TestCorrupted(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 62))
	refused, valid := 0, 0
	for i := range 3000 {
		g := everything(t)
		if i%3 == 0 {
			g = graphtest.Random(rng, graphtest.Options{Nodes: 8}).Graph
		}
		for range 1 + rng.IntN(3) {
			corrupt(rng, g)
		}
		if survive(g) {
			valid++
		} else {
			refused++
		}
	}
	t.Logf("%d refused, %d still valid", refused, valid)
	if refused < 1000 || valid < 200 {
		t.Errorf("%d refused, %d still valid: too few of one kind", refused, valid)
	}
}

// FuzzValidate corrupts a Graph as the fuzzer's numbers say.
func FuzzValidate(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, uint8(1+seed%5), seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, changes uint8, random bool) {
		rng := rand.New(rand.NewPCG(seed, 1))
		g := everything(t)
		if random {
			g = graphtest.Random(rng, graphtest.Options{Nodes: 8}).Graph
		}
		for range changes % 8 {
			corrupt(rng, g)
		}
		survive(g)
	})
}
