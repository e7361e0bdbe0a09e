package runfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
	"github.com/honeml/hone/host/runfile/internal/nearest"
)

// envPrefix begins the names of variables of the environment that set variables
// of run files.
const envPrefix = "HONE_VAR_"

// A variable is a declared one.
type variable struct {
	name       string
	block      *hclsyntax.Block
	valueType  cty.Type
	defaults   *typeexpr.Defaults
	fallback   cty.Value // NilVal: it has to be set
	sensitive  bool
	validation []*hclsyntax.Block
	broken     bool // its declaration is; errors about its value would only confuse
}

// A given is a value that was given to a variable, and where.
type given struct {
	value  cty.Value
	text   *string // of the command line or the environment, to be read by the variable's type
	at     hcl.Range
	origin string // "-var rank=…", for messages
	env    string // the variable of the environment it is
}

// readVariables reads declarations, values and validations.
func (l *loader) readVariables() {
	l.vars = map[string]cty.Value{}
	declared := l.declarations()
	l.declared = declared
	names := slices.Sorted(maps.Keys(declared))
	values := map[string]given{}
	for _, name := range names {
		if s, ok := l.lookup(envPrefix + name); ok {
			values[name] = given{text: &s, origin: envPrefix + name, env: envPrefix + name}
		}
	}
	for _, path := range l.options.VarFiles {
		l.readVarFile(path, names, values)
	}
	l.readVarFlags(names, values)
	for _, name := range names {
		l.vars[name] = l.variableValue(declared[name], values)
	}
}

// validateVariables holds all variables to their validation blocks, which may
// refer to locals.
func (l *loader) validateVariables() {
	for _, name := range slices.Sorted(maps.Keys(l.declared)) {
		l.validate(l.declared[name])
	}
}

func (l *loader) lookup(name string) (string, bool) {
	if l.options.LookupEnv == nil {
		return "", false
	}
	return l.options.LookupEnv(name)
}

// variableValue is a variable's value: what was given, or its default.
func (l *loader) variableValue(v *variable, values map[string]given) cty.Value {
	g, ok := values[v.name]
	if v.broken {
		return cty.DynamicVal
	}
	if !ok {
		if v.fallback == cty.NilVal {
			l.refuse(v.block.DefRange(), "Variable without a value", "Set it with -var %s=…, with %s%s in the environment, "+
				"in a file for -var-file, or give it a default.", v.name, envPrefix, v.name)
			return cty.DynamicVal
		}
		return v.mark(v.fallback, "")
	}
	if v.sensitive && g.text != nil {
		l.eval.Keep(cty.StringVal(*g.text))
	}
	value, ok := l.givenValue(v, &g)
	if !ok {
		return cty.DynamicVal
	}
	if v.sensitive {
		l.eval.Keep(value)
	}
	converted, err := l.toType(v, value)
	if err != nil {
		l.add(g.problem("Wrong type", fmt.Sprintf("Variable %q takes %s: %s.", v.name, typeexpr.TypeString(v.valueType), err)))
		return cty.DynamicVal
	}
	return v.mark(converted, g.env)
}

// problem is an error about a given value.
func (g *given) problem(summary, detail string) *hcl.Diagnostic {
	if g.at.Filename == "" {
		return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary + " in " + g.origin, Detail: detail}
	}
	return problem(g.at, summary, detail)
}

// givenValue reads a text by the variable's type: as it is where that is a string,
// a number or a bool, as an expression of literals otherwise.
func (l *loader) givenValue(v *variable, g *given) (cty.Value, bool) {
	if g.text == nil {
		return g.value, true
	}
	if v.valueType.IsPrimitiveType() || v.valueType == cty.DynamicPseudoType {
		return cty.StringVal(*g.text), true
	}
	x, diags := evaluate.ParseExpression(g.origin, []byte(*g.text))
	var value cty.Value
	if !diags.HasErrors() {
		value, diags = l.eval.Value(x, nil)
	}
	if diags.HasErrors() {
		hint := fmt.Sprintf("Variable %q takes %s, written as in a run file.", v.name, typeexpr.TypeString(v.valueType))
		l.add(g.problem(diags[0].Summary, diags[0].Detail+" "+hint))
		return cty.DynamicVal, false
	}
	return value, true
}

// toType converts a value to the variable's type.
func (l *loader) toType(v *variable, value cty.Value) (cty.Value, error) {
	if v.defaults != nil && !value.IsNull() {
		value = v.defaults.Apply(value)
	}
	return l.eval.Convert(value, v.valueType)
}

// mark marks a sensitive variable's value.
func (v *variable) mark(value cty.Value, env string) cty.Value {
	if !v.sensitive {
		return value
	}
	return value.Mark(evaluate.Secret{Env: env})
}

// readVarFlags reads NAME=VALUE pairs. A later one wins.
func (l *loader) readVarFlags(names []string, values map[string]given) {
	for _, pair := range l.options.Vars {
		name, text, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		switch {
		case !ok:
			l.add(&hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Unreadable -var " + name, Detail: "Write -var NAME=VALUE.",
			})
		case !slices.Contains(names, name):
			l.add(&hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Unknown variable in -var " + name, Detail: l.undeclared(name, names),
			})
		default:
			values[name] = given{text: &text, origin: "-var " + name}
		}
	}
}

func (l *loader) undeclared(name string, names []string) string {
	hint := nearest.Hint(name, names)
	if hint == "" {
		hint = fmt.Sprintf(" It declares %s.", listOr(names, "none"))
	}
	return fmt.Sprintf("%s declares no variable %q.%s", l.name, name, hint)
}

// validate holds a variable's value to its validation blocks.
func (l *loader) validate(v *variable) {
	if v.broken || !l.vars[v.name].IsWhollyKnown() {
		return
	}
	for _, b := range v.validation {
		condition, message := b.Body.Attributes["condition"], b.Body.Attributes["error_message"]
		if condition == nil || message == nil {
			l.refuse(b.DefRange(), "Missing attribute", "validation needs condition and error_message.")
			continue
		}
		holds, diags := l.value(condition.Expr)
		l.add(diags...)
		holds, _ = holds.Unmark()
		if diags.HasErrors() || !holds.IsKnown() {
			continue
		}
		if holds.IsNull() || holds.Type() != cty.Bool {
			l.refuse(condition.Expr.Range(), "Wrong type", "A condition is true or false.")
			continue
		}
		if !holds.True() {
			l.refuse(v.block.DefRange(), "Invalid value of variable "+v.name, "%s", l.errorMessage(message.Expr))
		}
	}
}

// errorMessage is what a validation says of a wrong value.
func (l *loader) errorMessage(x hclsyntax.Expression) string {
	text, diags := l.value(x)
	l.add(diags...)
	switch {
	case diags.HasErrors() || !text.IsWhollyKnown():
		return "The condition of its validation does not hold."
	case text.ContainsMarked():
		return "The condition of its validation does not hold. Why is not shown, because the message is sensitive."
	case text.IsNull() || text.Type() != cty.String:
		l.refuse(x.Range(), "Wrong type", "An error_message is a string.")
		return "The condition of its validation does not hold."
	}
	return text.AsString()
}
