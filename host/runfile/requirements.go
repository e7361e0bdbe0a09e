package runfile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/runfile/internal/attributes"
	"github.com/honeml/hone/host/runfile/internal/nearest"
	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/plugin"
)

// A Requirement is a plugin that the run file asks to be installed.
type Requirement struct {
	Name    string `json:"name"` // its full name, such as model-falcon
	Source  string `json:"source"`
	Version string `json:"version,omitempty"` // a constraint such as "~> 1.2"; "": any
}

// Requirements are the blocks hone { … } of a run file.
type Requirements struct {
	Plugins []Requirement // by name
	// HasRun says that the file has a run.
	HasRun bool

	files  map[string]*hcl.File
	places map[string]hcl.Range // by name
}

// ReadRequirements reads what the run file at path requires, and nothing else of it:
// plugins that are not installed yet cannot say what their blocks may hold.
func ReadRequirements(ctx context.Context, path string, options Options) (*Requirements, Diagnostics) {
	full, src, err := options.read(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	l := newLoader(ctx, path, full, options)
	if !l.parse(src) {
		return nil, l.diagnostics()
	}
	r := l.readRequirements()
	diags := l.diagnostics()
	if diags.HasErrors() {
		return nil, diags
	}
	r.files = l.files
	r.HasRun = slices.ContainsFunc(l.body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "run" })
	return r, diags
}

// Diagnose shows what somebody found wrong with required plugins, by their names.
func (r *Requirements) Diagnose(found map[string]config.Diagnostic) Diagnostics {
	out := Diagnostics{Files: r.files}
	for name, f := range found {
		out.List = append(out.List, problem(r.places[name], f.Summary, strings.TrimSuffix(f.Detail, ".")+"."))
	}
	return out.sort()
}

// honeBlocks are the blocks within hone { … }, honeAttributes its attributes.
func honeBlocks() []string     { return []string{"required_plugins"} }
func honeAttributes() []string { return []string{"required_version"} }

