package evaluate

import (
	"context"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// The budget of an Evaluator, and what things cost. A budget is used up in less than
// a second; the example of the documentation takes a thousandth of it.
const (
	budget       = 2 << 20
	nodeCost     = 16 // an evaluated node, an element of a value
	bytesPerUnit = 4  // of strings

	// MaxStringBytes and MaxElements bound a single value.
	MaxStringBytes = 1 << 20
	MaxElements    = 4096

	// maxErrors of one expression: a for expression can yield one an element.
	maxErrors = 20
)

// A meter counts down the budget. Once it has stopped, it stays so.
type meter struct {
	ctx     context.Context
	left    int64
	problem string     // why it stopped
	at      *hcl.Range // where

	functions map[string]function.Function
}

func (m *meter) stop(problem string) {
	if m.problem == "" {
		m.problem = problem
	}
}

// spend takes units and reports whether there were enough.
func (m *meter) spend(units int64) bool {
	m.left -= units
	if m.left >= 0 {
		return true
	}
	m.stop("Evaluating the file takes too long or too much memory. Large loops, and texts put together from many parts, " +
		"belong in a program that writes the data.")
	return false
}

// A use says what becomes of a value next, as far as that costs something.
type use struct {
	unify   bool // HCL looks for one type for all elements: the square of their number
	numeric bool // HCL reads numbers from strings
}

// weigh pays for a value and for its use. It says what is wrong with a value that
// is not allowed to exist.
func (m *meter) weigh(v cty.Value, next use) (problem string) {
	if !m.spend(nodeCost) {
		return ""
	}
	v, _ = v.Unmark()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return ""
	}
	t := v.Type()
	switch {
	case t == cty.String:
		if next.numeric && costlyNumber(v.AsString()) {
			return "This string stands for a number out of range. " + numberRange
		}
		return m.weighString(v.AsString())
	case t == cty.Number:
		return outOfRange(v.AsBigFloat())
	case t.IsCollectionType() || t.IsTupleType() || t.IsObjectType():
		return m.weighElements(v, next)
	}
	return ""
}

func (m *meter) weighElements(v cty.Value, next use) (problem string) {
	n := int64(v.LengthInt())
	if n > MaxElements {
		return fmt.Sprintf("This has %d elements; at most %d are possible.", n, MaxElements)
	}
	if next.unify && !v.Type().IsCollectionType() && !m.spend(n*n) {
		return ""
	}
	for it := v.ElementIterator(); problem == "" && m.problem == "" && it.Next(); {
		key, element := it.Element()
		if key, _ := key.Unmark(); key.Type() == cty.String && key.IsKnown() {
			problem = m.weighString(key.AsString())
		}
		if problem == "" {
			problem = m.weigh(element, next)
		}
	}
	return problem
}

func (m *meter) weighString(s string) (problem string) {
	if len(s) > MaxStringBytes {
		return fmt.Sprintf("This string has %d bytes; at most %d are possible.", len(s), MaxStringBytes)
	}
	m.spend(int64(len(s) / bytesPerUnit))
	return ""
}

// A metered expression pays for its evaluation, and keeps what its errors say of
// secrets to itself.
type metered struct {
	hclsyntax.Expression
	meter *meter
	next  use
}

var _ hclsyntax.Expression = (*metered)(nil)

// Value evaluates the expression, or nothing once the meter has stopped: then it
// is an unknown value without a diagnostic, and the evaluator reports why.
func (e *metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	m := e.meter
	if err := m.ctx.Err(); err != nil {
		m.stop(fmt.Sprintf("It was interrupted: %v.", err))
	}
	if m.problem == "" {
		v, diags := e.Expression.Value(ctx)
		problem := m.weigh(v, e.next)
		if m.problem == "" {
			withhold(e.Expression, ctx, diags)
			if problem != "" {
				v, diags = cty.DynamicVal, append(diags, refuse(e.Range(), "Value out of bounds", problem)...)
			}
			return v, diags[:min(len(diags), maxErrors)]
		}
	}
	if m.at == nil {
		m.at = e.Range().Ptr()
	}
	return cty.DynamicVal, nil
}

// UnwrapExpression lets HCL's static analysis see the expression itself.
func (e *metered) UnwrapExpression() hcl.Expression { return e.Expression }

// Unwrap is an expression without the meter that an Evaluator put around it, for
// a look at its syntax.
func Unwrap(x hclsyntax.Expression) hclsyntax.Expression {
	if e, ok := x.(*metered); ok {
		return e.Expression
	}
	return x
}

