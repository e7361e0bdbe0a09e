package runfile

import (
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/runfile/internal/nearest"
)

// declarations reads the variable blocks.
func (l *loader) declarations() map[string]*variable {
	out := map[string]*variable{}
	for _, b := range l.blocks("variable", 1) {
		name := b.Labels[0]
		switch {
		case !hclsyntax.ValidIdentifier(name):
			l.refuse(b.LabelRanges[0], "Impossible name", "A variable's name has letters, digits and underscores, and begins with a letter.")
		case out[name] != nil:
			l.refuse(b.LabelRanges[0], "Two variables of one name", "var.%s is declared in line %d, too.", name, out[name].block.TypeRange.Start.Line)
		default:
			out[name] = l.declaration(name, b)
		}
	}
	return out
}

// variableAttributes are the attributes of a variable block.
func variableAttributes() []string { return []string{"type", "default", "description", "sensitive"} }

func (l *loader) declaration(name string, b *hclsyntax.Block) *variable {
	v := &variable{name: name, block: b, valueType: cty.DynamicPseudoType}
	errors := len(l.diags)
	for _, a := range b.Body.Attributes {
		if known := variableAttributes(); nearest.Name(a.Name, known) != a.Name {
			l.refuse(a.NameRange, "Unknown attribute", "variable has no attribute %q.%s It has %s, and validation blocks.",
				a.Name, nearest.Hint(a.Name, known), nearest.List(known, "and"))
		}
	}
	for _, inner := range b.Body.Blocks {
		if inner.Type != "validation" {
			l.refuse(inner.TypeRange, "Unknown block", "variable has no block %q, only validation.", inner.Type)
			continue
		}
		if l.checkLabels(inner, 0) {
			v.validation = append(v.validation, inner)
		}
	}
	l.declareDescription(v)
	l.declareType(v)
	l.declareDefault(v)
	v.broken = len(l.diags) > errors
	return v
}

// declareDescription reads description and sensitive, which are literals.
func (l *loader) declareDescription(v *variable) {
	if a := v.block.Body.Attributes["description"]; a != nil {
		if text, diags := l.eval.Value(a.Expr, nil); diags.HasErrors() || text.IsNull() || text.Type() != cty.String {
			l.refuse(a.Expr.Range(), "Wrong type", "A description is a string, written out.")
		}
	}
	if a := v.block.Body.Attributes["sensitive"]; a != nil {
		on, diags := l.eval.Value(a.Expr, nil)
		if diags.HasErrors() || on.IsNull() || on.Type() != cty.Bool {
			l.refuse(a.Expr.Range(), "Wrong type", "sensitive is true or false.")
			v.sensitive = true
			return
		}
		v.sensitive = on.True()
	}
}

func (l *loader) declareType(v *variable) {
	a := v.block.Body.Attributes["type"]
	if a == nil {
		return
	}
	t, defaults, diags := typeexpr.TypeConstraintWithDefaults(a.Expr)
	l.add(diags...)
	if !diags.HasErrors() {
		v.valueType, v.defaults = t, defaults
	}
}

// declareDefault reads the default. Without a type, it gives one: that of a string,
// a number or a bool.
func (l *loader) declareDefault(v *variable) {
	a := v.block.Body.Attributes["default"]
	if a == nil {
		return
	}
	for _, r := range a.Expr.Variables() {
		l.refuse(r.SourceRange(), "Unexpected reference", "A default refers to nothing else; a local can be computed from variables.")
		return
	}
	value, diags := l.eval.Value(a.Expr, l.eval.Context(nil))
	l.add(diags...)
	if diags.HasErrors() || !value.IsWhollyKnown() {
		return
	}
	if v.sensitive {
		l.eval.Keep(value)
	}
	if t := value.Type(); v.block.Body.Attributes["type"] == nil && t.IsPrimitiveType() {
		v.valueType = t
	}
	converted, err := l.toType(v, value)
	if err != nil {
		l.refuse(a.Expr.Range(), "Wrong type", "The variable's type is %s: %s.", typeexpr.TypeString(v.valueType), err)
		return
	}
	v.fallback = converted
}
