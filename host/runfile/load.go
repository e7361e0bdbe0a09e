package runfile

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
	"github.com/honeml/hone/host/runfile/internal/nearest"
	"github.com/honeml/hone/sdk/config"
)

// Plugins knows the installed plugins, without starting any.
type Plugins interface {
	// Schema is what the block of a plugin may hold; kind is KindKernels or
	// KindLogger. The error for a name that is not installed says which are, and
	// suggests the nearest.
	Schema(kind, name string) (config.Schema, error)
}

// Options say how a run file is read.
type Options struct {
	// Run is the name of the run block to take; it may be "" where there is one.
	Run string
	// Vars are NAME=VALUE, as -var gives them; VarFiles the paths of files of
	// variables, in HCL, or in JSON where they end in .json.
	Vars, VarFiles []string
	// LookupEnv is the environment: env(), HONE_VAR_NAME, and HOME for paths that
	// begin with ~. Nil is an empty one.
	LookupEnv func(name string) (string, bool)
	// Plugins checks the blocks of plugins. With nil, these may hold anything.
	Plugins Plugins
	// DefaultKernels is the kernels plugin of a run that has no such block; "" is
	// DefaultKernels.
	DefaultKernels string
	// Version is hone's own, for required_version; one that is no version satisfies
	// any.
	Version string
	// WorkDir is the folder that relative paths of the run file and of VarFiles start
	// at; "" is the process's own.
	WorkDir string
}

// Load reads and checks the run file at path. The run is nil where there are
// errors; where there is a run, there may be warnings.
func Load(ctx context.Context, path string, options Options) (*Run, Diagnostics) {
	full, src, err := options.read(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	l := newLoader(ctx, path, full, options)
	run := l.load(src)
	diags := l.diagnostics()
	if diags.HasErrors() {
		return nil, diags
	}
	return run, diags
}

// read reads the run file at path; full is its absolute path.
func (o Options) read(path string) (full string, src []byte, err error) {
	full = filepath.Clean(path)
	if !filepath.IsAbs(path) {
		if full, err = filepath.Abs(filepath.Join(o.WorkDir, path)); err != nil {
			return "", nil, err
		}
	}
	src, err = evaluate.ReadFile(full, evaluate.MaxSourceBytes)
	return full, src, err
}

func unreadable(path string, err error) Diagnostics {
	return Diagnostics{List: hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Cannot read " + path, Detail: err.Error() + ".",
	}}}
}

// A loader reads one run file.
type loader struct {
	options Options
	name    string // of the file, as the user gave it
	full    string
	eval    *evaluate.Evaluator
	files   map[string]*hcl.File
	diags   hcl.Diagnostics

	body     *hclsyntax.Body
	declared map[string]*variable
	vars     map[string]cty.Value
	locals   map[string]cty.Value
	source   *source
	// runName is the name of the run that is read; "" outside of it.
	runName string
}

func newLoader(ctx context.Context, name, full string, options Options) *loader {
	return &loader{
		options: options, name: name, full: full, files: map[string]*hcl.File{},
		eval: evaluate.New(ctx, filepath.Dir(full), options.LookupEnv),
	}
}

// diagnostics are what was found, without secrets.
func (l *loader) diagnostics() Diagnostics {
	for _, d := range l.diags {
		l.eval.Scrub(d)
	}
	for _, f := range l.files {
		f.Bytes = l.eval.Mask(f.Bytes)
	}
	return Diagnostics{List: l.diags, Files: l.files}.sort().first(maxDiagnostics)
}

func (l *loader) add(diags ...*hcl.Diagnostic) { l.diags = append(l.diags, diags...) }

func (l *loader) refuse(at hcl.Range, summary, format string, args ...any) {
	l.add(problem(at, summary, fmt.Sprintf(format, args...)))
}

// parse parses the file; it reports whether it can be read.
func (l *loader) parse(src []byte) bool {
	file, body, diags := evaluate.Parse(l.name, src)
	l.files[l.name] = file
	l.add(diags...)
	l.body = body
	return body != nil && !diags.HasErrors()
}

func (l *loader) load(src []byte) *Run {
	if !l.parse(src) {
		return nil
	}
	l.checkTop()
	block := l.chooseRun()
	l.warnOfEnvironment(block)
	l.readVariables()
	l.readLocals()
	l.validateVariables()
	if block == nil {
		return nil
	}
	return l.readRun(block)
}

// topBlocks are the blocks of a file.
func topBlocks() []string { return []string{"variable", "locals", "hone", "run"} }

