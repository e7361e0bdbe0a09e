package expr_test

import (
	"math"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph/expr"
)

func TestParse(t *testing.T) {
	args := []string{"x", "y", "gate_up", "_z1"}
	for _, test := range []struct{ name, text, want string }{
		{"an argument", "x", "x"},
		{"underscores and digits in names", "gate_up + _z1", "(gate_up + _z1)"},
		{"white space", " x\t+\r\n y ", "(x + y)"},
		{"products before sums", "x + y * x", "(x + (y * x))"},
		{"from the left", "x - y - x", "((x - y) - x)"},
		{"divisions from the left", "x / y / x", "((x / y) / x)"},
		{"parentheses", "x - (y - x)", "(x - (y - x))"},
		{"minus before products", "-x * y", "((-x) * y)"},
		{"two minuses", "--x", "x"},
		{"subtracting a minus", "x - -y", "(x - (-y))"},
		{"adding a minus", "x + -y", "(x - y)"},
		{"comparisons last", "x + 1 <= y * 2", "((x + 1) <= (y * 2))"},
		{"all comparisons", "(x < y) + (x > y) + (x >= y) + (x == y) + (x != y)", "(((((x < y) + (x > y)) + (x >= y)) + (x == y)) + (x != y))"},
		{"a comparison within a call", "where(x > 0, x, y)", "where((x > 0), x, y)"},
		{"numbers", "x + 1.5e-3 + .5 + 2. + 1E2", "((((x + 0.0015) + 0.5) + 2) + 100)"},
		{"a decimal fraction is the nearest float64", "x * 0.044715", "(x * 0.044715)"},
		{"pos", "x * pos", "(x * pos)"},
		{"silu", "silu(x)", "(x * sigmoid(x))"},
		{"relu", "relu(x)", "max(x, 0)"},
		{"square", "square(x)", "(x * x)"},
		{"calls within calls", "min(max(x, -1), exp(log(y)))", "min(max(x, -1), exp(log(y)))"},
		{"constants are folded", "x * (2 + 3 * 4)", "(x * 14)"},
		{"adding 0", "x + 0", "x"},
		{"adding to 0", "0 + x", "x"},
		{"subtracting 0", "x - 0", "x"},
		{"subtracting from 0", "0 - x", "(-x)"},
		{"times 1", "1 * x * 1", "x"},
		{"by 1", "x / 1", "x"},
		{"times 0", "y + x * 0", "y"},
		{"0 by", "y + 0 / x", "y"},
		{"times -1", "-1 * x", "(-x)"},
		{"where of one branch", "where(x > 0, y, y)", "y"},
		{"where of a constant", "where(1 > 2, x, y)", "y"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := expr.Parse(test.text, args)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Root.Format(args); got != test.want {
				t.Errorf("%q is %s, want %s", test.text, got, test.want)
			}
			if e.Text != test.text {
				t.Errorf("Text is %q", e.Text)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "at byte 1: expected a number, a name or ("},
		{"white space alone", "  ", "at byte 3: expected"},
		{"no operand", "x +", "at byte 4: expected"},
		{"no operator", "x y", `at byte 3: unexpected "y"`},
		{"unknown name", "x + foo", `at byte 5: "foo" is no argument and no function`},
		{"unknown function", "foo(x)", `at byte 1: "foo" is no argument and no function`},
		{"function without arguments", "exp + x", "at byte 5: expected ( after exp"},
		{"open parenthesis", "(x + y", "at byte 7: expected )"},
		{"open call", "exp(x", "at byte 6: expected )"},
		{"closing too many", "x)", `at byte 2: unexpected ")"`},
		{"empty call", "exp()", "at byte 5: expected"},
		{"too few arguments", "min(x)", "at byte 1: min takes 2 arguments, not 1"},
		{"too many arguments", "silu(x, y)", "at byte 1: silu takes 1 arguments, not 2"},
		{"argument called", "x(1)", `at byte 2: unexpected "(1)"`},
		{"chained comparisons", "x < y < x", `at byte 7: unexpected "< x"`},
		{"single equals", "x = y", `at byte 3: unexpected "= y"`},
		{"power", "x ** 2", "at byte 4: expected"},
		{"hexadecimal", "x + 0x10", `at byte 6: unexpected "x10"`},
		{"exponent without digits", "x * 1e", "at byte 5: expected a number"},
		{"a lone point", "x * .", "at byte 5: expected a number"},
		{"a number beyond float64", "x * 1e999", "at byte 5: expected a number"},
		{"infinity", "inf * x", `"inf" is no argument`},
		{"a letter that is not ASCII", "é + x", "at byte 1: expected"},
		{"a NUL", "x\x00", "at byte 2: unexpected"},
		{"nested too deep", strings.Repeat("(", 200) + "x" + strings.Repeat(")", 200), "nested more than 100 deep"},
		{"too long", strings.Repeat(" ", expr.MaxLength) + "x", "at most 4096 are allowed"},
		{"too many operations", "gelu_tanh(" + strings.Repeat("x+1*", 1) + "x)" + many(), "more than 2048 operations"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := expr.Parse(test.text, []string{"x", "y"})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%.60q: error %v, want %q", test.text, err, test.want)
			}
		})
	}
}

