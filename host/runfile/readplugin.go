package runfile

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/runfile/internal/attributes"
	"github.com/honeml/hone/host/runfile/internal/formula"
	"github.com/honeml/hone/host/runfile/internal/nearest"
	"github.com/honeml/hone/sdk/config"
)

// readPlugin reads the block of a kernels plugin or a logger.
func (l *loader) readPlugin(r *Run, b *decodedBlock) {
	schema := attributes.Any(b.block)
	if l.options.Plugins != nil {
		var err error
		schema, err = l.options.Plugins.Schema(b.ref.Block, b.ref.Label)
		if err != nil {
			at := b.block.DefRange()
			if len(b.block.LabelRanges) > 0 {
				at = b.block.LabelRanges[0]
			}
			l.refuse(at, "Plugin that cannot be used", "%s", sentence(err.Error()))
			return
		}
	}
	hosts := l.hostAttributes(b, &schema)
	decoder := attributes.Decoder{Value: l.value, Path: l.eval.Path, Secrets: true, LookupEnv: l.lookup}
	decoded, diags := decoder.Decode(blockName(b.ref.Block, b.ref.Label), b.block, schema)
	l.add(diags...)
	b.Decoded = decoded
	l.source.given[b.ref] = decoded.Given
	l.checkValues(b, hosts)
	plugin := newPluginBlock(b, schema)
	if b.ref.Block == KindLogger {
		r.Loggers = append(r.Loggers, plugin)
		return
	}
	if size, ok := plugin.Values["memory_limit"].(string); ok && b.sound("memory_limit") {
		if n, err := ParseSize(size); err == nil {
			r.MemoryLimit = n
		}
	}
	for _, a := range hosts {
		delete(plugin.Values, a.Name)
	}
	r.Kernels = plugin
}

// hostAttributes adds to a plugin's schema what the host itself reads from its
// block, unless the plugin has an attribute of that name. It returns what it added.
func (l *loader) hostAttributes(b *decodedBlock, schema *config.Schema) []attributeSpec {
	var added []attributeSpec
	schema.Attributes = slices.Clone(schema.Attributes)
	for _, a := range b.spec.Attributes {
		existing := schema.Attribute(a.Name)
		switch {
		case existing == nil:
			schema.Attributes = append(schema.Attributes, a.Attribute)
		case existing.Type.Kind == "": // of a plugin that is not known
			*existing = a.Attribute
		default:
			continue
		}
		added = append(added, a)
	}
	return added
}

// newPluginBlock is what is handed to a plugin, and what of it is secret.
func newPluginBlock(b *decodedBlock, schema config.Schema) PluginBlock {
	p := PluginBlock{Kind: b.ref.Block, Name: b.ref.Label, Values: map[string]any{}}
	for name, v := range b.Values {
		if b.sound(name) {
			p.Values[name] = v
		}
	}
	env := map[string]bool{}
	for _, s := range b.Secrets {
		secret := Secret{Path: s.Path}
		if s.Whole {
			secret.Env = s.Env[0]
		}
		p.Secrets = append(p.Secrets, secret)
		for _, name := range s.Env {
			env[name] = !strings.HasPrefix(name, envPrefix)
		}
	}
	for _, a := range schema.Attributes {
		_, set := p.Values[a.Name]
		known := slices.ContainsFunc(p.Secrets, func(s Secret) bool { return s.Path[0] == a.Name })
		if a.Sensitive && set && !known {
			p.Secrets = append(p.Secrets, Secret{Path: []string{a.Name}})
		}
	}
	maps.DeleteFunc(env, func(_ string, granted bool) bool { return !granted })
	p.Env = slices.Sorted(maps.Keys(env))
	return p
}

// readMetric keeps a metric's formula, compiled.
func (l *loader) readMetric(r *Run, b *decodedBlock) {
	for _, a := range b.block.Body.Attributes {
		if a.Name != "value" {
			l.refuse(a.NameRange, "Unknown attribute", "metric has no attribute %q, only \"value\".%s", a.Name, nearest.Hint(a.Name, []string{"value"}))
		}
	}
	for _, inner := range b.block.Body.Blocks {
		l.refuse(inner.TypeRange, "Unknown block", "metric has no blocks within it.")
	}
	a := b.block.Body.Attributes["value"]
	if a == nil {
		l.refuse(b.block.DefRange(), "Missing attribute", "metric %q needs \"value\", such as value = loss / log(2).", b.ref.Label)
		return
	}
	f, diags := formula.Compile(a.Expr, metricNames(), l.metricConstant)
	l.add(diags...)
	if !diags.HasErrors() {
		r.Metrics = append(r.Metrics, Metric{Name: b.ref.Label, formula: f})
	}
}

// metricConstant is the value of a reference to a variable or a local.
func (l *loader) metricConstant(reference hcl.Traversal) (formula.Constant, hcl.Diagnostics) {
	if d := l.checkReference(reference); d != nil {
		return nil, hcl.Diagnostics{d}
	}
	v, diags := reference.TraverseAbs(l.scope([]hcl.Traversal{reference}))
	switch {
	case diags.HasErrors():
		return nil, diags
	case v.ContainsMarked():
		return nil, hcl.Diagnostics{problem(reference.SourceRange(), "Sensitive value", "Metrics are logged; no sensitive value may stand in them.")}
	case !v.IsKnown():
		return nil, nil // its error was reported
	case !v.IsNull() && v.Type() == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return f, nil
	case !v.IsNull() && v.Type() == cty.Bool:
		return v.True(), nil
	}
	return struct{}{}, nil
}
