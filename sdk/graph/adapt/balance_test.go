package adapt_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// TestBalance: all routes get the coefficient, the Graph that was there none; one without
// routes, and a coefficient that is none, are refused.
func TestBalance(t *testing.T) {
	g := mixture(t)
	balanced, err := adapt.Balance(g, 0.25)
	if err != nil {
		t.Fatal(err)
	}
	if g.Balanced() || !balanced.Balanced() {
		t.Errorf("before %v, after %v", g.Balanced(), balanced.Balanced())
	}
	if n := strings.Count(balanced.Text(), "balance=0.25"); n != 2 {
		t.Errorf("%d routes have it", n)
	}
	off, err := adapt.Balance(balanced, 0)
	if err != nil || off.Text() != g.Text() {
		t.Errorf("%v: taken off again, it is\n%s", err, off.Text())
	}
	for _, wrong := range []float64{-1, math.NaN(), math.Inf(1)} {
		if _, err := adapt.Balance(g, wrong); err == nil {
			t.Errorf("a coefficient of %v", wrong)
		}
	}
	b := graph.New("Dense")
	b.Logits(b.Linear(b.Embed("embed", 9, 4), "lm_head", 9, graph.RoleHead))
	if g, err = b.Graph(); err != nil {
		t.Fatal(err)
	}
	if _, err := adapt.Balance(g, 0.25); !errors.Is(err, adapt.ErrNoExperts) {
		t.Errorf("a model without experts: %v", err)
	}
}
