package expr_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph/expr"
	"github.com/honeml/hone/sdk/graph/graphtest"
)

func TestDerivative(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"3", "0"},
		{"b", "0"},
		{"pos * b", "0"},
		{"a", "1"},
		{"a + b", "1"},
		{"b - a", "-1"},
		{"a * b", "b"},
		{"a * a", "(a + a)"},
		{"a / b", "(1 / b)"},
		{"b / a", "((-(b / a)) / a)"},
		{"relu(a)", "where((a > 0), 1, 0)"},
		{"min(a, b)", "where((a < b), 1, 0)"},
		{"where(a > 0, a * b, b)", "where((a > 0), b, 0)"},
		{"floor(a) + (a > b) + (a == b)", "0"},
		{"sigmoid(a)", "(sigmoid(a) * (1 - sigmoid(a)))"},
		{"30 * tanh(a / 30)", "(30 * ((1 - (tanh((a / 30)) * tanh((a / 30)))) * 0.03333333333333333))"},
	} {
		e, err := expr.Parse(test.text, []string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Derivative(0).Format(e.Args); got != test.want {
			t.Errorf("∂(%s)/∂a = %s, want %s", test.text, got, test.want)
		}
	}
}

// TestBranchNotTaken: neither the value nor the derivative of a branch that is not
// taken has an effect, however infinite.
func TestBranchNotTaken(t *testing.T) {
	e, err := expr.Parse("where(a > 0, sqrt(a) * log(a), b) * b", []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	got := run(expr.Compile(e.Root, e.Derivative(0), e.Derivative(1)), -1, 2)
	if want := []float64{4, 0, 4}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A sample is an expression at a point, with the slope by differences along one
// argument.
type sample struct {
	e    *expr.Expr
	arg  int
	at   []float64
	want float64
}

func (s sample) slope(flip func(expr.Op, int) bool) float64 {
	return run(expr.Compile(s.e.DerivativeFlipped(s.arg, flip)), s.at...)[0]
}

func same(a, b float64) bool { return math.Abs(a-b) <= 1e-6*(math.Abs(a)+math.Abs(b))+1e-8 }

// drawSample draws an expression, a point and an argument. missed says that a kink
// or a jump stood within the first step of the difference; a smaller one was taken.
func drawSample(t *testing.T, rng *rand.Rand) (s sample, missed bool) {
	t.Helper()
	args := []string{"a", "b", "c"}
	e, err := expr.Parse(graphtest.Expression(rng, args, 1+rng.IntN(3)), args)
	if err != nil {
		t.Fatal(err)
	}
	s = sample{e: e, arg: rng.IntN(len(args)), at: []float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}}
	got := s.slope(nil)
	for _, h := range []float64{1e-5, 1e-6, 1e-7} {
		if s.want = difference(s, h); same(got, s.want) {
			return s, h < 1e-5
		}
	}
	t.Errorf("∂(%s)/∂%s at %v: %v, differences give %v", e.Text, args[s.arg], s.at, got, s.want)
	return s, true
}

// TestDifferences holds derivatives of random expressions to differences, and flips
// the sign of each term of each operation's derivative, one at a time, until each
// flip has shown in 25 expressions.
func TestDifferences(t *testing.T) {
	const enough, most = 25, 6000
	// A term for the argument of neg, exp, log, log1p, expm1, tanh, sigmoid, softplus,
	// erf and sqrt, for both of +, -, *, /, min and max, and for where's branches.
	const allTerms = 10 + 6*2 + 2
	rng := rand.New(rand.NewPCG(4, 2))
	caught := map[string]int{}
	samples, jumps := 0, 0
	done := func() bool {
		return len(caught) == allTerms && slices.Min(slices.Collect(maps.Values(caught))) >= enough
	}
	for ; samples < most && (samples < 500 || !done()); samples++ {
		s, missed := drawSample(t, rng)
		if missed {
			jumps++
		}
		for _, term := range terms(s) {
			flipped := s.slope(func(op expr.Op, i int) bool { return term == termName(op, i) })
			caught[term] += 0
			if !same(flipped, s.want) {
				caught[term]++
			}
		}
	}
	var report strings.Builder
	for _, term := range slices.Sorted(maps.Keys(caught)) {
		fmt.Fprintf(&report, "%s: %d  ", term, caught[term])
	}
	t.Logf("%d expressions, %d near a kink; flips that were caught: %s", samples, jumps, &report)
	if !done() {
		t.Errorf("not each of the %d terms was caught %d times", allTerms, enough)
	}
	if jumps*50 > samples {
		t.Error("too many kinks to trust the rest")
	}
}

func termName(op expr.Op, i int) string {
	name := op.String()
	if op == expr.Neg {
		name = "minus"
	}
	return fmt.Sprintf("%s/%d", name, i)
}

// terms lists what a derivative is made of, by asking for it.
func terms(s sample) []string {
	seen := map[string]bool{}
	s.e.DerivativeFlipped(s.arg, func(op expr.Op, i int) bool {
		seen[termName(op, i)] = true
		return false
	})
	return slices.Sorted(maps.Keys(seen))
}

func difference(s sample, h float64) float64 {
	p := expr.Compile(s.e.Root)
	value := func(d float64) float64 {
		at := slices.Clone(s.at)
		at[s.arg] += d
		return run(p, at...)[0]
	}
	return (value(h) - value(-h)) / (2 * h)
}
