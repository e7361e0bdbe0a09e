package lock

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/runfile"
)

// restore says how a damaged file is put right.
const restore = " Take the file from version control again, or remove it and run hone init."

// Parse reads the content of a lock file; name is the file's, for diagnostics. The
// file is nil where there are errors.
func Parse(name string, src []byte) (*File, runfile.Diagnostics) {
	body, diags := runfile.Parse(name, src)
	if body == nil {
		diags.List = append(diags.List, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Damaged lock file", Detail: name + " cannot be read." + restore,
		})
		return nil, diags
	}
	p := &parser{diags: diags}
	file := p.file(body)
	if p.diags.HasErrors() {
		return nil, p.diags
	}
	return file, p.diags
}

// A parser reads one file. It evaluates nothing: everything is written out.
type parser struct{ diags runfile.Diagnostics }

func (p *parser) refuse(at hcl.Range, format string, args ...any) {
	p.diags.List = append(p.diags.List, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Damaged lock file", Detail: fmt.Sprintf(format, args...) + restore, Subject: &at,
	})
}

func (p *parser) file(body *hclsyntax.Body) *File {
	if !p.isKnownFormat(body) {
		return nil
	}
	p.refuseOthers(body, "format")
	f := &File{}
	for _, b := range body.Blocks {
		switch {
		case b.Type != "plugin":
			p.refuse(b.TypeRange, "It has no block %q.", b.Type)
		case len(b.Labels) != 1 || release.CheckName(b.Labels[0]) != nil:
			p.refuse(b.DefRange(), "A plugin's block has the plugin's full name as its label, such as plugin \"model-apertus\".")
		case f.Find(b.Labels[0]) != nil:
			p.refuse(b.DefRange(), "%s stands further up, too.", b.Labels[0])
		default:
			f.Put(p.plugin(b))
		}
	}
	return f
}

// isKnownFormat reports whether this hone can read the file: whatever else another
// format has is not complained of.
func (p *parser) isKnownFormat(body *hclsyntax.Body) bool {
	a := body.Attributes["format"]
	if a == nil {
		p.refuse(body.SrcRange, "It does not say which format it has.")
		return false
	}
	number, ok := a.Expr.(*hclsyntax.LiteralValueExpr)
	if !ok || number.Val.Type() != cty.Number {
		p.refuse(a.Expr.Range(), "The format is a number.")
		return false
	}
	n, _ := number.Val.AsBigFloat().Float64()
	switch {
	case n == format:
		return true
	case n < 1 || n != math.Trunc(n):
		p.refuse(a.Expr.Range(), "There is no format %g.", n)
		return false
	}
	at := a.Expr.Range()
	p.diags.List = append(p.diags.List, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Lock file of a newer hone", Subject: &at,
		Detail: fmt.Sprintf("It has format %.0f, and this hone reads format %d: install the hone that wrote it, or a newer one.", n, format),
	})
	return false
}

// refuseOthers refuses attributes that hone does not write.
func (p *parser) refuseOthers(body *hclsyntax.Body, known ...string) {
	for _, name := range slices.Sorted(maps.Keys(body.Attributes)) {
		if !slices.Contains(known, name) {
			p.refuse(body.Attributes[name].NameRange, "There is no attribute %q here.", name)
		}
	}
}

// maxSource bounds the address of a source.
const maxSource = 2000

func (p *parser) plugin(b *hclsyntax.Block) Plugin {
	for _, inner := range b.Body.Blocks {
		p.refuse(inner.TypeRange, "A plugin has no block %q.", inner.Type)
	}
	p.refuseOthers(b.Body, "version", "constraints", "source", "key", "sha256")
	out := Plugin{Name: b.Labels[0]}
	text := func(name string, required bool, check func(string) error) string {
		a := b.Body.Attributes[name]
		if a == nil {
			if required {
				p.refuse(b.DefRange(), "%s has no %s.", out.Name, name)
			}
			return ""
		}
		v, ok := runfile.Literal(a.Expr)
		if !ok || v == "" {
			p.refuse(a.Expr.Range(), "%s is a string.", name)
			return ""
		}
		if err := check(v); err != nil {
			p.refuse(a.Expr.Range(), "%.200q is not what hone writes here.", v)
		}
		return v
	}
	out.Version = text("version", true, release.CheckVersion)
	out.Constraints = text("constraints", false, func(v string) error {
		_, err := version.NewConstraint(v)
		return err
	})
	out.Source = text("source", true, func(v string) error {
		if len(v) > maxSource || strings.ContainsFunc(v, unicode.IsControl) {
			return errors.New("no address")
		}
		return nil
	})
	text("key", false, func(v string) (err error) {
		out.Key, err = release.ParseKey(v)
		return err
	})
	out.Binaries = p.binaries(b)
	return out
}

func (p *parser) binaries(b *hclsyntax.Block) map[release.Platform]release.SHA256 {
	out := map[release.Platform]release.SHA256{}
	a := b.Body.Attributes["sha256"]
	if a == nil {
		p.refuse(b.DefRange(), "%s has no sha256.", b.Labels[0])
		return out
	}
	object, ok := a.Expr.(*hclsyntax.ObjectConsExpr)
	if !ok || len(object.Items) == 0 {
		p.refuse(a.Expr.Range(), "sha256 is { PLATFORM = \"HASH\" }.")
		return out
	}
	for _, item := range object.Items {
		key, isText := keyOf(item.KeyExpr)
		platform, err := release.ParsePlatform(key)
		if !isText || err != nil || string(platform) != key {
			p.refuse(item.KeyExpr.Range(), "A platform looks like linux_amd64.")
			continue
		}
		text, _ := runfile.Literal(item.ValueExpr)
		var hash release.SHA256
		if err := hash.UnmarshalText([]byte(text)); err != nil {
			p.refuse(item.ValueExpr.Range(), "A hash has 64 hexadecimal digits.")
			continue
		}
		if _, twice := out[platform]; twice {
			p.refuse(item.KeyExpr.Range(), "%s stands further up, too.", key)
		}
		out[platform] = hash
	}
	return out
}

// keyOf is the key of an object as it is written.
func keyOf(expr hclsyntax.Expression) (string, bool) {
	key, ok := expr.(*hclsyntax.ObjectConsKeyExpr)
	if !ok {
		return "", false
	}
	if word := hcl.ExprAsKeyword(key.Wrapped); word != "" {
		return word, true
	}
	return runfile.Literal(key.Wrapped)
}