// readRequirements reads hone { … }. It is the same whatever variables are set: what
// it says is written out.
func (l *loader) readRequirements() *Requirements {
	r := &Requirements{Plugins: []Requirement{}, places: map[string]hcl.Range{}}
	for _, hone := range l.blocks("hone", 0) {
		for name, a := range hone.Body.Attributes {
			if name == "required_version" {
				l.requireVersion(a)
				continue
			}
			l.refuse(a.NameRange, "Unknown attribute", "hone has no attribute %q, only required_version and required_plugins { … }.%s",
				name, nearest.Hint(name, honeAttributes()))
		}
		for _, b := range hone.Body.Blocks {
			if b.Type != "required_plugins" {
				l.refuse(b.TypeRange, "Unknown block", "hone has no block %q, only required_plugins.%s", b.Type, nearest.Hint(b.Type, honeBlocks()))
				continue
			}
			if l.checkLabels(b, 0) {
				l.requirePlugins(r, b)
			}
		}
	}
	slices.SortFunc(r.Plugins, func(a, b Requirement) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

// requireVersion holds hone's own version to the constraint.
func (l *loader) requireVersion(a *hclsyntax.Attribute) {
	at := a.Expr.Range()
	v, diags := l.eval.Value(a.Expr, nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		l.refuse(at, "Wrong type", "required_version is a string, written out, such as \">= 1.2\".")
		return
	}
	text := v.AsString()
	constraints, ok := l.constraints(at, text)
	if !ok {
		return
	}
	if own := ownVersion(l.options.Version); own != nil && !constraints.Check(own) {
		l.refuse(at, "Another version of hone is needed", "This is hone %s, and the run file asks for %s.", l.options.Version, text)
	}
}

// ownVersion is hone's version, without what follows the numbers: a build between two
// releases counts as the one before it. Nil where hone was built without a version,
// under the name of a commit at most.
func ownVersion(text string) *version.Version {
	v, err := version.NewSemver(text)
	if err != nil || !strings.Contains(text, ".") {
		return nil
	}
	return v.Core()
}

// maxConstraints bounds the length of a list of constraints.
const maxConstraints = 200

// constraints reads constraints on versions.
func (l *loader) constraints(at hcl.Range, text string) (version.Constraints, bool) {
	c, err := version.NewConstraint(text)
	if err != nil || len(text) > maxConstraints {
		l.refuse(at, "Impossible value", "%.200q is no constraint on a version; write one such as \"~> 1.2\" or \">= 1.0, < 3\".", text)
		return nil, false
	}
	return c, true
}

func (l *loader) requirePlugins(r *Requirements, b *hclsyntax.Block) {
	for _, inner := range b.Body.Blocks {
		l.refuse(inner.TypeRange, "Unknown block", "required_plugins has no blocks: write %s = { source = \"…\" }.", inner.Type)
	}
	inOrder := slices.SortedFunc(maps.Values(b.Body.Attributes), func(a, b *hclsyntax.Attribute) int {
		return cmp.Compare(a.NameRange.Start.Byte, b.NameRange.Start.Byte)
	})
	for _, a := range inOrder {
		name, ok := fullName(a.Name)
		if !ok {
			l.refuse(a.NameRange, "Impossible name", "A plugin's name is %s; NAME alone is model-NAME.", plugin.NameRule)
			continue
		}
		if _, twice := r.places[name]; twice {
			l.refuse(a.NameRange, "Plugin required twice", "%s stands further up, too.", name)
			continue
		}
		r.places[name] = a.Expr.Range()
		if q, ok := l.requirement(name, a.Expr); ok {
			r.Plugins = append(r.Plugins, q)
		}
	}
}

// fullName is the full name of a required plugin. Models are the one kind that no
// block of a run names, so that a name without a kind is a model's.
func fullName(key string) (string, bool) {
	if _, _, ok := plugin.ParseName(key); ok {
		return key, true
	}
	full := string(plugin.Model) + "-" + key
	_, _, ok := plugin.ParseName(full)
	return full, ok
}

// requirement reads { source = "…", version = "…" }.
func (l *loader) requirement(name string, expr hclsyntax.Expression) (Requirement, bool) {
	at, errors := expr.Range(), len(l.diags)
	v, diags := l.eval.Value(expr, nil)
	if diags.HasErrors() {
		l.refuse(at, "Not written out", "A required plugin is written out, without variables and functions, so that it is the same whatever is set: "+
			"{ source = \"…\", version = \"~> 1.2\" }.")
		return Requirement{}, false
	}
	object, ok := attributes.Plain(v).(map[string]any)
	if !ok {
		l.refuse(at, "Wrong type", "A required plugin is written { source = \"…\", version = \"~> 1.2\" }.")
		return Requirement{}, false
	}
	q := Requirement{Name: name}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		text, isText := object[key].(string)
		switch {
		case key != "source" && key != "version":
			l.refuse(at, "Unknown attribute", "A required plugin has source and version, not %q.", key)
		case !isText || text == "":
			l.refuse(at, "Wrong type", "%q is a string.", key)
		case key == "source":
			q.Source = text
		default:
			q.Version = text
			l.constraints(at, text)
		}
	}
	if _, ok := object["source"]; !ok {
		l.refuse(at, "Missing attribute", "A required plugin needs its source.")
	}
	return q, len(l.diags) == errors
}

// checkRequirements holds requirements that did not come from a run file to the same
// rules.
func checkRequirements(all []Requirement) error {
	for _, q := range all {
		_, _, ok := plugin.ParseName(q.Name)
		if !ok || q.Source == "" {
			return fmt.Errorf("it requires a plugin %q from %q", q.Name, q.Source)
		}
		if _, err := version.NewConstraint(q.Version); q.Version != "" && err != nil {
			return fmt.Errorf("it requires version %q of %s", q.Version, q.Name)
		}
	}
	return nil
}

// FullName is the full name of a plugin as users write it where only its name can be
// meant, as in required_plugins.
func FullName(name string) (string, error) {
	if full, ok := fullName(name); ok {
		return full, nil
	}
	return "", fmt.Errorf("%.80q is no name of a plugin, which is %s", name, plugin.NameRule)
}
