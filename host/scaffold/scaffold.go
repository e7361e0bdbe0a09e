package scaffold

import (
	"embed"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/honeml/hone/sdk/plugintest/golden"
)

//go:embed all:model
var templates embed.FS

// The SDK's module.
const sdkModule = "github.com/honeml/hone"

// prefix begins the names of a model plugin's binary and, if nobody says otherwise, of
// its module and folder.
const prefix = "hone-plugin-model-"

// A Model says what a model plugin's module is to be.
type Model struct {
	Name         string // the plugin's, such as falcon
	Architecture string // as configurations name it; "": FalconForCausalLM
	Module       string // its path; "": hone-plugin-model-falcon
	Folder       string // where it is written; "": of that name, in the current one
	SDK          string // a folder with the SDK's source; "": the module of Version
	Version      string // of hone, and so of the SDK
}

// defaults fills in what is not said, and checks all.
func (m Model) defaults() (Model, error) {
	if !namePattern.MatchString(m.Name) || len(m.Name) > 40 {
		return m, fmt.Errorf("a plugin's name is up to 40 lower-case letters, digits and single hyphens, such as falcon or falcon-2: not %q", m.Name)
	}
	if m.Architecture == "" {
		m.Architecture = camel(m.Name) + "ForCausalLM"
	}
	if !token.IsIdentifier(m.Architecture) {
		return m, fmt.Errorf("an architecture is named as transformers names its class, such as FalconForCausalLM: not %q", m.Architecture)
	}
	if m.Module == "" {
		m.Module = prefix + m.Name
	}
	if err := module.CheckImportPath(m.Module); err != nil {
		return m, err
	}
	if m.Folder == "" {
		m.Folder = prefix + m.Name
	}
	if m.SDK == "" && !releasePattern.MatchString(m.Version) {
		return m, fmt.Errorf("this hone (%s) is no release whose SDK could be fetched: -sdk DIR names a folder with its source", m.Version)
	}
	return m, nil
}

var (
	namePattern    = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	releasePattern = regexp.MustCompile(`^v\d+\.\d+\.\d+$`)
)

// camel is falcon-2 as Falcon2.
func camel(name string) string {
	var out strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return out.String()
}

// typeName is the name of the Go type that implements the plugin: one that is none of
// the language, nor of the templates.
func typeName(name string) string {
	id := camel(name)
	id = strings.ToLower(id[:1]) + id[1:]
	taken := []string{
		"architecture", "attention", "blocks", "bool", "context", "error", "fault", "graph", "hfconfig", "init", "int", "main", "model",
		"modeltest", "nil", "noGGUF", "os", "range", "read", "rope", "settings", "string", "testing", "true", "false", "version",
	}
	if token.IsKeyword(id) || slices.Contains(taken, id) {
		return id + "Model"
	}
	return id
}

// Write writes the module into its folder, which is empty or not there, and returns the
// folder.
func (m Model) Write() (folder string, err error) {
	if m, err = m.defaults(); err != nil {
		return "", err
	}
	goMod, goSum, err := m.goMod()
	if err != nil {
		return "", err
	}
	files := map[string][]byte{"go.mod": goMod}
	if goSum != nil {
		files["go.sum"] = goSum
	}
	for name, data := range golden.Files() {
		files[path.Join("testdata", name)] = data
	}
	if err := m.render(files); err != nil {
		return "", err
	}
	if err := empty(m.Folder); err != nil {
		return "", err
	}
	for name, data := range files {
		file := filepath.Join(m.Folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return "", err
		}
	}
	return m.Folder, nil
}

// empty refuses a folder that holds something.
func empty(folder string) error {
	entries, err := os.ReadDir(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty: it has %s", folder, entries[0].Name())
	}
	return nil
}

// render adds the templates' files.
func (m Model) render(files map[string][]byte) error {
	values := map[string]string{
		"Name": m.Name, "Architecture": m.Architecture, "Type": typeName(m.Name), "ModelType": strings.ReplaceAll(m.Name, "-", "_"),
		"Binary": prefix + m.Name, "Module": m.Module, "SDK": sdkModule, "Version": m.Version,
	}
	return fs.WalkDir(templates, "model", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := templates.ReadFile(name)
		if err != nil {
			return err
		}
		// Workflows have braces of their own.
		t, err := template.New(name).Delims("[[", "]]").Option("missingkey=error").Parse(string(data))
		if err != nil {
			return err
		}
		var text strings.Builder
		if err := t.Execute(&text, values); err != nil {
			return err
		}
		name = strings.TrimSuffix(strings.TrimPrefix(name, "model/"), ".tmpl")
		if dotted, ok := strings.CutPrefix(name, "dot-"); ok {
			name = "." + dotted
		}
		files[name] = []byte(text.String())
		return nil
	})
}

// goMod is the module's go.mod. With a folder of the SDK it requires what the SDK
// requires, whose checksums it takes over, so that it builds without a network.
func (m Model) goMod() (mod, sum []byte, err error) {
	out := &modfile.File{}
	if err := out.AddModuleStmt(m.Module); err != nil {
		return nil, nil, err
	}
	if m.SDK == "" {
		if err := out.AddGoStmt("1.26.0"); err != nil {
			return nil, nil, err
		}
		if err := out.AddRequire(sdkModule, m.Version); err != nil {
			return nil, nil, err
		}
		mod, err = out.Format()
		return mod, nil, err
	}
	folder, err := filepath.Abs(m.SDK)
	if err != nil {
		return nil, nil, err
	}
	data, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return nil, nil, fmt.Errorf("-sdk: %w", err)
	}
	sdk, err := modfile.Parse(filepath.Join(folder, "go.mod"), data, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("-sdk: %w", err)
	}
	if sdk.Module == nil || sdk.Module.Mod.Path != sdkModule || sdk.Go == nil {
		return nil, nil, fmt.Errorf("-sdk: %s is not the module %s", folder, sdkModule)
	}
	if err := out.AddGoStmt(sdk.Go.Version); err != nil {
		return nil, nil, err
	}
	const unpublished = "v0.0.0" // the replacement has no version
	out.AddNewRequire(sdkModule, unpublished, false)
	for _, r := range sdk.Require {
		out.AddNewRequire(r.Mod.Path, r.Mod.Version, true)
	}
	if err := out.AddReplace(sdkModule, "", folder, ""); err != nil {
		return nil, nil, err
	}
	out.SetRequireSeparateIndirect(out.Require)
	out.Cleanup()
	if mod, err = out.Format(); err != nil {
		return nil, nil, err
	}
	if sum, err = os.ReadFile(filepath.Join(folder, "go.sum")); err != nil {
		return nil, nil, fmt.Errorf("-sdk: %w", err)
	}
	return mod, sum, nil
}
