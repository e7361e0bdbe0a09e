package runfile

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/honeml/hone/host/runfile/internal/attributes"
	"github.com/honeml/hone/host/runfile/internal/nearest"
)

// readRun reads the run block, all of it, however much of it is wrong.
func (l *loader) readRun(block *hclsyntax.Block) *Run {
	r := &Run{
		Name: block.Labels[0], File: l.full,
		Metrics: []Metric{}, Loggers: []PluginBlock{}, Exports: []Export{}, Requirements: []Requirement{}, Variables: map[string]any{},
	}
	if !isName(r.Name) {
		l.refuse(block.LabelRanges[0], "Impossible name",
			"The run's folder gets this name: letters, digits, points, hyphens and underscores, the first a letter or digit, 100 at most.")
	}
	l.runName = r.Name
	l.source = &source{files: l.files, run: block, blocks: map[Ref]*hclsyntax.Block{}, given: map[Ref]map[string]bool{}}
	r.source = l.source

	own := &decodedBlock{ref: Ref{Block: "run", Label: r.Name}, block: withoutBlocks(block), spec: &runBlocks()[0], bad: map[string]bool{}}
	l.decode(own)
	if own.sound("seed") {
		r.Seed = uint64(toNumber(own.Values["seed"]))
	}

	blocks := l.blocksOf(block)
	for _, b := range blocks {
		l.source.blocks[b.ref] = b.block
		switch b.ref.Block {
		case "metric":
			l.readMetric(r, b)
		case KindKernels, KindLogger:
			l.readPlugin(r, b)
		default:
			l.decode(b)
			l.source.given[b.ref] = b.Given
		}
	}
	find := func(block, label string) *decodedBlock { return l.findOrDefault(blocks, block, label) }
	l.readModel(r, needed(l, blocks, "model", `model { source = "…" }`))
	l.readScaling(r, first(blocks, "rope_scaling"))
	adapter := find("adapter", AdapterLoRA)
	l.readAdapter(r, adapter)
	l.readData(r, blocks)
	l.readTrain(r, needed(l, blocks, "train", "train { epochs = 1 }"))
	l.readEvaluate(r, find("evaluate", ""))
	l.readCheckpoint(r, find("checkpoint", ""))
	if r.Kernels.Name == "" && !slices.ContainsFunc(blocks, func(b *decodedBlock) bool { return b.ref.Block == KindKernels }) {
		l.readPlugin(r, l.emptyBlock(KindKernels, cmp.Or(l.options.DefaultKernels, DefaultKernels)))
		r.KernelsChosen = true
	}
	l.readExports(r, blocks)
	l.readRequirements(r)
	for name := range l.declared {
		r.Variables[name] = attributes.Plain(l.vars[name])
	}
	return r
}

// DefaultKernels is the kernels plugin of a run without a kernels block, where
// Options name none.
const DefaultKernels = "cpu"

// withoutBlocks is a block with its attributes alone.
func withoutBlocks(b *hclsyntax.Block) *hclsyntax.Block {
	c, body := *b, *b.Body
	body.Blocks = nil
	c.Body = &body
	return &c
}

// needed is the first block of a type; nil, and an error, where there is none.
func needed(l *loader, blocks []*decodedBlock, blockType, example string) *decodedBlock {
	if b := first(blocks, blockType); b != nil {
		return b
	}
	written := slices.ContainsFunc(l.source.run.Body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == blockType })
	if !written { // else its error was reported
		l.refuse(l.source.run.DefRange(), "Missing block", "A run needs a block %s.", example)
	}
	return nil
}

func first(blocks []*decodedBlock, blockType string) *decodedBlock {
	for _, b := range blocks {
		if b.ref.Block == blockType {
			return b
		}
	}
	return nil
}

