package graphtest_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph/expr"
	"github.com/honeml/hone/sdk/graph/graphtest"
)

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// TestRandom: cases are valid, the same for the same seed, and of the classes that
// are listed.
func TestRandom(t *testing.T) {
	known := graphtest.Classes()
	if len(slices.Compact(slices.Sorted(slices.Values(known)))) != len(known) {
		t.Error("a class is listed twice")
	}
	for seed := range uint64(100) {
		c := graphtest.Random(source(seed), graphtest.Options{})
		if err := c.Graph.Validate(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := c.Batch.Validate(9); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if c.Batch.TotalWeight() == 0 || c.Batch.Tokens() > 12 || len(c.Graph.Trainable()) == 0 {
			t.Errorf("seed %d: %d tokens of weight %v, %d trainable parameters", seed, c.Batch.Tokens(), c.Batch.TotalWeight(), len(c.Graph.Trainable()))
		}
		for _, p := range c.Graph.Params {
			values := c.Param(p.ID)
			if len(values) != p.Elements() {
				t.Errorf("seed %d: %d values for parameter %q of shape %v", seed, len(values), p.Name, p.Shape)
			}
			for _, v := range values {
				if v != float64(float32(v)) {
					t.Fatalf("seed %d: parameter %q holds %v, no float32", seed, p.Name, v)
				}
			}
		}
		for class := range c.Classes() {
			if !slices.Contains(known, class) {
				t.Errorf("class %q is not listed", class)
			}
		}
		again := graphtest.Random(source(seed), graphtest.Options{})
		if again.Graph.Text() != c.Graph.Text() || !reflect.DeepEqual(again.Values, c.Values) || !reflect.DeepEqual(again.Batch, c.Batch) {
			t.Errorf("seed %d gives two cases", seed)
		}
	}
}

func TestOptions(t *testing.T) {
	c := graphtest.Random(source(1), graphtest.Options{Nodes: 60, Tokens: 200, Vocabulary: 50, Frozen: true})
	if len(c.Graph.Nodes) < 60 || c.Graph.Vocabulary() != 50 || c.Adapter != "" || len(c.Graph.Trainable()) > 0 {
		t.Errorf("%d nodes, vocabulary %d, adapter %q, %d trainable", len(c.Graph.Nodes), c.Graph.Vocabulary(), c.Adapter, len(c.Graph.Trainable()))
	}
	most := 0
	for seed := range uint64(20) {
		c := graphtest.Random(source(seed), graphtest.Options{Tokens: 200})
		most = max(most, c.Batch.Tokens())
		if c.Batch.Tokens() > 200 {
			t.Errorf("%d tokens", c.Batch.Tokens())
		}
	}
	if most < 30 {
		t.Errorf("at most %d tokens", most)
	}
}

// TestExpression: every argument occurs, and values are finite.
func TestExpression(t *testing.T) {
	rng := source(2)
	args := []string{"a", "b", "c"}
	for range 500 {
		n := 1 + rng.IntN(3)
		e, err := expr.Parse(graphtest.Expression(rng, args[:n], rng.IntN(5)), args[:n])
		if err != nil {
			t.Fatal(err)
		}
		p := expr.Compile(e.Root)
		registers := make([]float64, len(p.Instrs))
		at := []float64{3 * rng.NormFloat64(), 3 * rng.NormFloat64(), 3 * rng.NormFloat64()}
		p.Eval(at[:n], float64(rng.IntN(12)), registers)
		if v := registers[p.Outputs[0]]; math.IsNaN(v) || math.IsInf(v, 0) {
			t.Errorf("%s at %v is %v", e.Text, at[:n], v)
		}
	}
}
