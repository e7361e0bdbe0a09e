package plugintest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/graph/interp"
	"github.com/honeml/hone/sdk/kernels"
)

func kernelsScoreRules() []rule[*kernelsKit] {
	return []rule[*kernelsKit]{
		{"kernels/logprobs-match-interpreter", "Score gives each token's log-probability after those before it, and 0 at a document's first", kernelsScore},
		{"kernels/adapter-off", "with no adapter named, Score gives the model without it", kernelsAdapterOff},
		{"kernels/score-without-dropout", "Score drops nothing", kernelsScoreDropout},
		{"kernels/documents-are-separate", "a document's numbers do not depend on those beside it in the micro-batch", kernelsSeparate},
		{"kernels/packing-invariant", "where a document lies in a micro-batch changes nothing but rounding", kernelsPacking},
		{"kernels/bad-batch-refused", "a micro-batch with an id beyond the vocabulary, or larger than the plan, is refused as bad input", kernelsBadBatch},
	}
}

func kernelsScore(c *check, k *kernelsKit) {
	batches := []*graph.Batch{pack(newDocuments(1, 9, 1, 14, 2)...), pack(newDocuments(2, maxLength)...), pack(newDocuments(3, 1)...)}
	for _, f := range []*fixture{k.lora, k.full} {
		if f == k.full && !slices.Contains(k.description.Adapters, "full") {
			continue
		}
		s := k.open(c, f, nil)
		got, want := s.score(s.train, batches...), k.reference(c, f, nil).score(s.train, batches...)
		rounded := want
		if k.rounds() {
			rounded = k.rounded(c, f, nil).score(s.train, batches...)
		}
		for i := range batches {
			c.logProbsNear(got[i], want[i], allow(k.close.logProb, farthest(rounded[i], want[i])), fmt.Sprintf("in micro-batch %d, the log-probability", i))
			for t, position := range batches[i].Position {
				if position == 0 && got[i][t] != 0 {
					c.fail("in micro-batch %d, token %d is a document's first and has %v", i, t, got[i][t])
				}
			}
		}
	}
}

func kernelsAdapterOff(c *check, k *kernelsKit) {
	k.needAdapters(c, "lora")
	batch := pack(newDocuments(1, 20)...)
	s, ref := k.open(c, k.lora, nil), k.reference(c, k.lora, nil)
	rounded := ref
	if k.rounds() {
		rounded = k.rounded(c, k.lora, nil)
	}
	compare := func(adapter, what string) {
		want := ref.score(adapter, batch)[0]
		limit := allow(k.close.logProb, farthest(rounded.score(adapter, batch)[0], want))
		c.logProbsNear(s.score(adapter, batch)[0], want, limit, what)
	}
	compare("", "with the adapter off, the log-probability")
	compare(s.train, "with the adapter on again, the log-probability")
	err := s.backend.Score(c, &kernels.ScoreRequest{Adapter: "nobody", Batches: []*graph.Batch{batch}}, func([]float32) error { return nil })
	c.mustBe(err, fault.BadInput, "Score with an adapter that there is not")
}

func kernelsScoreDropout(c *check, k *kernelsKit) {
	k.needAdapters(c, "lora")
	batch := pack(newDocuments(1, 20)...)
	s, ref := k.open(c, k.dropout, nil), k.reference(c, k.dropout, nil)
	want := ref.score(s.train, batch)[0]
	limit := k.close.logProb
	if k.rounds() {
		limit = allow(limit, farthest(k.rounded(c, k.dropout, nil).score(s.train, batch)[0], want))
	}
	for range 2 {
		c.logProbsNear(s.score(s.train, batch)[0], want, limit, "the log-probability")
	}
}

func kernelsSeparate(c *check, k *kernelsKit) {
	s := k.open(c, k.lora, nil)
	mine, others := newDocuments(1, 12)[0], newDocuments(2, 9, 9)
	other := others[1]
	other.sample = others[0].sample
	for _, place := range []func(document) *graph.Batch{
		func(d document) *graph.Batch { return pack(mine, d) },
		func(d document) *graph.Batch { return pack(d, mine) },
	} {
		first, second := place(others[0]), place(other)
		a, b := s.score(s.train, first)[0], s.score(s.train, second)[0]
		for t := range a {
			if first.Sample[t] == mine.sample && a[t] != b[t] {
				c.fail("token %d has %v beside one document and %v beside another of the same length", t, a[t], b[t])
			}
		}
	}
}

func kernelsPacking(c *check, k *kernelsKit) {
	s := k.open(c, k.lora, nil)
	d := newDocuments(1, 8, 11, 3, 17)
	want := map[int32][]float32{}
	for i, p := range s.score(s.train, split(d...)...) {
		want[d[i].sample] = p
	}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 1, 0, 2}, {2, 3}} {
		var some []document
		for _, i := range order {
			some = append(some, d[i])
		}
		batch := pack(some...)
		got := s.score(s.train, batch)[0]
		for t, start := range batch.DocStart {
			if w := want[batch.Sample[t]][t-int(start)]; !(math.Abs(float64(got[t]-w)) <= k.close.order*10) {
				c.fail("packed in the order %v, token %d has %v; alone it has %v", order, t, got[t], w)
			}
		}
	}
}

