package engine

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/plugins/cpu-kernels/workers"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/interp"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugintest"
)

// mixed is a graph with every operation, in an order that no model has.
func mixed(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.New("Mixed")
	const vocabulary, width = 23, 24
	x := b.EmbedScaled("embed.weight", vocabulary, width, 1.5)
	c := b.Conv(x, "conv", 3, true)
	h := b.Norm(b.Add(x, c, "sum"), "norm1", graph.NormSpec{Epsilon: 1e-5, PlusOne: true})
	qkv := b.Linear(h, "qkv", 3*width, graph.RoleAttnQKV, graph.WithBias(true))
	parts := b.Split(qkv, "split", 4, 6, 6, 6)
	freq := []float32{1, 0.3, 0.05}
	q := b.RoPE(parts[0], "q", graph.RoPE{Heads: 4, Freq: freq, Factor: 1.1})
	k := b.RoPE(parts[1], "k", graph.RoPE{Heads: 4, Freq: freq[:2], Offset: 1, Interleaved: true})
	k = b.Norm(k, "knorm", graph.NormSpec{Epsilon: 1e-6, Groups: 4, Centre: true, Bias: true})
	a := b.Attention(q, k, parts[2], "attn", graph.AttentionSpec{Heads: 4, KVHeads: 4, Scale: 0.6, Window: 4, Cap: 5, Sinks: "sinks"})
	one := b.Linear(a, "one", 1, graph.RoleMLPUp)
	groups := b.Linear(a, "groups", 4, graph.RoleMLPUp)
	m := b.Map("map", "silu(a) * sigmoid(one) + tanh(g) * w + s * log1p(pos) * a",
		graph.In("a", a), graph.In("one", one), graph.In("g", groups),
		graph.Par("w", b.Param("w", []int{width}, graph.RoleMapParam)), graph.Par("s", b.Param("s", []int{1}, graph.RoleMapParam)))
	narrow := b.Linear(m, "narrow", 2, graph.RoleMLPUp)
	cat := b.Concat("cat", 4, graph.Part(m), graph.Repeated(narrow))
	k2 := b.Linear(cat, "k2", 12, graph.RoleAttnK)
	v2 := b.Linear(cat, "v2", 16, graph.RoleAttnV)
	a2 := b.Attention(a, k2, v2, "attn2", graph.AttentionSpec{Heads: 4, KVHeads: 2, Scale: 0.4, Chunk: 3})
	e := experts(b, b.Norm(b.Linear(a2, "down", width, graph.RoleMLPDown), "before", graph.NormSpec{Epsilon: 1e-5}))
	y := b.Norm(e, "final", graph.NormSpec{Epsilon: 1e-5})
	logits := b.Linear(b.Add(y, x, "residual"), "head", vocabulary, graph.RoleHead)
	b.Logits(b.SoftCap(logits, 4, "cap"))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// repeated has a concat that takes one value three times, once in each of its groups.
func repeated(t *testing.T) *graph.Graph {
	t.Helper()
	const vocabulary, width = 23, 8
	b := graph.New("Repeated")
	x := b.Embed("embed.weight", vocabulary, width)
	x = b.Linear(b.Concat("cat", 2, graph.Part(x), graph.Repeated(x), graph.Part(x)), "down", width, graph.RoleMLPDown)
	b.Logits(b.Linear(x, "head", vocabulary, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// experts are two mixtures, of x's width: one with everything that a route has, whose
// experts have biases; and one that weighs what its experts take.
func experts(b *graph.Builder, x graph.ValueID) graph.ValueID {
	const width, inner, count = 24, 10, 6
	stack := func(name string, out, in int, bias bool) graph.ExpertLinear {
		o := graph.ExpertLinear{Weight: b.Param(name, []int{count, out, in}, graph.RoleExpertUp), Bias: graph.NoParam, Experts: count}
		if bias {
			o.Bias = b.Param(name+"_bias", []int{count, out}, graph.RoleExpertUp)
		}
		return o
	}
	logits := b.Linear(x, "router", count, graph.RoleRouter, graph.Float32Out())
	indices, weights := b.Route(logits, "route", graph.Route{
		Experts: count, TopK: 3, Sigmoid: true, Bias: b.Param("correction", []int{count}, graph.RoleRouter),
		Groups: 3, Keep: 2, GroupTop: 2, Normalise: true, NormEpsilon: 1e-3, Factor: 1.7,
	})
	h := b.ExpertLinear(x, indices, "experts.gate_up_proj", stack("experts.gate_up_proj", 2*inner, width, true))
	parts := b.Split(h, "experts.split", inner, 1, 1)
	h = b.Gated(b.Concat("experts.concat", 2, graph.Part(parts[0]), graph.Repeated(b.Split(parts[0], "experts.half", 1, inner/2, inner/2)[0])),
		b.Concat("experts.twice", 1, graph.Part(parts[1]), graph.Part(parts[1])), "silu", "experts.act")
	y := b.ExpertLinear(h, indices, "experts.down_proj", stack("experts.down_proj", width, 2*inner, false))
	x = b.Add(x, b.Combine(y, weights, "experts.combine"), "experts.residual")

	logits = b.Linear(x, "router2", count, graph.RoleRouter)
	indices, weights = b.Route(logits, "route2", graph.Route{
		Experts: count, TopK: 2, Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1, Normalise: true, Factor: 1,
	})
	y = b.WeighedExpertLinear(x, indices, weights, "experts2.up_proj", stack("experts2.up_proj", width, width, false))
	y = b.Map("experts2.act", "tanh(y) * w + log1p(pos) * s", graph.In("y", y),
		graph.Par("w", b.Param("experts2.w", []int{width}, graph.RoleMapParam)), graph.Par("s", b.Param("experts2.s", []int{1}, graph.RoleMapParam)))
	return b.Add(x, b.CombinePlain(y, "experts2.combine"), "experts2.residual")
}

// values draws every parameter, adapters' B too.
func values(g *graph.Graph, seed uint64) [][]float32 {
	r := rand.New(rand.NewPCG(seed, 9))
	out := make([][]float32, len(g.Params))
	for i, p := range g.Params {
		out[i] = make([]float32, p.Elements())
		scale := 1 / math.Sqrt(float64(p.Shape[len(p.Shape)-1]))
		if len(p.Shape) == 1 {
			scale = 0.5
		}
		for j := range out[i] {
			out[i][j] = float32(r.NormFloat64() * scale)
		}
	}
	return out
}

// zeros has every third magnitude be zero, and every fourth row of W and of B.
func zeros(g *graph.Graph, params [][]float32) {
	for _, n := range g.Nodes {
		l, ok := n.Op.(*graph.Linear)
		if !ok || l.Adapter == nil {
			continue
		}
		for i := range params[l.Adapter.Magnitude] {
			if i%3 == 0 {
				params[l.Adapter.Magnitude][i] = 0
			}
			if i%4 == 1 {
				for _, id := range []graph.ParamID{l.Weight, l.Adapter.B} {
					width := g.Params[id].Shape[1]
					clear(params[id][i*width : (i+1)*width])
				}
			}
		}
	}
}

func batch(lengths ...int) *graph.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	b := &graph.Batch{}
	for sample, n := range lengths {
		ids, weights := make([]int32, n), make([]float32, n)
		for i := range ids {
			ids[i] = int32(r.IntN(23))
			if r.IntN(3) > 0 {
				weights[i] = float32(r.IntN(3))
			}
		}
		b.Append(int32(sample+5), ids, weights)
	}
	return b
}

// write puts parameters that have a source into a file for Load, and the others
// into an adapter.
func load(t *testing.T, e *Engine, params [][]float32) {
	t.Helper()
	wide := make([][]float64, len(params))
	for i, values := range params {
		for _, v := range values {
			wide[i] = append(wide[i], float64(v))
		}
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := plugintest.WriteCheckpoint(path, e.g, wide); err != nil {
		t.Fatal(err)
	}
	if err := e.Load(context.Background(), &kernels.LoadRequest{Checkpoint: []string{path}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range e.g.Params {
		if p.Source == nil {
			copy(e.params[p.ID].f32, params[p.ID])
		}
	}
}

func norm(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}

func distance(got []float32, want []float64) float64 {
	difference := make([]float64, len(want))
	for i, w := range want {
		difference[i] = float64(got[i]) - w
	}
	return norm(difference)
}

func TestEngineAgreesWithTheInterpreter(t *testing.T) {
	plain := mixed(t)
	adapted, err := adapt.Apply(plain, adapt.LoRA{Rank: 3, Alpha: 5, RSLoRA: true, Dropout: 0.2, LoRABias: true, Bias: adapt.BiasAll, Targets: []string{"auto"}})
	if err != nil {
		t.Fatal(err)
	}
	headOnly, err := adapt.Apply(plain, adapt.LoRA{Rank: 2, Alpha: 4, Targets: []string{"head"}})
	if err != nil {
		t.Fatal(err)
	}
	magnitudes, err := adapt.Apply(plain, adapt.LoRA{Rank: 3, Alpha: 5, RSLoRA: true, DoRA: true, Dropout: 0.2, Targets: []string{"auto", "head"}})
	if err != nil {
		t.Fatal(err)
	}
	sparse, err := adapt.Apply(plain, adapt.LoRA{Rank: 2, Alpha: 4, DoRA: true, Bias: adapt.BiasLoRAOnly, Targets: []string{"auto"}})
	if err != nil {
		t.Fatal(err)
	}
	starts, err := adapt.Apply(plain, adapt.LoRA{
		Rank: 3, Alpha: 5, RSLoRA: true, Init: adapt.InitPiSSA, Dropout: 0.2, LoRABias: true, Targets: []string{"auto", "head"},
		Ranks: []adapt.Exception[int]{{Pattern: "one", Value: 1}, {Pattern: "narrow", Value: 2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	experts, err := adapt.Apply(plain, adapt.LoRA{Rank: 3, Alpha: 5, Dropout: 0.2, Targets: []string{"auto", "experts*"}})
	if err != nil {
		t.Fatal(err)
	}
	balanced, err := adapt.Balance(experts, 0.3)
	if err != nil {
		t.Fatal(err)
	}
	balancedFull, err := adapt.Balance(adapt.Full(plain), 1.5)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name      string
		g         *graph.Graph
		adapter   string
		recompute string
	}{
		{"full", adapt.Full(plain), "", RecomputeNone},
		{"full, recomputed", adapt.Full(plain), "", RecomputeLayers},
		{"adapters", adapted, adapt.DefaultName, RecomputeNone},
		{"DoRA", magnitudes, adapt.DefaultName, RecomputeNone},
		{"DoRA, recomputed", magnitudes, adapt.DefaultName, RecomputeLayers},
		{"DoRA with zeros", sparse, adapt.DefaultName, RecomputeNone},
		{"PiSSA", starts, adapt.DefaultName, RecomputeNone},
		{"PiSSA, recomputed", starts, adapt.DefaultName, RecomputeLayers},
		{"experts", experts, adapt.DefaultName, RecomputeNone},
		{"experts, recomputed", experts, adapt.DefaultName, RecomputeLayers},
		{"balance", balanced, adapt.DefaultName, RecomputeNone},
		{"balance, recomputed", balanced, adapt.DefaultName, RecomputeLayers},
		{"balance, full", balancedFull, "", RecomputeNone},
		{"balance, full, recomputed", balancedFull, "", RecomputeLayers},
		{"one value as several inputs", adapt.Full(repeated(t)), "", RecomputeNone},
		{"head alone", headOnly, adapt.DefaultName, RecomputeNone},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			params := values(test.g, 3)
			if test.g == sparse {
				zeros(test.g, params)
			}
			req := &kernels.BindRequest{
				Graph:    test.g,
				Settings: kernels.Settings{Adapter: test.adapter, Seed: 42, MaxLength: 16, Optimizer: kernels.Optimizer{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}},
				Phases:   kernels.Phases{Train: true, Score: true},
			}
			e, err := Bind(req, Options{Recompute: test.recompute}, workers.New(2))
			if err != nil {
				t.Fatal(err)
			}
			load(t, e, params)
			batches := []*graph.Batch{batch(7, 1, 12), batch(16)}
			s, err := diff.Differentiate(test.g, diff.Options{Adapter: test.adapter})
			if err != nil {
				t.Fatal(err)
			}
			wide := func(id graph.ParamID) []float64 {
				out := make([]float64, len(params[id]))
				for i, v := range params[id] {
					out[i] = float64(v)
				}
				return out
			}
			var wantLoss, wantBalance, weight float64
			want := map[graph.ParamID][]float64{}
			for _, b := range batches {
				run, err := interp.New(test.g, wide, b, interp.Options{Adapter: test.adapter, Training: true, Seed: 42, Step: 1})
				if err != nil {
					t.Fatal(err)
				}
				loss, gradients, err := run.Step(s)
				if err != nil {
					t.Fatal(err)
				}
				wantLoss += loss
				wantBalance += run.Balance()
				weight += b.TotalWeight()
				for id, g := range gradients {
					if want[id] == nil {
						want[id] = make([]float64, len(g))
					}
					for i, v := range g {
						want[id][i] += v
					}
				}
			}
			score, err := interp.New(test.g, wide, batches[0], interp.Options{Adapter: test.adapter})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := score.Forward(); err != nil {
				t.Fatal(err)
			}
			logProbs, err := e.Score(context.Background(), test.adapter, batches[0])
			if err != nil {
				t.Fatal(err)
			}
			if d := distance(logProbs, score.LogProbs()); !(d <= 1e-5*norm(score.LogProbs())) {
				t.Errorf("log-probabilities differ by %.2g", d)
			}
			r, err := e.Step(context.Background(), &kernels.Step{Number: 1, LearningRate: 1e-3, Objective: kernels.CrossEntropy, Batches: batches})
			if err != nil {
				t.Fatal(err)
			}
			if d := math.Abs(r.Loss-wantLoss) / wantLoss; !(d <= 1e-5) {
				t.Errorf("loss %v, want %v", r.Loss, wantLoss)
			}
			balance, reported := r.Metrics[kernels.AuxLoss]
			if d := math.Abs(balance*weight - wantBalance); reported != test.g.Balanced() || !(d <= 1e-5*wantBalance) {
				t.Errorf("%v and reported %v: balancing losses of %v, want %v", test.g.Balanced(), reported, balance*weight, wantBalance)
			}
			if r.Weight != weight {
				t.Errorf("weight %v, want %v", r.Weight, weight)
			}
			for _, p := range test.g.Trainable() {
				// Some gradients are zero but for rounding: a bias of keys shifts all
				// scores of a row alike.
				if d := distance(e.grads[p.ID], want[p.ID]); !(d <= 1e-4*norm(want[p.ID])+1e-6*wantLoss) {
					t.Errorf("gradient of %s, of norm %.3g, differs by %.2g", p.Name, norm(want[p.ID]), d)
				}
			}
		})
	}
}

// TestScratchIsPlanned: a step of linears with adapters takes no more scratch memory than
// the plan says.
func TestScratchIsPlanned(t *testing.T) {
	for name, l := range map[string]adapt.LoRA{
		"plain": {}, "dropout": {Dropout: 0.1}, "DoRA": {DoRA: true}, "DoRA with dropout": {DoRA: true, Dropout: 0.1},
		"PiSSA": {Init: adapt.InitPiSSA}, "PiSSA with dropout": {Init: adapt.InitPiSSA, Dropout: 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			b := graph.New("Wide")
			x := b.Embed("embed.weight", 23, 64)
			x = b.Linear(b.Linear(x, "up", 512, graph.RoleMLPUp), "down", 64, graph.RoleMLPDown)
			b.Logits(b.Linear(x, "head", 23, graph.RoleHead))
			g, err := b.Graph()
			if err != nil {
				t.Fatal(err)
			}
			l.Rank, l.Alpha, l.Targets = 3, 5, []string{adapt.Auto}
			if g, err = adapt.Apply(g, l); err != nil {
				t.Fatal(err)
			}
			e, err := Bind(&kernels.BindRequest{
				Graph: g, Phases: kernels.Phases{Train: true},
				Settings: kernels.Settings{Adapter: adapt.DefaultName, Seed: 42, MaxLength: 64, TokensPerStep: 64, Optimizer: kernels.Optimizer{Epsilon: 1e-8}},
			}, Options{}, workers.New(2))
			if err != nil {
				t.Fatal(err)
			}
			load(t, e, values(g, 3))
			step := &kernels.Step{Number: 1, LearningRate: 1e-3, Objective: kernels.CrossEntropy, Batches: []*graph.Batch{batch(64)}}
			if _, err := e.Step(context.Background(), step); err != nil {
				t.Fatal(err)
			}
			taken := 4 * e.normFloats()
			for _, s := range e.free {
				taken += 4 * int64(cap(s))
			}
			if taken > e.layout.scratchBytes {
				t.Errorf("%d bytes of scratch memory were taken, %d planned", taken, e.layout.scratchBytes)
			}
		})
	}
}