// checkTop refuses what does not belong at the top of a file.
func (l *loader) checkTop() {
	for _, a := range l.body.Attributes {
		l.refuse(a.NameRange, "Unexpected attribute", "Attributes stand within blocks. "+
			"To give a name to a value, write: locals { %s = … }.", a.Name)
	}
	for _, b := range l.body.Blocks {
		switch {
		case slices.Contains(topBlocks(), b.Type):
		case slices.Contains(blockNames(runBlocks()), b.Type):
			l.refuse(b.DefRange(), "Block out of place", "%s belongs within run \"NAME\" { … }.", blockName(b.Type, strings.Join(b.Labels, "\" \"")))
		default:
			l.refuse(b.TypeRange, "Unknown block", "A run file has no block %q.%s", b.Type, topHint(b.Type))
		}
	}
}

// topHint says what may have been meant by the name of an unknown block.
func topHint(name string) string {
	if hint := nearest.Hint(name, topBlocks()); hint != "" {
		return hint
	}
	if within := nearest.Name(name, blockNames(runBlocks())); within != "" {
		return fmt.Sprintf(" Did you mean %q, which belongs within run \"NAME\" { … }?", within)
	}
	return " It has " + nearest.List(topBlocks(), "and") + "."
}

// blocks are the top blocks of a type that have the right number of labels.
func (l *loader) blocks(blockType string, labels int) []*hclsyntax.Block {
	var out []*hclsyntax.Block
	for _, b := range l.body.Blocks {
		if b.Type == blockType && l.checkLabels(b, labels) {
			out = append(out, b)
		}
	}
	return out
}

func (l *loader) checkLabels(b *hclsyntax.Block, want int) bool {
	switch {
	case len(b.Labels) == want:
		return true
	case want == 0:
		l.refuse(b.LabelRanges[0], "Unexpected label", "%s has no label: write %s { … }.", b.Type, b.Type)
	case len(b.Labels) == 0:
		l.refuse(b.DefRange(), "Missing label", "%s needs a label: write %s \"NAME\" { … }.", b.Type, b.Type)
	default:
		l.refuse(b.LabelRanges[want], "Unexpected label", "%s has one label: write %s \"NAME\" { … }.", b.Type, b.Type)
	}
	return false
}

// chooseRun is the run block to read, or nil.
func (l *loader) chooseRun() *hclsyntax.Block {
	all := l.blocks("run", 1)
	var names []string
	for _, b := range all {
		if slices.Contains(names, b.Labels[0]) {
			l.refuse(b.LabelRanges[0], "Two runs of one name", "A run %q stands further up.", b.Labels[0])
		}
		names = append(names, b.Labels[0])
	}
	switch want := l.options.Run; {
	case want != "":
		if i := slices.Index(names, want); i >= 0 {
			return all[i]
		}
		l.add(&hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "No run " + strconv.Quote(want),
			Detail: fmt.Sprintf("%s has no such run.%s It has %s.", l.name, nearest.Hint(want, names), listOr(names, "none")),
		})
	case len(all) == 1:
		return all[0]
	case len(all) > 1:
		l.refuse(all[1].DefRange(), "Several runs", "The file has the runs %s; one of them has to be chosen by its name.", nearest.List(names, "and"))
	case !slices.ContainsFunc(l.body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "run" }):
		l.add(&hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "No run",
			Detail: l.name + " needs a block run \"NAME\" { … } that says what to train, and on what.",
		})
	}
	return nil
}

func listOr(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return nearest.List(names, "and")
}

// warnOfEnvironment warns of env("NAME") without a default where NAME is not set,
// within the run that was chosen and outside of runs.
func (l *loader) warnOfEnvironment(run *hclsyntax.Block) {
	for _, b := range l.body.Blocks {
		if b.Type == "run" && b != run {
			continue
		}
		_ = hclsyntax.VisitAll(b.Body, func(n hclsyntax.Node) hcl.Diagnostics {
			if name, ok := envCall(n); ok && !l.isSet(name) {
				l.add(caution(n.Range(), "Variable of the environment not set", fmt.Sprintf(
					"%s is not set, so this is null, as if nothing stood here. Set it, or give a default: env(%q, \"\").", name, name)))
			}
			return nil
		})
	}
}

// envCall is the name in a call env("NAME").
func envCall(n hclsyntax.Node) (name string, ok bool) {
	call, ok := n.(*hclsyntax.FunctionCallExpr)
	if !ok || call.Name != "env" || len(call.Args) != 1 {
		return "", false
	}
	text, ok := call.Args[0].(*hclsyntax.TemplateExpr)
	if !ok || !text.IsStringLiteral() {
		return "", false
	}
	v, _ := text.Value(nil)
	return v.AsString(), true
}

func (l *loader) isSet(name string) bool {
	if l.options.LookupEnv == nil {
		return false
	}
	_, ok := l.options.LookupEnv(name)
	return ok
}