// Literal is the value of a string that is written out.
func Literal(x hclsyntax.Expression) (string, bool) {
	t, ok := Unwrap(x).(*hclsyntax.TemplateExpr)
	if !ok || !t.IsStringLiteral() {
		return "", false
	}
	v, diags := t.Value(nil)
	if diags.HasErrors() {
		return "", false
	}
	return v.AsString(), true
}

// wrap puts meters around an expression and all within it, in place. Literals
// need none.
func (m *meter) wrap(x hclsyntax.Expression, next use) hclsyntax.Expression {
	plain := func(x hclsyntax.Expression) hclsyntax.Expression { return m.wrap(x, use{}) }
	switch x := x.(type) {
	case nil:
		return nil
	case *metered, *hclsyntax.LiteralValueExpr, *hclsyntax.AnonSymbolExpr, *hclsyntax.ExprSyntaxError:
		return x
	case *hclsyntax.ParenthesesExpr:
		x.Expression = m.wrap(x.Expression, next)
		return x
	case *hclsyntax.TemplateWrapExpr:
		x.Wrapped = m.wrap(x.Wrapped, next)
		return x
	case *hclsyntax.TemplateExpr:
		for i := range x.Parts {
			x.Parts[i] = plain(x.Parts[i])
		}
	case *hclsyntax.TemplateJoinExpr:
		x.Tuple = plain(x.Tuple)
	case *hclsyntax.RelativeTraversalExpr:
		x.Source = plain(x.Source)
	case *hclsyntax.IndexExpr:
		x.Collection, x.Key = plain(x.Collection), m.wrap(x.Key, use{numeric: true})
	case *hclsyntax.SplatExpr:
		x.Source, x.Each = plain(x.Source), plain(x.Each)
	case *hclsyntax.UnaryOpExpr:
		x.Val = m.wrap(x.Val, use{numeric: true})
	case *hclsyntax.BinaryOpExpr:
		x.LHS, x.RHS = m.wrap(x.LHS, use{numeric: true}), m.wrap(x.RHS, use{numeric: true})
	case *hclsyntax.ConditionalExpr:
		x.Condition = plain(x.Condition)
		x.TrueResult, x.FalseResult = m.wrap(x.TrueResult, use{unify: true}), m.wrap(x.FalseResult, use{unify: true})
	case *hclsyntax.TupleConsExpr:
		for i := range x.Exprs {
			x.Exprs[i] = plain(x.Exprs[i])
		}
	case *hclsyntax.ObjectConsExpr:
		for i := range x.Items {
			m.wrapKey(x.Items[i].KeyExpr)
			x.Items[i].ValueExpr = plain(x.Items[i].ValueExpr)
		}
	case *hclsyntax.ForExpr:
		x.CollExpr, x.ValExpr = plain(x.CollExpr), plain(x.ValExpr)
		x.KeyExpr, x.CondExpr = plain(x.KeyExpr), plain(x.CondExpr)
	case *hclsyntax.FunctionCallExpr:
		m.wrapArguments(x)
	}
	return &metered{Expression: x, meter: m, next: next}
}

// wrapArguments wraps a call's arguments, which HCL converts to the types of the
// function's parameters.
func (m *meter) wrapArguments(x *hclsyntax.FunctionCallExpr) {
	f, ok := m.functions[x.Name]
	var params []function.Parameter
	if ok {
		params = f.Params()
	}
	for i := range x.Args {
		next := use{unify: unifies(x.Name)}
		param := cty.DynamicPseudoType
		switch {
		case i < len(params):
			param = params[i].Type
		case ok && f.VarParam() != nil:
			param = f.VarParam().Type
		}
		next.numeric = param == cty.Number
		next.unify = next.unify || param.IsCollectionType() && param.ElementType() == cty.DynamicPseudoType
		x.Args[i] = m.wrap(x.Args[i], next)
	}
}

// wrapKey wraps what an object's key is computed from. A bare reference stays as
// it is, because HCL looks at its syntax to refuse it.
func (m *meter) wrapKey(key hclsyntax.Expression) {
	k, ok := key.(*hclsyntax.ObjectConsKeyExpr)
	if !ok {
		return
	}
	if _, bare := k.Wrapped.(*hclsyntax.ScopeTraversalExpr); !bare {
		k.Wrapped = m.wrap(k.Wrapped, use{})
	}
}