// many is a sum of distinct terms, each of several operations, within the limit of
// length.
func many() string {
	var b strings.Builder
	for i := 100; b.Len() < expr.MaxLength-100; i++ {
		b.WriteString("+gelu_tanh(x*")
		b.WriteString(string(rune('0'+i/1000)) + string(rune('0'+i/100%10)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10)))
		b.WriteString(")")
	}
	return b.String()
}

func TestArgumentNames(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"a function", []string{"exp"}, `"exp" cannot name an argument`},
		{"a defined function", []string{"silu"}, `"silu" cannot name an argument`},
		{"pos", []string{"pos"}, `"pos" cannot name an argument`},
		{"empty", []string{""}, `"" cannot name an argument`},
		{"a digit first", []string{"1x"}, `"1x" cannot name an argument`},
		{"a dash", []string{"a-b"}, `"a-b" cannot name an argument`},
		{"twice", []string{"a", "a"}, `two arguments are named "a"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := expr.Parse("1", test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestUses(t *testing.T) {
	e, err := expr.Parse("a * sigmoid(b) + 0 * c + pos", []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false} {
		if got := e.Root.Uses(i); got != want {
			t.Errorf("Uses(%d) = %v", i, got)
		}
	}
	if !e.Root.UsesPos() || e.Derivative(0).UsesPos() {
		t.Error("UsesPos is wrong")
	}
}

// TestFormatIsBounded: an expression whose shared parts would be written 2⁹⁰ times.
func TestFormatIsBounded(t *testing.T) {
	e, err := expr.Parse(strings.Repeat("square(", 90)+"x"+strings.Repeat(")", 90), []string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	if text := e.Root.Format(e.Args); len(text) > 1<<17 || !strings.Contains(text, "…") {
		t.Errorf("%d bytes", len(text))
	}
	if n := len(expr.Compile(e.Root, e.Derivative(0)).Instrs); n > 1000 {
		t.Errorf("%d instructions", n)
	}
}

// FuzzParse: whatever parses has derivatives, and reads back from its text form as
// the same function.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"silu(a) * b", "30 * tanh(a / 30)", "where(a > 0, a, b * expm1(a))", "gelu_tanh(a) + gelu(b) - relu(pos)",
		"((((a))))", "a <= b", "-a--b", "1e308*10", "a != a", "sqrt(log1p(-b)) / 0", "min(a, max(b, .5e1))", "where(a,b", "1.e", "ℵ",
	} {
		f.Add(text, 0.5, -1.5)
	}
	names := []string{"a", "b"}
	f.Fuzz(func(t *testing.T, text string, a, b float64) {
		e, err := expr.Parse(text, names)
		if err != nil {
			return
		}
		roots := []*expr.Node{e.Root, e.Derivative(0), e.Derivative(1)}
		first := run(expr.Compile(roots...), a, b)
		if len(expr.Compile(roots...).Instrs) > 40*expr.MaxNodes {
			t.Errorf("%q: the derivatives have %d instructions", text, len(expr.Compile(roots...).Instrs))
		}
		for i, root := range roots {
			formatted := root.Format(names)
			again, err := expr.Parse(formatted, names)
			if err != nil {
				if len(formatted) > expr.MaxLength || strings.Contains(formatted, "Inf") || strings.Contains(formatted, "NaN") ||
					strings.Contains(err.Error(), "deep") || strings.Contains(err.Error(), "more than") {
					continue
				}
				t.Fatalf("%q: its text form %q: %v", text, formatted, err)
			}
			if got := run(expr.Compile(again.Root), a, b)[0]; got != first[i] && !(math.IsNaN(got) && math.IsNaN(first[i])) {
				t.Errorf("%q gives %v, its text form %q %v", text, first[i], formatted, got)
			}
		}
	})
}

// run gives the outputs of a program at a and b, at position 3.
func run(p *expr.Program, args ...float64) []float64 {
	registers := make([]float64, len(p.Instrs))
	p.Eval(args, 3, registers)
	var out []float64
	for _, r := range p.Outputs {
		out = append(out, registers[r])
	}
	return out
}
