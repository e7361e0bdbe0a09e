// Package lock is hone.lock.hcl: which version of each required plugin a folder's run
// files use, where it comes from, who signed it, and the hash of its binary on every
// platform. hone init writes it, people commit it, and a run starts exactly what it
// names.
//
// The file holds nothing that depends on the machine that wrote it, and the same
// content is the same bytes. It is separate from the run file because that says what
// is wanted, by a person, and this what was found, by hone; and because the run files
// of a folder share one.
package lock

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/runfile"
)

// FileName is the name of the file, which lies beside the run files.
const FileName = "hone.lock.hcl"

// PathFor is the path of the lock file of a run file.
func PathFor(runFile string) string { return filepath.Join(filepath.Dir(runFile), FileName) }

// format is the version of the file's layout. A reader refuses later ones.
const format = 1

// A File is what a lock file says.
type File struct {
	Plugins []Plugin // by name
}

// A Plugin is a locked plugin.
type Plugin struct {
	Name        string // its full name, such as model-apertus
	Version     string
	Constraints string // that the version was chosen by; "": any
	Source      string // as the run file has it
	// Key is who signed the release, and has to sign the next; "": nobody did.
	Key release.Key
	// Binaries are the hashes of the binaries of the release.
	Binaries map[release.Platform]release.SHA256
}

// String is the plugin's name and version.
func (p Plugin) String() string { return p.Name + " " + p.Version }

// Find is the locked plugin of a name, or nil.
func (f *File) Find(name string) *Plugin {
	i := slices.IndexFunc(f.Plugins, func(p Plugin) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &f.Plugins[i]
}

// Put adds a plugin, in the place of one of the same name.
func (f *File) Put(p Plugin) {
	f.Remove(p.Name)
	f.Plugins = append(f.Plugins, p)
	slices.SortFunc(f.Plugins, func(a, b Plugin) int { return cmp.Compare(a.Name, b.Name) })
}

// Remove removes the plugin of a name, if it is there.
func (f *File) Remove(name string) {
	f.Plugins = slices.DeleteFunc(f.Plugins, func(p Plugin) bool { return p.Name == name })
}

// Read reads the lock file at path. A file that is not there is nil, without
// diagnostics.
func Read(path string) (*File, runfile.Diagnostics) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, runfile.Diagnostics{}
	case err == nil && !info.Mode().IsRegular():
		err = errors.New("it is no file")
	case err == nil && info.Size() > runfile.MaxSourceBytes:
		err = fmt.Errorf("it has %d bytes, and none has more than %d", info.Size(), runfile.MaxSourceBytes)
	}
	var src []byte
	if err == nil {
		src, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, runfile.Diagnostics{List: hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Cannot read " + path, Detail: err.Error() + ".",
		}}}
	}
	return Parse(path, src)
}

const header = `# What hone runs in this folder, to the byte. hone init writes this file; it is made
# to be committed.
`

// Bytes is the file's content: the same for the same plugins.
func (f *File) Bytes() []byte {
	file := hclwrite.NewEmptyFile()
	body := file.Body()
	body.SetAttributeValue("format", cty.NumberIntVal(format))
	for _, p := range f.Plugins {
		body.AppendNewline()
		block := body.AppendNewBlock("plugin", []string{p.Name}).Body()
		block.SetAttributeValue("version", cty.StringVal(p.Version))
		if p.Constraints != "" {
			block.SetAttributeValue("constraints", cty.StringVal(p.Constraints))
		}
		block.SetAttributeValue("source", cty.StringVal(p.Source))
		if p.Key != "" {
			block.SetAttributeValue("key", cty.StringVal(string(p.Key)))
		}
		binaries := map[string]cty.Value{}
		for platform, hash := range p.Binaries {
			binaries[string(platform)] = cty.StringVal(hash.String())
		}
		block.SetAttributeValue("sha256", cty.ObjectVal(binaries))
	}
	return append([]byte(header+"\n"), hclwrite.Format(file.Bytes())...)
}

// Write writes the lock file at path, all of it or nothing.
func (f *File) Write(path string) error {
	if err := rundir.WriteFile(path, f.Bytes()); err != nil {
		return fmt.Errorf("lock file: %w", err)
	}
	return nil
}
