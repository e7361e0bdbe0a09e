package runfile

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/honeml/hone/host/runfile/internal/attributes"
	"github.com/honeml/hone/host/runfile/internal/nearest"
	"github.com/honeml/hone/sdk/config"
)

// A decodedBlock is a block of the run with its host's attributes.
type decodedBlock struct {
	*attributes.Decoded
	ref   Ref
	block *hclsyntax.Block
	spec  *blockSpec
	// bad are attributes with a value that is impossible: checks that compare
	// several leave these alone.
	bad map[string]bool
}

// sound reports whether an attribute has a value that can be compared.
func (b *decodedBlock) sound(name string) bool {
	_, ok := b.Values[name]
	return ok && !b.bad[name]
}

// blocksOf are the blocks of the run by what they are, in order. It reports those
// that the run cannot have.
func (l *loader) blocksOf(run *hclsyntax.Block) []*decodedBlock {
	specs := runBlocks()
	index := map[Ref]int{}
	var out []*decodedBlock
	for _, b := range run.Body.Blocks {
		spec := l.specFor(specs, b)
		if spec == nil {
			continue
		}
		ref := Ref{Block: b.Type}
		if len(b.Labels) > 0 {
			ref.Label = b.Labels[0]
		}
		ref.Index = index[ref]
		index[Ref{Block: ref.Block, Label: ref.Label}]++
		if l.isRepeated(out, spec, ref, b) {
			continue
		}
		out = append(out, &decodedBlock{ref: ref, block: b, spec: spec, bad: map[string]bool{}})
	}
	return out
}

// specFor finds what a block is, or says why it is nothing.
func (l *loader) specFor(specs []blockSpec, b *hclsyntax.Block) *blockSpec {
	known := blockNames(specs)[1:] // without run itself
	if !slices.Contains(known, b.Type) {
		detail := nearest.Hint(b.Type, known)
		if specs[0].attribute(b.Type) != nil {
			detail = " It is an attribute: write " + b.Type + " = …"
		} else if detail == "" {
			detail = " It has " + nearest.List(known, "and") + "."
		}
		l.refuse(b.TypeRange, "Unknown block", "A run has no block %q.%s", b.Type, detail)
		return nil
	}
	labels := labelsOf(specs, b.Type)
	if len(labels) == 0 {
		if !l.checkLabels(b, 0) {
			return nil
		}
		return specOf(specs, b.Type, "")
	}
	if len(b.Labels) == 0 && labels[0] != anyLabel {
		l.refuse(b.DefRange(), "Missing label", "%s needs a label: %s.", b.Type, nearest.List(labels, "or"))
		return nil
	}
	if !l.checkLabels(b, 1) {
		return nil
	}
	spec := specOf(specs, b.Type, b.Labels[0])
	if spec == nil {
		l.refuse(b.LabelRanges[0], "Unknown label", "There is no %s %q, only %s.%s",
			b.Type, b.Labels[0], nearest.List(labels, "and"), nearest.Hint(b.Labels[0], labels))
		return nil
	}
	if spec.Label == anyLabel && !isName(b.Labels[0]) {
		l.refuse(b.LabelRanges[0], "Impossible name", "The label of %s has letters, digits, points, hyphens and underscores.", b.Type)
		return nil
	}
	return spec
}

// isRepeated reports a block of which there can be one.
func (l *loader) isRepeated(before []*decodedBlock, spec *blockSpec, ref Ref, b *hclsyntax.Block) bool {
	for _, other := range before {
		same := other.ref.Block == ref.Block
		switch {
		case !same || spec.Several && other.ref.Label != ref.Label:
			continue
		case ref.Block == "data":
			continue // any number of each
		case ref.Block == "export" && other.ref.Label != ref.Label:
			continue
		}
		name := blockName(ref.Block, ref.Label)
		if !spec.Several && ref.Block != "export" {
			name = ref.Block + " block"
		}
		l.refuse(b.DefRange(), "Block stands twice", "A run has one %s; another stands in line %d.", name, other.block.TypeRange.Start.Line)
		return true
	}
	return false
}

// decode decodes a block of the host's own, and checks each value by itself.
func (l *loader) decode(b *decodedBlock) {
	decoder := attributes.Decoder{Value: l.value, Path: l.eval.Path, Elsewhere: elsewhere(b.ref.Block)}
	for _, a := range b.spec.Attributes {
		if a.OneOrAll {
			decoder.Single = append(decoder.Single, a.Name)
		}
	}
	decoded, diags := decoder.Decode(blockName(b.ref.Block, b.ref.Label), b.block, b.spec.schema())
	l.add(diags...)
	b.Decoded = decoded
	l.checkValues(b, b.spec.Attributes)
}

// elsewhere says to which other block of a run an attribute belongs.
func elsewhere(block string) func(attribute string) string {
	return func(attribute string) string {
		for _, s := range runBlocks() {
			if s.Block != block && s.attribute(attribute) != nil {
				return s.what()
			}
		}
		return ""
	}
}

// checkValues holds values to what the table says is possible.
func (l *loader) checkValues(b *decodedBlock, specs []attributeSpec) {
	for i := range specs {
		a := &specs[i]
		v, ok := b.Values[a.Name]
		if !ok || a.check == nil || !b.Given[a.Name] {
			continue
		}
		if wrong := a.check(v); wrong != "" {
			b.bad[a.Name] = true
			fix := a.Fix
			if fix != "" {
				fix = " " + fix
			}
			l.refuse(attributes.Locate(b.block, []string{a.Name}), "Impossible value", "%q %s.%s", a.Name, wrong, fix)
		}
	}
}

// fill decodes a block's sound values into a struct.
func (l *loader) fill(b *decodedBlock, target any, leaveOut ...string) {
	values := map[string]any{}
	for name, v := range b.Values {
		if b.sound(name) && !slices.Contains(leaveOut, name) {
			values[name] = v
		}
	}
	if err := config.Decode(values, target); err != nil {
		l.refuse(b.block.DefRange(), "Impossible value", "%s.", err)
	}
}
