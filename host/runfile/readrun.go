package runfile

import (
	"cmp"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/honeml/hone/host/runfile/internal/attributes"
)

// readRun reads the run block, all of it, however much of it is wrong.
func (l *loader) readRun(block *hclsyntax.Block) *Run {
	r := &Run{
		Name: block.Labels[0], File: l.full,
		Metrics: []Metric{}, Loggers: []PluginBlock{}, Exports: []Export{}, Variables: map[string]any{},
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
	l.readTokens(r, first(blocks, "tokens"))
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
	r.Requirements = l.readRequirements().Plugins
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
