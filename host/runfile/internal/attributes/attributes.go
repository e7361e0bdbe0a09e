// Package attributes decodes the attributes of an HCL block against a
// config.Schema: the plugins' blocks of a run file, and its own, in the same way.
//
// Values come out as JSON would have them, but for whole numbers, which are
// int64. What is wrong is a diagnostic at its own line, and all of it is said at
// once. Sensitive values are let through where a block may have them, and where
// they are is told.
package attributes

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
	"github.com/honeml/hone/host/runfile/internal/nearest"
	"github.com/honeml/hone/sdk/config"
)

// A Decoder decodes blocks of one scope.
type Decoder struct {
	// Value evaluates an expression; an unknown value without an error is one
	// whose error was reported before.
	Value func(hclsyntax.Expression) (cty.Value, hcl.Diagnostics)
	// Secrets lets sensitive values through, and LookupEnv tells which of them are a
	// variable of the environment as it is.
	Secrets   bool
	LookupEnv func(name string) (string, bool)
	// Path makes a path absolute.
	Path func(string) string
	// Single are the names of list attributes whose only element may stand without
	// brackets.
	Single []string
	// Elsewhere says which other block has an attribute of that name, or "". It may
	// be nil.
	Elsewhere func(attribute string) string
}

// Decoded is what a block holds.
type Decoded struct {
	Values  map[string]any  // by attribute; those that were left out have their defaults, or are absent
	Given   map[string]bool // attributes that the user wrote a value for, right or wrong
	Secrets []Secret
}

// A Secret is where a sensitive value stands.
type Secret struct {
	Path []string // the attribute, then keys and decimal indices
	Env  []string // the variables of the environment that it comes from
	// Whole says that the value is the one variable in Env, unchanged.
	Whole bool
}

// Any is a schema for a block of which nothing is known: every attribute, of
// whatever type it is written with.
func Any(block *hclsyntax.Block) config.Schema {
	var s config.Schema
	for name := range block.Body.Attributes {
		s.Attributes = append(s.Attributes, config.Attribute{Name: name})
	}
	return s
}

// Decode decodes a block's attributes; what is the block as messages name it.
// Values that are wrong are absent.
func (d Decoder) Decode(what string, block *hclsyntax.Block, schema config.Schema) (*Decoded, hcl.Diagnostics) {
	out := &Decoded{Values: map[string]any{}, Given: map[string]bool{}}
	diags := d.strangers(what, block.Body, schema)
	for i := range schema.Attributes {
		a := &schema.Attributes[i]
		written, ok := block.Body.Attributes[a.Name]
		if ok {
			more := d.attribute(out, a, written)
			diags = append(diags, more...)
		}
		if out.Given[a.Name] {
			continue
		}
		if a.Required {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Missing attribute",
				Detail:  fmt.Sprintf("%s needs %q. %s", what, a.Name, a.Doc),
				Subject: block.DefRange().Ptr(),
			})
		} else if a.Default != nil {
			out.Values[a.Name] = normal(a.Default, a.Type)
		}
	}
	return out, diags
}

// strangers reports attributes and blocks that the schema does not have.
func (d Decoder) strangers(what string, body *hclsyntax.Body, schema config.Schema) hcl.Diagnostics {
	var known []string
	for _, a := range schema.Attributes {
		known = append(known, a.Name)
	}
	var diags hcl.Diagnostics
	for _, a := range body.Attributes {
		if slices.Contains(known, a.Name) {
			continue
		}
		detail := fmt.Sprintf("%s has no attribute %q.%s", what, a.Name, d.hint(a.Name, known))
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unknown attribute", Detail: detail, Subject: a.NameRange.Ptr(),
		})
	}
	for _, b := range body.Blocks {
		detail := fmt.Sprintf("%s has no blocks within it.", what)
		if a := schema.Attribute(b.Type); a != nil && a.Type.Kind == config.Map {
			detail = fmt.Sprintf("%q is a map: write it with an equals sign, %s = { … }.", a.Name, a.Name)
		} else if a != nil {
			detail = fmt.Sprintf("%q is an attribute: write %s = …", a.Name, a.Name)
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unknown block", Detail: detail, Subject: b.TypeRange.Ptr(),
		})
	}
	return diags
}

// hint says what may have been meant by the name of an unknown attribute.
func (d Decoder) hint(name string, known []string) string {
	if d.Elsewhere != nil {
		if other := d.Elsewhere(name); other != "" {
			return " It belongs to " + other + "."
		}
	}
	switch hint := nearest.Hint(name, known); {
	case hint != "":
		return hint
	case len(known) > 0:
		return " It has " + nearest.List(known, "and") + "."
	}
	return " It has none."
}

// attribute decodes one attribute. A null is as good as nothing written.
func (d Decoder) attribute(out *Decoded, a *config.Attribute, written *hclsyntax.Attribute) hcl.Diagnostics {
	v, diags := d.Value(written.Expr)
	if diags.HasErrors() || !v.IsWhollyKnown() {
		out.Given[a.Name] = true
		return diags
	}
	found := evaluate.Secrets(v)
	if len(found) > 0 && !d.Secrets {
		out.Given[a.Name] = true
		return append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Sensitive value",
			Detail: fmt.Sprintf("%q would take a sensitive value into the run's own record. Only blocks of plugins may have them. "+
				"For a setting that is no secret, declare a variable and set it with HONE_VAR_NAME.", a.Name),
			Subject: written.Expr.Range().Ptr(),
		})
	}
	if v.IsNull() {
		return diags
	}
	out.Given[a.Name] = true
	if slices.Contains(d.Single, a.Name) && v.Type().IsPrimitiveType() {
		v = cty.TupleVal([]cty.Value{v})
	}
	c := converter{attribute: a, sensitive: a.Sensitive || len(found) > 0, path: d.Path, lookupEnv: d.LookupEnv}
	value, ok := c.convert(v, a.Type, evaluate.Unwrap(written.Expr), []string{a.Name})
	if ok {
		out.Values[a.Name] = value
		out.Secrets = append(out.Secrets, c.secrets...)
	}
	return append(diags, c.diags...)
}

// normal is a default as Decode gives values.
func normal(v any, t config.Type) any {
	switch n := v.(type) {
	case float64:
		if t.Kind == config.Int {
			return int64(n)
		}
	case int:
		if t.Kind == config.Int {
			return int64(n)
		}
		return float64(n)
	case []any:
		out := make([]any, len(n))
		for i := range n {
			out[i] = normal(n[i], *t.Elem)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(n))
		for k := range n {
			out[k] = normal(n[k], *t.Elem)
		}
		return out
	}
	return v
}
