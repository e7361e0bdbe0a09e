package runfile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/runfile/internal/nearest"
)

// value evaluates an expression. References are looked at first, because HCL's
// messages about them do not know what there is to refer to.
func (l *loader) value(x hclsyntax.Expression) (cty.Value, hcl.Diagnostics) {
	references := x.Variables()
	if diags := l.checkReferences(references); diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	return l.eval.Value(x, l.scope(references))
}

// scope holds what the references need, and nothing else: a file of many locals
// would otherwise take the square of their number.
func (l *loader) scope(references []hcl.Traversal) *hcl.EvalContext {
	vars, locals := map[string]cty.Value{}, map[string]cty.Value{}
	variables := map[string]cty.Value{}
	for _, r := range references {
		name, _ := second(r)
		switch r.RootName() {
		case "var":
			vars[name] = l.vars[name]
		case "local":
			locals[name] = l.locals[name]
		case "run":
			variables["run"] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(l.runName)})
		}
	}
	variables["var"], variables["local"] = cty.ObjectVal(vars), cty.ObjectVal(locals)
	return l.eval.Context(variables)
}

// checkReferences reports references that lead nowhere.
func (l *loader) checkReferences(references []hcl.Traversal) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, r := range references {
		if d := l.checkReference(r); d != nil {
			diags = append(diags, d)
		}
	}
	return diags
}

func (l *loader) checkReference(r hcl.Traversal) *hcl.Diagnostic {
	switch root := r.RootName(); root {
	case "var":
		return checkNamed(r, "variable", l.vars, "Declare it with: variable %q { … }.")
	case "local":
		return checkNamed(r, "local", l.locals, "Give it a value with: locals { %s = … }.")
	case "run":
		if step, ok := second(r); ok && step == "name" && l.runName != "" {
			return nil
		}
		return problem(r.SourceRange(), "Unknown reference", "Of the run itself, only run.name can be referred to.")
	default:
		detail := fmt.Sprintf("Nothing is called %q here. Write var.NAME for a variable, local.NAME for a local, run.name for the run's name.", root)
		if len(r) == 1 {
			detail = fmt.Sprintf("Nothing is called %s here. For a string, write it in quotes: %q.", root, root)
		}
		return problem(r.SourceRange(), "Unknown reference", detail)
	}
}

func checkNamed(r hcl.Traversal, what string, known map[string]cty.Value, remedy string) *hcl.Diagnostic {
	name, ok := second(r)
	if !ok {
		return problem(r.SourceRange(), "Unknown reference", fmt.Sprintf("Write the name of a %s after %s and a point.", what, r.RootName()))
	}
	if _, ok := known[name]; ok {
		return nil
	}
	names := slices.Sorted(maps.Keys(known))
	detail := fmt.Sprintf("There is no %s %q.%s", what, name, nearest.Hint(name, names))
	if nearest.Name(name, names) == "" {
		detail += " " + fmt.Sprintf(remedy, name)
	}
	return problem(r.SourceRange(), "Unknown "+what, detail)
}

// second is the name after a reference's first part.
func second(r hcl.Traversal) (string, bool) {
	if len(r) < 2 {
		return "", false
	}
	switch step := r[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String {
			return step.Key.AsString(), true
		}
	}
	return "", false
}
