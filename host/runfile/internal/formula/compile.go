package formula

import (
	"fmt"
	"math"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
	"github.com/honeml/hone/host/runfile/internal/nearest"
)

// Compile compiles an expression over the known variables. lookup gives the value
// of references of several parts, such as var.base; it may be nil.
func Compile(x hclsyntax.Expression, known []string, lookup func(hcl.Traversal) (Constant, hcl.Diagnostics)) (*Formula, hcl.Diagnostics) {
	c := compiler{known: known, lookup: lookup}
	root := c.compile(x)
	if c.diags.HasErrors() {
		return nil, c.diags
	}
	if root.kind() != number {
		return nil, append(c.diags, refuse(x, "Wrong type", "A metric is a number, and this is true or false. Write: … ? 1 : 0."))
	}
	return &Formula{root: root, variables: variablesOf(root)}, c.diags
}

type compiler struct {
	known  []string
	lookup func(hcl.Traversal) (Constant, hcl.Diagnostics)
	diags  hcl.Diagnostics
}

// compile gives a node for x; after an error one that stands for any number.
func (c *compiler) compile(x hclsyntax.Expression) node {
	switch x := evaluate.Unwrap(x).(type) {
	case *hclsyntax.ParenthesesExpr:
		return c.compile(x.Expression)
	case *hclsyntax.LiteralValueExpr:
		return c.literal(x)
	case *hclsyntax.ScopeTraversalExpr:
		return c.reference(x)
	case *hclsyntax.UnaryOpExpr:
		if x.Op == hclsyntax.OpLogicalNot {
			return unary{"!", c.operand(x.Val, truth)}
		}
		return unary{"-", c.operand(x.Val, number)}
	case *hclsyntax.BinaryOpExpr:
		return c.binary(x)
	case *hclsyntax.ConditionalExpr:
		yes := c.compile(x.TrueResult)
		return condition{c.operand(x.Condition, truth), yes, c.operand(x.FalseResult, yes.kind())}
	case *hclsyntax.FunctionCallExpr:
		return c.call(x)
	default:
		return c.fail(x, "Unusable in a metric", "A metric is computed from numbers, variables of a step, operators and functions.")
	}
}

// operand compiles x, which has to be of a kind.
func (c *compiler) operand(x hclsyntax.Expression, want kind) node {
	n := c.compile(x)
	if n.kind() != want && !c.diags.HasErrors() {
		return c.fail(x, "Wrong type", fmt.Sprintf("A %s is needed here, and this is a %s.", want, n.kind()))
	}
	return n
}

func (c *compiler) literal(x *hclsyntax.LiteralValueExpr) node {
	switch v := x.Val; {
	case !v.IsNull() && v.Type() == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return constant{f, number}
	case !v.IsNull() && v.Type() == cty.Bool:
		return constant{fromBool(v.True()), truth}
	}
	return c.fail(x, "Wrong type", "A metric is computed from numbers.")
}

// reference is a variable of the step, or a constant.
func (c *compiler) reference(x *hclsyntax.ScopeTraversalExpr) node {
	name := x.Traversal.RootName()
	if len(x.Traversal) == 1 && slices.Contains(c.known, name) {
		return variable(name)
	}
	if len(x.Traversal) > 1 && c.lookup != nil {
		value, diags := c.lookup(x.Traversal)
		c.diags = append(c.diags, diags...)
		if diags.HasErrors() {
			return constant{}
		}
		switch v := value.(type) {
		case float64:
			return constant{v, number}
		case bool:
			return constant{fromBool(v), truth}
		case nil:
			return constant{} // its error was reported before
		}
		return c.fail(x, "Wrong type", "A metric is computed from numbers, and this is none.")
	}
	return c.fail(x, "Unknown variable", fmt.Sprintf("A step has no variable %q.%s Metrics can use %s.",
		name, nearest.Hint(name, c.known), nearest.List(c.known, "and")))
}

func (c *compiler) binary(x *hclsyntax.BinaryOpExpr) node {
	b := binary{operator: operatorText(x.Op)}
	if b.operator == "" {
		return c.fail(x, "Unusable in a metric", "This operator is not known to metrics.")
	}
	operands := number
	switch b.operator {
	case "||", "&&":
		operands = truth
	case "==", "!=":
		b.x = c.compile(x.LHS)
		operands = b.x.kind()
	}
	if b.x == nil {
		b.x = c.operand(x.LHS, operands)
	}
	b.y = c.operand(x.RHS, operands)
	return b
}

// A function of metrics, with the least and the greatest number of arguments.
type function struct {
	least, most int
	f           func([]float64) float64
}

const anyNumber = 64

func functions() map[string]function {
	one := func(f func(float64) float64) function {
		return function{1, 1, func(x []float64) float64 { return f(x[0]) }}
	}
	return map[string]function{
		"abs": one(math.Abs), "ceil": one(math.Ceil), "exp": one(math.Exp), "floor": one(math.Floor),
		"round": one(math.Round), "signum": one(signum), "sqrt": one(math.Sqrt),
		"log": {1, 2, evaluate.Log},
		"max": {1, anyNumber, func(x []float64) float64 { return fold(x, math.Max) }},
		"min": {1, anyNumber, func(x []float64) float64 { return fold(x, math.Min) }},
		"pow": {2, 2, func(x []float64) float64 { return math.Pow(x[0], x[1]) }},
	}
}

func (c *compiler) call(x *hclsyntax.FunctionCallExpr) node {
	f, ok := functions()[x.Name]
	if !ok {
		var names []string
		for name := range functions() {
			names = append(names, name)
		}
		slices.Sort(names)
		return c.fail(x, "Unknown function", fmt.Sprintf("Metrics have no function %q.%s They have %s.",
			x.Name, nearest.Hint(x.Name, names), nearest.List(names, "and")))
	}
	if len(x.Args) < f.least || len(x.Args) > f.most || x.ExpandFinal {
		return c.fail(x, "Wrong number of arguments", fmt.Sprintf("%s takes %s.", x.Name, argumentCount(f)))
	}
	n := call{name: x.Name, f: f.f}
	for _, arg := range x.Args {
		n.args = append(n.args, c.operand(arg, number))
	}
	return n
}

func argumentCount(f function) string {
	switch {
	case f.most == anyNumber:
		return "one number or more"
	case f.least == 1 && f.most == 1:
		return "one number"
	case f.least == f.most:
		return fmt.Sprintf("%d numbers", f.least)
	}
	return fmt.Sprintf("%d or %d numbers", f.least, f.most)
}

func (c *compiler) fail(x hclsyntax.Expression, summary, detail string) node {
	c.diags = append(c.diags, refuse(x, summary, detail))
	return constant{}
}

func refuse(x hclsyntax.Expression, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: x.Range().Ptr()}
}

func fold(x []float64, f func(a, b float64) float64) float64 {
	y := x[0]
	for _, v := range x[1:] {
		y = f(y, v)
	}
	return y
}

func signum(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}
