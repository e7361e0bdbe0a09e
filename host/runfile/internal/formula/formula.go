// Package formula compiles the expressions of a run file's metrics, which are
// evaluated after every step: HCL's syntax, over float64s and truth values alone.
//
// Unlike HCL's own evaluation it knows NaN and infinities, which a loss can be,
// and it checks names and types once, when the file is read.
package formula

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
)

// ErrNoValue says that a step has no value for a variable of the formula, such as
// the evaluation's loss before the first evaluation.
var ErrNoValue = errors.New("no value yet")

// A Formula is a compiled expression.
type Formula struct {
	root      node
	variables []string
}

// A Constant is the value of a reference that is known when the file is read: a
// float64 or a bool.
type Constant any

// Parse compiles the text of a formula that refers to variables alone.
func Parse(text string, known []string) (*Formula, error) {
	x, diags := evaluate.ParseExpression("metric", []byte(text))
	if diags.HasErrors() {
		return nil, errors.New(diags[0].Summary + ": " + diags[0].Detail)
	}
	f, diags := Compile(x, known, nil)
	if diags.HasErrors() {
		return nil, errors.New(diags[0].Detail)
	}
	return f, nil
}

// Eval computes the formula. A variable that vars lacks is an error that wraps
// [ErrNoValue].
func (f *Formula) Eval(vars map[string]float64) (float64, error) {
	for _, name := range f.variables {
		if _, ok := vars[name]; !ok {
			return 0, fmt.Errorf("%s: %w", name, ErrNoValue)
		}
	}
	return f.root.eval(vars), nil
}

// Variables are the names that the formula refers to, sorted.
func (f *Formula) Variables() []string { return slices.Clone(f.variables) }

// String is the formula's text, with constants in place of references to them.
// Parse reads it back.
func (f *Formula) String() string { return f.root.text() }

// variablesOf are the variables within a node, sorted.
func variablesOf(n node) []string {
	found := map[string]bool{}
	var visit func(node)
	visit = func(n node) {
		if v, ok := n.(variable); ok {
			found[string(v)] = true
		}
		for _, child := range n.children() {
			visit(child)
		}
	}
	visit(n)
	return slices.Sorted(maps.Keys(found))
}

// operatorText is an operator as HCL writes it; "" for one that is not known.
func operatorText(op *hclsyntax.Operation) string {
	switch op {
	case hclsyntax.OpLogicalOr:
		return "||"
	case hclsyntax.OpLogicalAnd:
		return "&&"
	case hclsyntax.OpEqual:
		return "=="
	case hclsyntax.OpNotEqual:
		return "!="
	case hclsyntax.OpGreaterThan:
		return ">"
	case hclsyntax.OpGreaterThanOrEqual:
		return ">="
	case hclsyntax.OpLessThan:
		return "<"
	case hclsyntax.OpLessThanOrEqual:
		return "<="
	case hclsyntax.OpAdd:
		return "+"
	case hclsyntax.OpSubtract:
		return "-"
	case hclsyntax.OpMultiply:
		return "*"
	case hclsyntax.OpDivide:
		return "/"
	case hclsyntax.OpModulo:
		return "%"
	}
	return ""
}
