package expr_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph/expr"
)

// TestFunctions compares every function and its slope with PyTorch; see
// testdata/gen_functions.py.
func TestFunctions(t *testing.T) {
	data, err := os.ReadFile("testdata/functions.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]struct{ X, Y, Slope []float64 }
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(golden)) {
		e, err := expr.Parse(name+"(x)", []string{"x"})
		if err != nil {
			t.Fatal(err)
		}
		p := expr.Compile(e.Root, e.Derivative(0))
		want := golden[name]
		for i, x := range want.X {
			got := run(p, x)
			if !near(got[0], want.Y[i]) || !near(got[1], want.Slope[i]) {
				t.Errorf("%s(%v) = %v with slope %v, PyTorch has %v and %v", name, x, got[0], got[1], want.Y[i], want.Slope[i])
			}
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-13+1e-12*math.Abs(b) }

func TestEvaluate(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, test := range []struct {
		text       string
		a, b, want float64
	}{
		{"a + b", 1, 2, 3},
		{"a - b", 1, 2, -1},
		{"a * b", 3, 2, 6},
		{"a / b", 3, 2, 1.5},
		{"-a", 3, 0, -3},
		{"pos + a", 1, 0, 4},
		{"min(a, b)", 1, 2, 1},
		{"min(a, b)", nan, 2, 2}, // the second where either is NaN
		{"min(a, b)", 1, nan, nan},
		{"max(a, b)", 1, 2, 2},
		{"max(a, b)", nan, 2, 2},
		{"max(a, b)", 2, nan, nan},
		{"relu(a)", nan, 0, 0},
		{"a < b", 1, 2, 1}, {"a < b", 2, 2, 0}, {"a < b", nan, 2, 0},
		{"a <= b", 2, 2, 1}, {"a <= b", 3, 2, 0}, {"a <= b", nan, 2, 0},
		{"a > b", 3, 2, 1}, {"a > b", 2, 2, 0}, {"a > b", nan, 2, 0},
		{"a >= b", 2, 2, 1}, {"a >= b", 1, 2, 0}, {"a >= b", nan, 2, 0},
		{"a == b", 2, 2, 1}, {"a == b", 1, 2, 0}, {"a == b", nan, nan, 0},
		{"a != b", 2, 2, 0}, {"a != b", 1, 2, 1}, {"a != b", nan, nan, 1},
		{"where(a, 5, b)", 1, 7, 5},
		{"where(a, 5, b)", 0, 7, 7},
		{"where(a, 5, b)", nan, 7, 5}, // NaN is not 0
		{"where(a > 0, sqrt(a), b)", -1, 7, 7},
		{"softplus(a)", 1000, 0, 1000},
		{"softplus(a)", -1000, 0, 0},
		{"sigmoid(a)", -1000, 0, 0},
		{"sigmoid(a)", 1000, 0, 1},
		{"floor(a)", -1.5, 0, -2},
		{"exp(a)", 1000, 0, inf},
	} {
		e, err := expr.Parse(test.text, []string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		if got := run(expr.Compile(e.Root), test.a, test.b)[0]; got != test.want && !(math.IsNaN(got) && math.IsNaN(test.want)) {
			t.Errorf("%s at %v, %v = %v, want %v", test.text, test.a, test.b, got, test.want)
		}
	}
}

// TestCompile: each subexpression is computed once, over all roots, after its
// operands.
func TestCompile(t *testing.T) {
	e, err := expr.Parse("silu(a) * silu(a) + exp(b) / exp(b)", []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[expr.Op]int{}
	p := expr.Compile(e.Root, e.Derivative(0), e.Root)
	for i, instr := range p.Instrs {
		counts[instr.Op]++
		if max(instr.A, instr.B, instr.C) >= i {
			t.Errorf("instruction %d reads register %d", i, max(instr.A, instr.B, instr.C))
		}
	}
	for op, want := range map[expr.Op]int{expr.Sigmoid: 1, expr.Exp: 1, expr.Arg: 2, expr.Div: 1} {
		if counts[op] != want {
			t.Errorf("%d times %v, want %d", counts[op], op, want)
		}
	}
	if len(p.Outputs) != 3 || p.Outputs[0] != p.Outputs[2] {
		t.Errorf("outputs %v", p.Outputs)
	}
}

func TestSum(t *testing.T) {
	e, err := expr.Parse("a * a * b", []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	got := run(expr.Compile(expr.Sum(e.Derivative(0), e.Derivative(1))), 3, 5)[0]
	if want := 2*3*5 + 3*3.0; got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestOpNames(t *testing.T) {
	for op, want := range map[expr.Op]string{expr.Const: "const", expr.LessEqual: "<=", expr.Where: "where", expr.Where + 1: fmt.Sprintf("op(%d)", expr.Where+1)} {
		if got := op.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