// findOrDefault is the first block of a type, or one that holds the defaults.
func (l *loader) findOrDefault(blocks []*decodedBlock, blockType, label string) *decodedBlock {
	if b := first(blocks, blockType); b != nil {
		return b
	}
	b := l.emptyBlock(blockType, label)
	l.decode(b)
	return b
}

// emptyBlock stands for a block that the file does not have; what is wrong with it
// is shown at the run's first line.
func (l *loader) emptyBlock(blockType, label string) *decodedBlock {
	block := *l.source.run
	block.Body = &hclsyntax.Body{SrcRange: block.Body.SrcRange, EndRange: block.Body.EndRange}
	spec := specOf(runBlocks(), blockType, label)
	return &decodedBlock{ref: Ref{Block: blockType, Label: label}, block: &block, spec: spec, bad: map[string]bool{}}
}

func (l *loader) readExports(r *Run, blocks []*decodedBlock) {
	for _, b := range blocks {
		if b.ref.Block == "export" {
			e := Export{Kind: b.ref.Label}
			l.fill(b, &e)
			r.Exports = append(r.Exports, e)
		}
	}
}

// versionPattern is a list of constraints on a semantic version.
var versionPattern = regexp.MustCompile(`^ *(=|!=|>|>=|<|<=|~>)? *v?[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z.-]+)?( *, *(=|!=|>|>=|<|<=|~>)? *v?[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z.-]+)?)* *$`)

// readRequirements reads hone { required_plugins { … } }.
func (l *loader) readRequirements(r *Run) {
	seen := map[string]bool{}
	for _, hone := range l.blocks("hone", 0) {
		for _, a := range hone.Body.Attributes {
			l.refuse(a.NameRange, "Unknown attribute", "hone has no attributes, only required_plugins { … }.")
		}
		for _, b := range hone.Body.Blocks {
			if b.Type != "required_plugins" {
				l.refuse(b.TypeRange, "Unknown block", "hone has no block %q, only required_plugins.%s", b.Type, nearest.Hint(b.Type, []string{"required_plugins"}))
				continue
			}
			if l.checkLabels(b, 0) {
				l.readRequired(r, b, seen)
			}
		}
	}
	slices.SortFunc(r.Requirements, func(a, b Requirement) int { return strings.Compare(a.Name, b.Name) })
}

func (l *loader) readRequired(r *Run, b *hclsyntax.Block, seen map[string]bool) {
	for _, inner := range b.Body.Blocks {
		l.refuse(inner.TypeRange, "Unknown block", "required_plugins has no blocks: write %s = { source = \"…\" }.", inner.Type)
	}
	for name, a := range b.Body.Attributes {
		at := a.Expr.Range()
		if seen[name] {
			l.refuse(a.NameRange, "Plugin required twice", "%s stands further up, too.", name)
			continue
		}
		seen[name] = true
		v, diags := l.value(a.Expr)
		l.add(diags...)
		if diags.HasErrors() || !v.IsWhollyKnown() {
			continue
		}
		object, ok := attributes.Plain(v).(map[string]any)
		if !ok || v.ContainsMarked() {
			l.refuse(at, "Wrong type", "A required plugin is written { source = \"…\", version = \"~> 1.2\" }.")
			continue
		}
		q := Requirement{Name: name}
		for key, value := range object {
			text, isText := value.(string)
			switch {
			case key != "source" && key != "version":
				l.refuse(at, "Unknown attribute", "A required plugin has source and version, not %q.", key)
			case !isText || text == "":
				l.refuse(at, "Wrong type", "%q is a string.", key)
			case key == "source":
				q.Source = text
			case !versionPattern.MatchString(text):
				l.refuse(at, "Impossible value", "%q is no constraint on a version; write one such as \"~> 1.2\" or \">= 1.0, < 3\".", text)
			default:
				q.Version = text
			}
		}
		if _, ok := object["source"]; !ok {
			l.refuse(at, "Missing attribute", "A required plugin needs its source.")
		}
		r.Requirements = append(r.Requirements, q)
	}
}
