package evaluate

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// A Secret is the mark of values that must not be shown. It says which variable
// of the environment such a value comes from; "" where it is another's.
type Secret struct{ Env string }

// Redacted stands where a secret would.
const Redacted = "(sensitive)"

// Secrets are the marks on v and within it, by the names of their variables in
// the environment, sorted. A nil result: v is no secret.
func Secrets(v cty.Value) []Secret {
	if !v.ContainsMarked() {
		return nil
	}
	_, marks := v.UnmarkDeep()
	found := make([]Secret, 0, len(marks))
	for mark := range marks {
		if s, ok := mark.(Secret); ok {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b Secret) int { return strings.Compare(a.Env, b.Env) })
	return found
}

// withhold takes out of an expression's own diagnostics what they say of marked
// values. HCL's messages name types, never values, but for a function's error and
// a key that stands twice.
func withhold(x hclsyntax.Expression, ctx *hcl.EvalContext, diags hcl.Diagnostics) {
	for _, d := range diags {
		switch x := x.(type) {
		case *hclsyntax.FunctionCallExpr:
			extra, ok := d.Extra.(hclsyntax.FunctionCallDiagExtra)
			if !ok || extra.FunctionCallError() == nil {
				continue
			}
			d.Extra = nil // said once; calls around this one leave it alone
			if slices.ContainsFunc(x.Args, func(a hclsyntax.Expression) bool { return marked(a, ctx) }) {
				d.Detail = "The call of " + x.Name + " failed. Why is not shown, because an argument is sensitive."
				d.Expression = nil
			}
		case *hclsyntax.ForExpr:
			if d.Summary == "Duplicate object key" && d.Expression != nil && marked(x.KeyExpr, d.EvalContext) {
				d.Detail = "Two elements have the same key, which is sensitive. To collect such elements, write ... after the value."
				d.Expression = nil
			}
		}
	}
}

// marked reports whether an expression's value holds a secret, or may.
func marked(x hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	v, diags := x.Value(ctx)
	return diags.HasErrors() || v.ContainsMarked()
}

// shown is what hcl's writer of diagnostics may show of an expression: the values
// of these references and no others.
type shown struct {
	hcl.Expression
	references []hcl.Traversal
}

// Variables are the references that may be shown.
func (s shown) Variables() []hcl.Traversal { return s.references }

// maxShown is the longest string that a diagnostic shows as a reference's value.
const maxShown = 80

// reveal decides which values a diagnostic shows beside its source: plain ones
// that are no secrets.
func reveal(d *hcl.Diagnostic) {
	node, ok := d.Expression.(hclsyntax.Node)
	if !ok || d.EvalContext == nil {
		d.Expression, d.EvalContext = nil, nil
		return
	}
	var references []hcl.Traversal
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if e, ok := n.(*metered); ok {
			n = e.Expression
		}
		if x, ok := n.(*hclsyntax.ScopeTraversalExpr); ok && showable(x.Traversal, d.EvalContext) {
			references = append(references, x.Traversal)
		}
		return nil
	})
	if len(references) == 0 {
		d.Expression, d.EvalContext = nil, nil
		return
	}
	d.Expression = shown{d.Expression, references}
}

func showable(t hcl.Traversal, ctx *hcl.EvalContext) bool {
	v, diags := t.TraverseAbs(ctx)
	if diags.HasErrors() || !v.IsKnown() || v.ContainsMarked() {
		return false
	}
	if v.IsNull() {
		return true
	}
	return v.Type() != cty.String || len(v.AsString()) <= maxShown
}

// scrub replaces whole secrets that a text holds none the less.
func scrub(text string, secrets []string) string {
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, Redacted)
	}
	return text
}
