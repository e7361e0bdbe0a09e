package runfile

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
)

// readVarFile reads the values of a file of variables.
func (l *loader) readVarFile(path string, names []string, values map[string]given) {
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(l.options.WorkDir, path)
	}
	src, err := evaluate.ReadFile(full, evaluate.MaxSourceBytes)
	if err != nil {
		l.add(unreadable(path, err).List...)
		return
	}
	if strings.HasSuffix(path, ".json") {
		l.readVarJSON(path, src, names, values)
		return
	}
	file, body, diags := evaluate.Parse(path, src)
	l.files[path] = file
	l.add(diags...)
	if body == nil {
		return
	}
	for _, b := range body.Blocks {
		l.refuse(b.DefRange(), "Unexpected block", "A file of variables has no blocks, only NAME = VALUE.")
	}
	for name, a := range body.Attributes {
		l.take(name, a.NameRange, names, values, func() (cty.Value, hcl.Diagnostics, hcl.Range) {
			v, diags := l.literal(a.Expr)
			return v, diags, a.Expr.Range()
		})
	}
}

// literal evaluates an expression that may refer to nothing.
func (l *loader) literal(x hclsyntax.Expression) (cty.Value, hcl.Diagnostics) {
	for _, r := range x.Variables() {
		return cty.DynamicVal, hcl.Diagnostics{problem(r.SourceRange(), "Unexpected reference", "A file of variables refers to nothing; write the value out.")}
	}
	return l.eval.Value(x, nil)
}

// take notes a value that a file gives to a variable.
func (l *loader) take(
	name string, at hcl.Range, names []string, values map[string]given, read func() (cty.Value, hcl.Diagnostics, hcl.Range),
) {
	if !slices.Contains(names, name) {
		l.refuse(at, "Unknown variable", "%s", l.undeclared(name, names))
		return
	}
	v, diags, where := read()
	l.add(diags...)
	if diags.HasErrors() {
		v = cty.DynamicVal
	}
	values[name] = given{value: v, at: where, origin: name}
}

// readVarJSON reads a file of variables in JSON: an object with one attribute for
// each.
func (l *loader) readVarJSON(path string, src []byte, names []string, values map[string]given) {
	l.files[path] = &hcl.File{Bytes: src}
	start := hcl.Range{Filename: path, Start: hcl.InitialPos, End: hcl.InitialPos}
	// The standard library bounds nesting, which hcl's reader of JSON does not.
	if !json.Valid(src) {
		var object json.RawMessage
		err := json.NewDecoder(bytes.NewReader(src)).Decode(&object)
		if err == nil {
			l.refuse(start, "Unreadable JSON", "Something follows the object.")
			return
		}
		l.refuse(start, "Unreadable JSON", "%s.", err)
		return
	}
	file, diags := hcljson.Parse(src, path)
	l.add(diags...)
	if diags.HasErrors() {
		return
	}
	attributes, diags := file.Body.JustAttributes()
	l.add(diags...)
	for name, a := range attributes {
		l.take(name, a.NameRange, names, values, func() (cty.Value, hcl.Diagnostics, hcl.Range) {
			v, diags := a.Expr.Value(nil)
			if !diags.HasErrors() {
				diags = append(diags, l.eval.Weigh(v, a.Expr.Range())...)
			}
			return v, diags, a.Expr.Range()
		})
	}
}