func kernelsBadBatch(c *check, k *kernelsKit) {
	for what, change := range map[string]func(*graph.Batch){
		"an id beyond the vocabulary": func(b *graph.Batch) { b.ID[3] = vocabulary },
		"a negative id":               func(b *graph.Batch) { b.ID[3] = -1 },
		"a document that ends after the micro-batch": func(b *graph.Batch) {
			for t := range b.DocEnd {
				b.DocEnd[t]++
			}
		},
	} {
		s := k.open(c, k.lora, nil)
		bad := pack(newDocuments(1, 9)...)
		change(bad)
		err := s.backend.Score(c, &kernels.ScoreRequest{Batches: []*graph.Batch{bad}}, func([]float32) error { return nil })
		c.mustBe(err, fault.BadInput, "Score of %s", what)
		_, err = s.try(step(1, bad))
		c.mustBe(err, fault.BadInput, "a step with %s", what)
		s.score("", pack(newDocuments(1, 9)...)) // it still works
	}
	s := k.open(c, k.lora, nil)
	if s.plan.MicroBatchTokens > 1<<20 {
		return
	}
	large := &graph.Batch{}
	for sample := int32(0); large.Tokens() <= s.plan.MicroBatchTokens; sample++ {
		large.Append(sample, make([]int32, maxLength), make([]float32, maxLength))
	}
	err := s.backend.Score(c, &kernels.ScoreRequest{Batches: []*graph.Batch{large}}, func([]float32) error { return nil })
	c.mustBe(err, fault.BadInput, "Score of %d tokens where the plan has room for %d", large.Tokens(), s.plan.MicroBatchTokens)
}

// randomFixtures are random graphs over the operations that the plugin announces, with
// weights in files.
func (k *kernelsKit) randomFixtures(c *check) []*randomFixture {
	has := func(adapter string) bool { return slices.Contains(k.description.Adapters, adapter) }
	rows, dora, pissa, balance := has(kernels.TokenRows), has("dora"), has("pissa"), k.balances()
	return k.drawFixtures(c, k.options.Graphs, func(try int) graphtest.Options {
		return graphtest.Options{
			TokenRows: rows && try%2 == 1, DoRA: dora && try%8 > 5, PiSSA: pissa && try%4 < 2 && try%8 > 3, Balance: balance && try%8 == 3,
		}
	}, func(*graphtest.Case) bool { return true })
}

// drawFixtures draws n random graphs as options say for each try, of those that the plugin
// runs and that suit; fewer where they are not found.
func (k *kernelsKit) drawFixtures(c *check, n int, options func(try int) graphtest.Options, suits func(*graphtest.Case) bool) []*randomFixture {
	rng := rand.New(rand.NewPCG(11, 12))
	var out []*randomFixture
	experts := slices.Contains(k.description.Ops, "expert_linear")
	for try := 0; len(out) < n && try < 50*n; try++ {
		o := options(try)
		o.Nodes, o.Dense = 12, !experts
		g := graphtest.Random(rng, o)
		if !k.runs(g) || !suits(g) {
			continue
		}
		f := &randomFixture{fixture{graph: g.Graph, adapter: g.Adapter, values: g.Values}, g}
		for _, values := range f.values {
			for i := range values {
				values[i] = interp.BFloat16(values[i])
			}
		}
		c.must(f.write(k.dir), "writing a random graph's weights")
		out = append(out, f)
	}
	return out
}

// A randomFixture is a random graph with its micro-batch.
type randomFixture struct {
	fixture
	drawn *graphtest.Case
}

// change has a request be for one step of the graph.
func (f *randomFixture) change(r *kernels.BindRequest) {
	r.Settings.Seed = f.drawn.Seed
	r.Phases = kernels.Phases{Train: true}
}

// runs reports whether the plugin announces all that a random graph needs.
func (k *kernelsKit) runs(g *graphtest.Case) bool {
	if g.Batch.TotalWeight() == 0 || g.Graph.Balanced() && !k.balances() {
		return false
	}
	for _, op := range g.Graph.Ops() {
		if !slices.Contains(k.description.Ops, op) {
			return false
		}
	}
	need := map[string]bool{}
	for _, n := range g.Graph.Nodes {
		need[kernels.TokenRows] = need[kernels.TokenRows] || graph.RowsOf(n.Op) != nil
		if a := graph.AdapterOf(n.Op); a != nil {
			need["lora"] = true
			need["lora_bias"] = need["lora_bias"] || a.Bias != graph.NoParam
			need["dora"] = need["dora"] || a.Magnitude != graph.NoParam
			need["pissa"] = need["pissa"] || a.Start != nil
		}
	}
	for _, p := range g.Graph.Trainable() {
		need["full"] = need["full"] || p.Adapter == ""
	}
	for name, needed := range need {
		if needed && !slices.Contains(k.description.Adapters, name) {
			return false
		}
	}
	return true
}
