package evaluate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// An Evaluator evaluates the expressions of one run file, all out of one budget.
// It is for one goroutine.
type Evaluator struct {
	meter     *meter
	reported  bool
	secrets   []string
	dir       string
	lookupEnv func(string) (string, bool)
}

// New gives an evaluator whose functions read files relative to dir, and the
// environment through lookupEnv; nil is an empty environment.
func New(ctx context.Context, dir string, lookupEnv func(string) (string, bool)) *Evaluator {
	if lookupEnv == nil {
		lookupEnv = func(string) (string, bool) { return "", false }
	}
	e := &Evaluator{dir: dir, lookupEnv: lookupEnv}
	functions := map[string]function.Function{}
	for _, f := range e.table() {
		functions[f.Name] = f.impl
	}
	e.meter = &meter{ctx: ctx, left: budget, functions: functions}
	return e
}

// Context is a scope with the functions and these variables.
func (e *Evaluator) Context(variables map[string]cty.Value) *hcl.EvalContext {
	return &hcl.EvalContext{Variables: variables, Functions: e.meter.functions}
}

// Value is the value of an expression in a scope of [Evaluator.Context], or of
// literals alone where ctx is nil. After an error it is unknown, so that what
// depends on it can be left alone.
func (e *Evaluator) Value(x hclsyntax.Expression, ctx *hcl.EvalContext) (v cty.Value, diags hcl.Diagnostics) {
	defer func() {
		if r := recover(); r != nil {
			v, diags = cty.DynamicVal, append(diags, refuse(x.Range(), "Expression that cannot be evaluated",
				fmt.Sprintf("HCL gave up on this expression: %s.", scrub(fmt.Sprint(r), e.secrets)))...)
		}
		e.finish(diags)
	}()
	root := &metered{Expression: &hclsyntax.ParenthesesExpr{Expression: e.meter.wrap(x, use{}), SrcRange: x.Range()}, meter: e.meter}
	v, diags = root.Value(ctx)
	diags = slices.Clone(diags) // some of HCL's are the parser's own
	for i, d := range diags {
		diags[i] = new(*d)
	}
	if e.Halted() && !e.reported {
		diags = nil // what else was found is of a value that is not whole
	}
	if stopped := e.stopped(); stopped != nil {
		return cty.DynamicVal, append(diags, stopped)
	}
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	return v, diags
}

// stopped is the diagnostic for the budget, once.
func (e *Evaluator) stopped() *hcl.Diagnostic {
	if e.meter.problem == "" || e.reported {
		return nil
	}
	e.reported = true
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Evaluation stopped", Detail: e.meter.problem, Subject: e.meter.at,
	}
}

// Spent is the part of the budget that is used up, from 0 to 1.
func (e *Evaluator) Spent() float64 { return 1 - float64(max(0, e.meter.left))/budget }

// Halted reports that the budget is used up: nothing more is evaluated.
func (e *Evaluator) Halted() bool { return e.meter.problem != "" }

// Weigh pays for a value that comes from elsewhere, such as a file of variables,
// and says what is wrong with it.
func (e *Evaluator) Weigh(v cty.Value, at hcl.Range) hcl.Diagnostics {
	problem := e.meter.weigh(v, use{})
	if e.meter.problem != "" && e.meter.at == nil {
		e.meter.at = &at
	}
	if d := e.stopped(); d != nil {
		return hcl.Diagnostics{d}
	}
	if problem != "" {
		return refuse(at, "Value out of bounds", problem)
	}
	return nil
}

// Convert converts a value, paid for as HCL's own conversions are.
func (e *Evaluator) Convert(v cty.Value, t cty.Type) (cty.Value, error) {
	if t == cty.DynamicPseudoType {
		return v, nil
	}
	if problem := e.meter.weigh(v, use{unify: t.HasDynamicTypes(), numeric: true}); problem != "" {
		return cty.DynamicVal, errors.New(problem)
	}
	if e.Halted() {
		return cty.UnknownVal(t), nil
	}
	out, err := convert.Convert(v, t)
	if err != nil {
		return cty.DynamicVal, err
	}
	if problem := e.meter.weigh(out, use{}); problem != "" {
		return cty.DynamicVal, errors.New(problem)
	}
	return out, nil
}

// Keep has diagnostics withhold the strings within v.
func (e *Evaluator) Keep(v cty.Value) {
	if e.Halted() {
		return
	}
	v, _ = v.UnmarkDeep()
	_ = cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) {
		if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
			e.keep(v.AsString())
		}
		return true, nil
	})
}

// keep remembers a secret. A short one would take ordinary words out of every
// message, and is nobody's key.
func (e *Evaluator) keep(s string) {
	if len(s) >= 6 && len(e.secrets) < MaxElements && !slices.Contains(e.secrets, s) {
		e.secrets = append(e.secrets, s)
	}
}

// finish readies diagnostics for being shown.
func (e *Evaluator) finish(diags hcl.Diagnostics) {
	for _, d := range diags {
		reveal(d)
		e.Scrub(d)
	}
}

// Scrub takes known secrets out of a diagnostic.
func (e *Evaluator) Scrub(d *hcl.Diagnostic) {
	d.Summary = scrub(d.Summary, e.secrets)
	d.Detail = scrub(d.Detail, e.secrets)
}

// Mask is a source with known secrets in it made unreadable, at the same length.
func (e *Evaluator) Mask(src []byte) []byte {
	for _, s := range e.secrets {
		src = bytes.ReplaceAll(src, []byte(s), bytes.Repeat([]byte("*"), len(s)))
	}
	return src
}
