package attributes

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
	"github.com/honeml/hone/host/runfile/internal/nearest"
	"github.com/honeml/hone/sdk/config"
)

// A converter turns one attribute's value into plain Go. It converts no string
// into a number, nor the other way: a file that says "16" where 16 is meant is
// more often wrong than handy.
type converter struct {
	attribute *config.Attribute
	sensitive bool // messages say nothing of the value
	path      func(string) string
	lookupEnv func(string) (string, bool)
	secrets   []Secret
	diags     hcl.Diagnostics
}

// convert gives v, written as x, as a value of type t.
func (c *converter) convert(v cty.Value, t config.Type, x hclsyntax.Expression, path []string) (any, bool) {
	if v.IsMarked() {
		unmarked, _ := v.Unmark()
		c.secrets = append(c.secrets, c.secret(v, unmarked, path))
		v = unmarked
	}
	if v.IsNull() {
		return nil, c.refuse(x, "Null value", fmt.Sprintf("%s is null, which only a whole attribute can be.", show(path)))
	}
	if t.Kind == "" {
		t = natural(v.Type())
	}
	switch t.Kind {
	case config.List:
		return c.list(v, t, x, path)
	case config.Map:
		return c.object(v, t, x, path)
	}
	return c.scalar(v, t, x, path)
}

func (c *converter) scalar(v cty.Value, t config.Type, x hclsyntax.Expression, path []string) (any, bool) {
	switch {
	case v.Type() == cty.String && (t.Kind == config.String || t.Kind == config.StringOrNumber):
		s, ok := c.choice(v.AsString(), x, path)
		if ok && c.attribute.Path && s != "" {
			s = c.path(s)
		}
		return s, ok
	case v.Type() == cty.Bool && t.Kind == config.Bool:
		return v.True(), true
	case v.Type() == cty.Number && t.Kind == config.Int:
		n, ok := whole(v)
		if !ok {
			f, _ := v.AsBigFloat().Float64()
			return nil, c.refuse(x, "Wrong type", fmt.Sprintf("%s takes a whole number%s.", show(path), c.but(strconv.FormatFloat(f, 'g', -1, 64))))
		}
		return n, true
	case v.Type() == cty.Number && (t.Kind == config.Number || t.Kind == config.StringOrNumber):
		f, _ := v.AsBigFloat().Float64()
		return f, true
	}
	return nil, c.wrongType(v, t, x, path)
}

// choice checks a string against the ones that are possible.
func (c *converter) choice(s string, x hclsyntax.Expression, path []string) (string, bool) {
	oneOf := c.attribute.OneOf
	if len(oneOf) == 0 || slices.Contains(oneOf, s) {
		return s, true
	}
	detail := fmt.Sprintf("%s is one of %s%s.", show(path), nearest.List(oneOf, "or"), c.but(strconv.Quote(s)))
	if !c.sensitive {
		detail += nearest.Hint(s, oneOf)
	}
	return "", c.refuse(x, "Unknown value", detail)
}

func (c *converter) list(v cty.Value, t config.Type, x hclsyntax.Expression, path []string) (any, bool) {
	if !v.Type().IsTupleType() && !v.Type().IsListType() && !v.Type().IsSetType() {
		return nil, c.wrongType(v, t, x, path)
	}
	out, ok := make([]any, 0, v.LengthInt()), true
	for it := v.ElementIterator(); it.Next(); {
		_, element := it.Element()
		key := strconv.Itoa(len(out))
		value, good := c.convert(element, *t.Elem, child(x, key), append(slices.Clone(path), key))
		out, ok = append(out, value), ok && good
	}
	return out, ok
}

func (c *converter) object(v cty.Value, t config.Type, x hclsyntax.Expression, path []string) (any, bool) {
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		return nil, c.wrongType(v, t, x, path)
	}
	out, ok := make(map[string]any, v.LengthInt()), true
	for it := v.ElementIterator(); it.Next(); {
		k, element := it.Element()
		key := k.AsString()
		value, good := c.convert(element, *t.Elem, child(x, key), append(slices.Clone(path), key))
		out[key], ok = value, ok && good
	}
	return out, ok
}

