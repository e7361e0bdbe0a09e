package runfile

import (
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
)

func (l *loader) readData(r *Run, blocks []*decodedBlock) {
	r.Data.Train, r.Data.Eval = []DataConfig{}, []DataConfig{}
	var train, eval []*decodedBlock
	for _, b := range blocks {
		switch {
		case b.ref.Block == "data" && b.ref.Label == "train":
			train = append(train, b)
		case b.ref.Block == "data":
			eval = append(eval, b)
		}
	}
	written := slices.ContainsFunc(l.source.run.Body.Blocks, func(b *hclsyntax.Block) bool {
		return b.Type == "data" && (len(b.Labels) == 0 || b.Labels[0] != "eval")
	})
	if !written { // else what is wrong with it was reported
		l.refuse(l.source.run.DefRange(), "Missing block", "A run needs a block data \"train\" { source = \"…\" }.")
	}
	for _, b := range train {
		r.Data.Train = append(r.Data.Train, l.readSource(b, DataConfig{}))
	}
	r.Data.Shuffle = l.agreed(train, "shuffle")
	r.Data.Packing = l.agreed(train, "packing")
	var first DataConfig
	if len(r.Data.Train) > 0 {
		first = r.Data.Train[0]
	}
	for _, b := range eval {
		l.readEval(r, b, len(eval), first)
	}
}

// readSource is a block of documents; what it leaves out is as in defaults.
func (l *loader) readSource(b *decodedBlock, defaults DataConfig) DataConfig {
	d := defaults
	d.Source = ""
	l.fill(b, &d, "shuffle", "packing", "fraction")
	if b.sound("source") {
		source, wrong := l.dataSource(d.Source)
		if wrong != "" {
			l.refuse(l.at(b, "source"), "No data here", "%s", wrong)
		}
		d.Source = source
	}
	if b.sound("chat_template") {
		text, wrong := l.chatTemplate(d.ChatTemplate)
		if wrong != "" {
			l.refuse(l.at(b, "chat_template"), "No chat template here", "%s", wrong)
		}
		d.ChatTemplate = text
	}
	return d
}

func (l *loader) dataSource(source string) (full, wrong string) {
	if strings.HasPrefix(source, hubScheme) {
		if !hubDataset.MatchString(source) {
			return "", "A dataset of the Hub is written hf://datasets/OWNER/NAME, or with the path of a file after it."
		}
		return source, ""
	}
	if urlScheme.MatchString(source) {
		return "", "Data is a file, or hf://datasets/OWNER/NAME; hone downloads nothing from other addresses."
	}
	full = l.eval.Path(source)
	info, err := os.Stat(full)
	switch {
	case err != nil:
		return full, cannot(full, err)
	case info.IsDir():
		return full, full + " is a folder. Name a file in it; several data \"train\" blocks follow each other."
	case !info.Mode().IsRegular():
		return full, full + " is no regular file."
	}
	return full, ""
}

// chatTemplate is the text of a template, which may be in a file.
func (l *loader) chatTemplate(value string) (text, wrong string) {
	if strings.Contains(value, "{{") || strings.Contains(value, "{%") {
		return value, ""
	}
	path := l.eval.Path(value)
	data, err := evaluate.ReadFile(path, evaluate.MaxStringBytes)
	if err != nil {
		return "", cannot(path, err)
	}
	if !utf8.Valid(data) || len(data) == 0 {
		return "", path + " is no text, or empty."
	}
	return string(data), ""
}

// agreed is an attribute on which all blocks of training data have to agree.
func (l *loader) agreed(blocks []*decodedBlock, name string) bool {
	var decided *decodedBlock
	for _, b := range blocks {
		switch {
		case !b.Given[name] || !b.sound(name):
		case decided == nil:
			decided = b
		case decided.Values[name] != b.Values[name]:
			l.refuse(l.at(b, name), "Contradiction", "The documents of all data \"train\" blocks are dealt out together, so they agree on %q; line %d says otherwise.",
				name, l.at(decided, name).Start.Line)
		}
	}
	if decided == nil {
		return true
	}
	on, _ := decided.Values[name].(bool)
	return on
}

func (l *loader) readEval(r *Run, b *decodedBlock, blocks int, first DataConfig) {
	switch {
	case b.Given["source"] && b.Given["fraction"]:
		l.refuse(l.at(b, "fraction"), "Contradiction", "Evaluation data comes from a source or is a fraction of the training data, not both.")
	case !b.Given["source"] && !b.Given["fraction"]:
		l.refuse(b.block.DefRange(), "Missing attribute", "data \"eval\" needs a source, or a fraction such as fraction = 0.05.")
	case b.Given["fraction"]:
		l.readFraction(r, b, blocks)
	default:
		d := l.readSource(b, first)
		r.Data.Eval = append(r.Data.Eval, d)
		for _, train := range r.Data.Train {
			if b.sound("source") && train.Source == d.Source {
				l.add(caution(l.at(b, "source"), "Evaluation on training data",
					"The run trains on this file, too: its loss will say little. data \"eval\" { fraction = 0.05 } sets some documents aside."))
			}
		}
	}
}

func (l *loader) readFraction(r *Run, b *decodedBlock, blocks int) {
	if blocks > 1 {
		l.refuse(l.at(b, "fraction"), "Contradiction", "With a fraction there is one data \"eval\" block.")
	}
	for _, a := range readingAttributes(RuleFree) {
		if b.Given[a.Name] {
			l.refuse(l.at(b, a.Name), "Contradiction", "A fraction of the training documents is read as data \"train\" says; %q belongs there.", a.Name)
		}
	}
	if b.sound("fraction") {
		r.Data.EvalFraction = toNumber(b.Values["fraction"])
	}
}

// hasEvaluation reports whether there are documents to evaluate on.
func (d *DataConfigs) hasEvaluation() bool { return d.EvalFraction > 0 || len(d.Eval) > 0 }
