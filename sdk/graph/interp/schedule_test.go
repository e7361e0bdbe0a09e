package interp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/graph/recompute"
)

// TestRecomputed: whatever is kept from the forward pass, gradients have the same
// bits. Values that are not kept are gone when the backward pass begins.
func TestRecomputed(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 55))
	again := map[string]int{}
	for i := range 80 {
		s := newSubject(t, graphtest.Random(rng, graphtest.Options{Balance: i%2 == 1}))
		want, err := s.gradients(s.schedule)
		if err != nil {
			t.Fatal(err)
		}
		loss, balance := s.run.Loss(), s.run.Balance()
		for name, keep := range map[string]recompute.Keep{
			"everything": recompute.Everything,
			"layers":     recompute.Layers(s.c.Graph),
			"nothing":    func(graph.ValueID) bool { return false },
			"some":       func(v graph.ValueID) bool { return rng.IntN(2) == 0 },
		} {
			plan := recompute.Plan(s.schedule, keep)
			again[name] += len(recompute.Again(plan))
			got, err := s.gradients(plan)
			if err != nil {
				t.Fatalf("case %d, %s kept: %v\n%s", i, name, err, s)
			}
			if s.run.Loss() != loss || s.run.Balance() != balance {
				t.Errorf("case %d, %s kept: losses %v and %v, want %v and %v", i, name, s.run.Loss(), s.run.Balance(), loss, balance)
			}
			for id, g := range want {
				if !slices.Equal(got[id], g) {
					t.Errorf("case %d, %s kept: another gradient of %s", i, name, s.c.Graph.Params[id].Name)
				}
			}
		}
	}
	t.Logf("nodes computed again: %v", again)
	if again["everything"] != 0 || again["layers"] == 0 || again["some"] == 0 || again["nothing"] <= again["layers"] {
		t.Errorf("nodes computed again: %v", again)
	}
}

// TestPacking: a document's log-probabilities, and its share of the losses and of the
// gradients, do not depend on what it is packed with. Dropout is on.
func TestPacking(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 66))
	documents, balanced := 0, 0
	for i := range 80 {
		s := newSubject(t, graphtest.Random(rng, graphtest.Options{Balance: i%2 == 1}))
		packed := s.c.Batch
		gradients, err := s.gradients(s.schedule)
		if err != nil {
			t.Fatal(err)
		}
		loss, balance, logProbs := s.run.Loss(), s.run.Balance(), s.run.LogProbs()
		if balance > 0 {
			balanced++
		}
		for start := 0; start < packed.Tokens(); start = int(packed.DocEnd[start]) {
			end := int(packed.DocEnd[start])
			alone := *s.c
			alone.Batch = &graph.Batch{}
			alone.Batch.Append(packed.Sample[start], packed.ID[start:end], packed.Weight[start:end])
			a := newSubject(t, &alone)
			part, err := a.gradients(a.schedule)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.run.LogProbs(); !slices.Equal(got, logProbs[start:end]) {
				t.Errorf("case %d: the document at %d has log-probabilities %v, alone %v\n%s", i, start, logProbs[start:end], got, s)
			}
			loss, balance = loss-a.run.Loss(), balance-a.run.Balance()
			for id, g := range part {
				for j := range g {
					gradients[id][j] -= g[j]
				}
			}
			documents++
		}
		if math.Abs(loss) > 1e-9 || math.Abs(balance) > 1e-9 {
			t.Errorf("case %d: the losses of all are %v and %v more than the sum of each", i, loss, balance)
		}
		for id, g := range gradients {
			if largest := slices.Max(g) - slices.Min(g); largest > 1e-8 {
				t.Errorf("case %d: gradient of %s is another than the sum of each document's, by %v", i, s.c.Graph.Params[id].Name, largest)
			}
		}
	}
	if documents < 150 || balanced < 10 {
		t.Errorf("%d documents, %d cases with balancing losses", documents, balanced)
	}
}

// TestLossAndLogProbs: the objective is the weighted sum of the log-probabilities,
// and those of all tokens that may come next add up to 1.
func TestLossAndLogProbs(t *testing.T) {
	c := graphtest.Random(rand.New(rand.NewPCG(9, 9)), graphtest.Options{Frozen: true})
	c.Batch = &graph.Batch{}
	c.Batch.Append(3, []int32{1, 2, 3}, []float32{1, 0.5, 2})
	c.Batch.Append(4, []int32{5}, []float32{1})
	total := 0.0
	for id := range int32(c.Graph.Vocabulary()) {
		c.Batch.ID[2] = id
		run, err := New(c.Graph, c.Param, c.Batch, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Forward(); err != nil {
			t.Fatal(err)
		}
		p := run.LogProbs()
		if p[0] != 0 || p[3] != 0 || p[1] >= 0 {
			t.Errorf("log-probabilities %v", p)
		}
		if want := -(0.5*p[1] + 2*p[2]); math.Abs(run.Loss()-want) > 1e-12 {
			t.Errorf("loss %v, want %v", run.Loss(), want)
		}
		total += math.Exp(p[2])
	}
	if math.Abs(total-1) > 1e-12 {
		t.Errorf("the probabilities of all tokens add up to %v", total)
	}
}