func (c *converter) wrongType(v cty.Value, t config.Type, x hclsyntax.Expression, path []string) bool {
	detail := fmt.Sprintf("%s takes a %s, and this is a %s.", show(path), t, typeName(v.Type()))
	if v.Type() == cty.String && !c.sensitive {
		s := v.AsString()
		_, notNumber := cty.ParseNumberVal(s)
		isNumber := (t.Kind == config.Number || t.Kind == config.Int) && len(s) < 40 && notNumber == nil
		if isNumber || t.Kind == config.Bool && (s == "true" || s == "false") {
			detail += fmt.Sprintf(" Write it without quotes: %s.", s)
		}
	}
	if t.Kind == config.List && t.Elem.Kind != config.List && v.Type().IsPrimitiveType() {
		detail += " Put it into brackets: […]."
	}
	return c.refuse(x, "Wrong type", detail)
}

// but is ", and this is VALUE", if it may be said.
func (c *converter) but(value string) string {
	if c.sensitive {
		return ""
	}
	return ", and this is " + value
}

func (c *converter) refuse(x hclsyntax.Expression, summary, detail string) bool {
	c.diags = append(c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: x.Range().Ptr(),
	})
	return false
}

// whole is a number as an int64, if a float64 holds it exactly, too.
func whole(v cty.Value) (int64, bool) {
	f := v.AsBigFloat()
	n, accuracy := f.Int64()
	return n, f.IsInt() && accuracy == 0 && n >= -(1<<53) && n <= 1<<53
}

// natural is the type that a value has of itself, for blocks whose schema is not
// known.
func natural(t cty.Type) config.Type {
	switch {
	case t == cty.Number:
		return config.Of(config.Number)
	case t == cty.Bool:
		return config.Of(config.Bool)
	case t.IsObjectType() || t.IsMapType():
		return config.Type{Kind: config.Map, Elem: new(config.Type)}
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return config.Type{Kind: config.List, Elem: new(config.Type)}
	}
	return config.Of(config.String)
}

// Plain is a value as JSON would have it. Sensitive values, and all that holds
// one as a key, are evaluate.Redacted.
func Plain(v cty.Value) any {
	t := v.Type()
	switch {
	case v.IsMarked() || !v.IsKnown():
		return evaluate.Redacted
	case v.IsNull():
		return nil
	case t == cty.String:
		return v.AsString()
	case t == cty.Bool:
		return v.True()
	case t == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return f
	case t.IsObjectType() || t.IsMapType():
		out := map[string]any{}
		for it := v.ElementIterator(); it.Next(); {
			k, element := it.Element()
			out[k.AsString()] = Plain(element)
		}
		return out
	}
	out := []any{}
	for it := v.ElementIterator(); it.Next(); {
		_, element := it.Element()
		out = append(out, Plain(element))
	}
	return out
}

// secret is the secret at path.
func (c *converter) secret(v, unmarked cty.Value, path []string) Secret {
	s := Secret{Path: path}
	for _, mark := range evaluate.Secrets(v) {
		if mark.Env != "" {
			s.Env = append(s.Env, mark.Env)
		}
	}
	if len(s.Env) == 1 && unmarked.Type() == cty.String && !unmarked.IsNull() {
		text, ok := c.lookupEnv(s.Env[0])
		s.Whole = ok && cty.StringVal(text).AsString() == unmarked.AsString()
	}
	return s
}

func typeName(t cty.Type) string {
	switch {
	case t == cty.Bool:
		return "bool"
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "list"
	case t.IsObjectType() || t.IsMapType():
		return "map"
	}
	return t.FriendlyName()
}

// show is a path as a run file would refer to it: betas[1].
func show(path []string) string {
	s := path[0]
	for _, key := range path[1:] {
		if _, err := strconv.ParseUint(key, 10, 31); err == nil {
			s += "[" + key + "]"
		} else {
			s += "." + key
		}
	}
	return strconv.Quote(s)
}
