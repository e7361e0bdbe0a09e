package runfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/honeml/hone/host/runfile/internal/attributes"
)

// hubScheme begins the names of models and datasets of the Hugging Face Hub.
const hubScheme = "hf://"

var (
	hubModel   = regexp.MustCompile(`^hf://[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$`)
	hubDataset = regexp.MustCompile(`^hf://datasets/[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*(/[^\\]+)?$`)
	ownerName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$`)
	urlScheme  = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://`)
)

func (l *loader) readModel(r *Run, b *decodedBlock) {
	if b == nil {
		return
	}
	l.fill(b, &r.Model)
	if b.Given["revision"] && !strings.HasPrefix(r.Model.Source, hubScheme) {
		l.refuse(l.at(b, "revision"), "Revision of a file", "Only models of the Hub, hf://OWNER/NAME, have revisions.")
	}
	if !b.sound("source") {
		return
	}
	source, wrong := l.modelSource(r.Model.Source)
	if wrong != "" {
		l.refuse(l.at(b, "source"), "No model here", "%s", wrong)
		return
	}
	r.Model.Source = source
}

// readTokens reads which tokens are added and trained; nil where nothing says so.
func (l *loader) readTokens(r *Run, b *decodedBlock) {
	if b == nil {
		return
	}
	r.Tokens = &TokensConfig{}
	l.fill(b, r.Tokens)
	if len(r.Tokens.Add)+len(r.Tokens.Train) == 0 && !b.bad["add"] && !b.bad["train"] {
		l.refuse(b.block.DefRange(), "No tokens", "tokens has a list of them: add = [\"<tool>\"] or train = [\"<|im_start|>\"].")
	}
}

// readScaling reads how the model is stretched; nil where nothing says so.
func (l *loader) readScaling(r *Run, b *decodedBlock) {
	if b == nil {
		return
	}
	r.RoPEScaling = &RoPEScaling{Kind: b.ref.Label}
	l.fill(b, r.RoPEScaling)
	if slow, fast := r.RoPEScaling.betas(); slow > fast && !b.bad["beta_slow"] && !b.bad["beta_fast"] {
		l.refuse(b.block.DefRange(), "Contradiction",
			"beta_slow is %v and beta_fast %v: pairs that turn more often than beta_fast keep their frequency, so it is the larger one.", slow, fast)
	}
}

// modelSource is a model's source, absolute, or what is wrong with it.
func (l *loader) modelSource(source string) (full, wrong string) {
	if strings.HasPrefix(source, hubScheme) {
		if !hubModel.MatchString(source) {
			return "", "A model of the Hub is written hf://OWNER/NAME; a branch, tag or commit goes to revision."
		}
		return source, ""
	}
	if urlScheme.MatchString(source) {
		return "", "A model is hf://OWNER/NAME, a folder or a .gguf file; hone downloads nothing from other addresses."
	}
	full = l.eval.Path(source)
	info, err := os.Stat(full)
	switch {
	case err != nil:
		wrong = cannot(full, err)
		if ownerName.MatchString(source) && errors.Is(err, fs.ErrNotExist) {
			wrong += fmt.Sprintf(" For a model of the Hub, write %q.", hubScheme+source)
		}
	case info.Mode().IsRegular() && strings.HasSuffix(strings.ToLower(full), ".gguf"):
	case info.Mode().IsRegular():
		wrong = fmt.Sprintf("%s is no .gguf file. For a model in safetensors files, name their folder.", full)
	case !info.IsDir():
		wrong = fmt.Sprintf("%s is neither a folder nor a file.", full)
	default:
		wrong = checkModelFolder(full)
	}
	return full, wrong
}

func checkModelFolder(dir string) (wrong string) {
	if info, err := os.Stat(filepath.Join(dir, "config.json")); err == nil && info.Mode().IsRegular() {
		return ""
	}
	wrong = fmt.Sprintf("The folder %s has no config.json.", dir)
	if files, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.gguf")); err == nil && len(files) > 0 {
		wrong += fmt.Sprintf(" For a GGUF model, name the file: %s.", files[0])
	}
	return wrong
}

// escapeGlob has Glob take a path as it is.
func escapeGlob(path string) string {
	if os.PathSeparator == '\\' { // where nothing can be escaped
		return path
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// cannot is why a file cannot be used, as a sentence.
func cannot(path string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("There is no %s.", path)
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Sprintf("%s: %v.", path, err)
}

// at is where an attribute stands.
func (l *loader) at(b *decodedBlock, attribute string) hcl.Range {
	return attributes.Locate(b.block, []string{attribute})
}
