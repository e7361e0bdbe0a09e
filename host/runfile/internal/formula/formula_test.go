package formula_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
	"github.com/honeml/hone/host/runfile/internal/formula"
)

func known() []string { return []string{"loss", "step", "tokens", "eval_loss"} }

func TestEval(t *testing.T) {
	vars := map[string]float64{"loss": 2, "step": 7, "tokens": 100}
	tests := []struct {
		text string
		want float64
	}{
		{"loss / log(2)", 2 / math.Ln2}, {"loss", 2}, {"-loss", -2}, {"exp(loss)", math.Exp(2)}, {"pow(2, loss)", 4},
		{"log(8, 2)", 3}, {"sqrt(tokens) + 1", 11}, {"min(loss, step, 3)", 2}, {"max(loss, step)", 7}, {"step % 4", 3},
		{"loss > 1 ? 1 : 0", 1}, {"loss > 1 && step < 5 ? 1 : 0", 0}, {"!(loss == 2) || step >= 7 ? 5 : 6", 5}, {"step != 7 ? 1 : 2", 2},
		{"10 - 4 - 3", 3}, {"10 - (4 - 3)", 9}, {"2 * (3 + 4)", 14}, {"100 / (10 / 2)", 20}, {"-(loss + 1)", -3}, {"abs(-3.5)", 3.5},
		{"floor(2.7) + ceil(2.2) + round(2.5) + signum(-4)", 7}, {"1 / 0", math.Inf(1)}, {"1e-3", 1e-3}, {"true ? 1 : 2", 1},
		{"(loss > 1 ? true : false) ? 3 : 4", 3}, {"loss <= 2 ? 1 : 0", 1},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			f, err := formula.Parse(tt.text, known())
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Eval(vars)
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
			again, err := formula.Parse(f.String(), known())
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			if second, err := again.Eval(vars); err != nil || second != got || again.String() != f.String() {
				t.Errorf("%s: read back as %s, which is %v, %v", f, again, second, err)
			}
		})
	}
}

func TestNotANumber(t *testing.T) {
	f, err := formula.Parse("loss / log(2) + 1", known())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Eval(map[string]float64{"loss": math.NaN()}); err != nil || !math.IsNaN(got) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestNoValueYet(t *testing.T) {
	f, err := formula.Parse("eval_loss - loss", known())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.Variables(), []string{"eval_loss", "loss"}) {
		t.Errorf("variables: %q", f.Variables())
	}
	_, err = f.Eval(map[string]float64{"loss": 1})
	if !errors.Is(err, formula.ErrNoValue) || !strings.Contains(err.Error(), "eval_loss") {
		t.Errorf("got %v", err)
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := []struct{ text, want string }{
		{"lss", `no variable "lss". Did you mean "loss"?`},
		{"loss > 1", "a number, and this is true or false"},
		{"loss + (step > 1)", "A number is needed here"},
		{"loss ? 1 : 2", "A bool is needed here"},
		{"loss > 1 ? 1 : true", "A number is needed here"},
		{"loss == true ? 1 : 0", "A number is needed here"},
		{"lgo(loss)", `no function "lgo". Did you mean "log"?`},
		{"log()", "log takes 1 or 2 numbers"},
		{"pow(1)", "pow takes 2 numbers"},
		{"sqrt(1, 2)", "sqrt takes one number"},
		{"max()", "max takes one number or more"},
		{`"loss"`, "computed from numbers, variables"},
		{"[loss][0]", "computed from numbers, variables"},
		{"null", "computed from numbers"},
		{"var.base", `no variable "var"`},
		{"1e400", "Numbers lie between"},
		{"1 +", "Missing expression"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			_, err := formula.Parse(tt.text, known())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestConstants(t *testing.T) {
	x, diags := evaluate.ParseExpression("x", []byte("local.on ? -var.base * loss : var.base - var.base"))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	f, diags := formula.Compile(x, known(), func(r hcl.Traversal) (formula.Constant, hcl.Diagnostics) {
		if r.RootName() == "local" {
			return true, nil
		}
		return -2.5, nil
	})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if got, want := f.String(), "true ? -(-2.5) * loss : -2.5 - -2.5"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, err := f.Eval(map[string]float64{"loss": 2}); err != nil || got != 5 {
		t.Errorf("got %v, %v", got, err)
	}
	if again, err := formula.Parse(f.String(), known()); err != nil || again.String() != f.String() {
		t.Errorf("read back as %v, %v", again, err)
	}
}
