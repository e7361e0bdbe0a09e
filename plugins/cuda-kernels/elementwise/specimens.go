package elementwise

import (
	"slices"
	"strings"
	"unicode"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// specimens are expressions over a and b, [T, width]; r, [T, 1]; h, [T, heads]; the
// parameters c, [width], and s, [1].
var specimens = []string{
	"a + b",
	"silu(a) * b",
	"gelu_tanh(a) * b",
	"gelu(a)",
	"30 * tanh(a / 30)",
	"a * sigmoid(r) + b * h",
	"c * a * (1 + 0.1 * pos) + s",
	"where(a > 0, s * a * a + c * a, (expm1(min(a, 0)) - a) * s)",
	"log1p(exp(-sqrt(1 + square(a)))) * softplus(b) + floor(a) * erf(b)",
	"exp(b) / (1.5 + log(0.7 + square(a))) + max(a, b) * (a <= b) + (a >= b) - (a == b) + (a != b) * (a < b)",
}

// Specimens asks a set for a grid of maps that stands for what models have: every
// operation, and every layout in each type and with vectors of each length.
func Specimens(set *device.Set) error {
	for _, text := range specimens {
		for i, shape := range []struct {
			width int
			typ   device.Type
		}{{4096, device.BFloat16}, {4096, device.Float16}, {36, device.Float32}, {7, device.BFloat16}} {
			spec, err := specimen(text, shape.width, shape.typ)
			if err != nil {
				return err
			}
			if i > 0 && spec.wholes() {
				break
			}
			if _, err := New(set, spec); err != nil {
				return err
			}
		}
	}
	return nil
}

// wholes reports whether all arguments are matrices as wide as y.
func (s *Spec) wholes() bool {
	return !slices.ContainsFunc(s.arguments(), func(a argument) bool { return a.layout != whole })
}

// specimen is the map of an expression over those of the arguments a, b, r, h, c and s
// that occur in it. All have gradients. r is held in float32 whatever the type.
func specimen(text string, width int, t device.Type) (Spec, error) {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
	occurs := map[string]bool{}
	for _, w := range words {
		occurs[w] = true
	}
	s := Spec{Map: &graph.Map{Expr: text, Width: width}, Out: t, Step: &diff.Step{}}
	for _, in := range []struct {
		name string
		Input
	}{{"a", Input{width, t}}, {"b", Input{width, t}}, {"r", Input{1, device.Float32}}, {"h", Input{heads(width), t}}} {
		if occurs[in.name] {
			s.Map.Args = append(s.Map.Args, graph.MapArg{Name: in.name, Input: len(s.Inputs), Param: graph.NoParam})
			s.Inputs = append(s.Inputs, in.Input)
			s.ParamWidths = append(s.ParamWidths, 0)
		}
	}
	for _, p := range []struct {
		name  string
		width int
	}{{"c", width}, {"s", 1}} {
		if occurs[p.name] {
			s.Map.Args = append(s.Map.Args, graph.MapArg{Name: p.name, Input: -1, Param: graph.ParamID(len(s.ParamWidths))})
			s.ParamWidths = append(s.ParamWidths, p.width)
		}
	}
	e, err := s.Map.Parse()
	if err != nil {
		return Spec{}, err
	}
	for i, a := range s.Map.Args {
		if a.Param == graph.NoParam {
			s.Step.Inputs = append(s.Step.Inputs, diff.InputGradient{Input: a.Input, Value: graph.ValueID(a.Input), Derivative: e.Derivative(i)})
		} else {
			s.Step.Params = append(s.Step.Params, diff.ParamGradient{Param: a.Param, Derivative: e.Derivative(i)})
		}
	}
	return s, nil
}

// heads is a number of groups of columns that divides a width.
func heads(width int) int {
	for _, n := range []int{32, 12} {
		if width%n == 0 {
			return n
		}
	}
	return 1
}
