package pluginhost

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/plugin"
)

// Prefix begins the file name of every plugin.
const Prefix = plugin.FilePrefix

// A Plugin is a binary that was found.
type Plugin struct {
	Kind plugin.Kind
	Name string // as in a run file: kernels "cpu", logger "wandb", model llama
	Path string // absolute
	// Checksum is the SHA-256 of the binary, where it is known. Start refuses a
	// file with another one.
	Checksum []byte
	// Authority is who says what the checksum has to be, such as hone.lock.hcl; "":
	// it is what was found.
	Authority string
	// Directory is the place in the search order of where it was found; those that
	// [Override] puts first have -1.
	Directory int
}

// String is the name of the plugin's folder, such as cpu-kernels.
func (p Plugin) String() string {
	if p.Kind == plugin.Kernels {
		return p.Name + "-" + string(p.Kind)
	}
	return string(p.Kind) + "-" + p.Name
}

// A Skipped is something that was found, or looked for, and is not used.
type Skipped struct {
	Path   string
	Reason string
}

// String is the path and the reason.
func (s Skipped) String() string { return s.Path + ": " + s.Reason }

// A Directory is a folder to look for plugins in.
type Directory struct {
	Path string
	// Asked says that the user named the folder: it has to exist.
	Asked bool
}

// Search lists the folders that may hold plugins, those that win first: what
// HONE_PLUGIN_DIR lists, the folder of the program and bin beside it, the user's
// own plugins. program is the path of the running program, "" if it is unknown;
// getenv is os.Getenv, but in tests.
func Search(program string, getenv func(string) string) []Directory {
	var dirs []Directory
	add := func(asked bool, path string) {
		abs, err := filepath.Abs(path)
		if path == "" || err != nil {
			return
		}
		if !slices.ContainsFunc(dirs, func(d Directory) bool { return d.Path == abs }) {
			dirs = append(dirs, Directory{Path: abs, Asked: asked})
		}
	}
	for _, path := range filepath.SplitList(getenv("HONE_PLUGIN_DIR")) {
		add(true, path)
	}
	if program != "" {
		if resolved, err := filepath.EvalSymlinks(program); err == nil {
			program = resolved
		}
		add(false, filepath.Dir(program))
		add(false, filepath.Join(filepath.Dir(program), "bin"))
	}
	add(false, UserFolder(getenv))
	return dirs
}

// UserFolder is where a user's own plugins are; "" where there is no such place.
func UserFolder(getenv func(string) string) string {
	data := dataDirectory(getenv)
	if data == "" {
		return ""
	}
	return filepath.Join(data, "hone", "plugins")
}

// Discovery is what [Discover] found.
type Discovery struct {
	Plugins []Plugin // in the order of the search, then by name
	Skipped []Skipped
}

// Discover looks for plugins in dirs. A plugin that an earlier folder holds wins
// over one of the same name in a later one. What cannot be used is reported, not
// an error: one broken file does not stop the others.
func Discover(dirs []Directory) *Discovery {
	d := &Discovery{}
	for i, dir := range dirs {
		entries, err := os.ReadDir(dir.Path)
		if err != nil {
			if dir.Asked || !os.IsNotExist(err) {
				d.skip(dir.Path, "cannot be read: %v", reason(err))
			}
			continue
		}
		var found []Plugin
		for _, entry := range entries {
			if p, ok := d.examine(dir.Path, entry.Name()); ok {
				p.Directory = i
				found = append(found, p)
			}
		}
		slices.SortFunc(found, func(a, b Plugin) int { return cmp.Compare(a.String(), b.String()) })
		for _, p := range found {
			d.add(p)
		}
	}
	return d
}

// add adds a plugin, unless another of its name wins.
func (d *Discovery) add(p Plugin) {
	if i := d.index(p); i >= 0 {
		d.skip(p.Path, "shadowed by %s", d.Plugins[i].Path)
		return
	}
	d.Plugins = append(d.Plugins, p)
}

// index is where a plugin of p's name is, or -1.
func (d *Discovery) index(p Plugin) int {
	return slices.IndexFunc(d.Plugins, func(q Plugin) bool { return q.Kind == p.Kind && q.Name == p.Name })
}

// override puts a plugin in the place of the one that was found.
func (d *Discovery) override(o Override) {
	if i := d.index(o.Plugin); i >= 0 {
		if d.Plugins[i].Path != o.Plugin.Path {
			d.skip(d.Plugins[i].Path, "%s", o.Reason)
		}
		d.Plugins = slices.Delete(d.Plugins, i, i+1)
	}
	if o.Plugin.Path != "" {
		o.Plugin.Directory = -1
		d.Plugins = slices.Insert(d.Plugins, 0, o.Plugin)
	}
}

func (d *Discovery) skip(path, format string, args ...any) {
	d.Skipped = append(d.Skipped, Skipped{Path: path, Reason: fmt.Sprintf(format, args...)})
}

// examine decides whether the file called name in dir is a plugin.
func (d *Discovery) examine(dir, name string) (Plugin, bool) {
	if !strings.HasPrefix(name, Prefix) {
		return Plugin{}, false
	}
	path := filepath.Join(dir, name)
	kind, short, ok := plugin.ParseName(strings.TrimSuffix(strings.TrimPrefix(name, Prefix), executableSuffix))
	if !ok {
		d.skip(path, "no name of a plugin, which is %s", plugin.NameRule)
		return Plugin{}, false
	}
	p := Plugin{Kind: kind, Name: short, Path: path}
	info, err := os.Stat(path)
	switch {
	case err != nil && isSymlink(path):
		target, _ := os.Readlink(path)
		d.skip(path, "a link to %s, which cannot be opened: %v", target, reason(err))
	case err != nil:
		d.skip(path, "cannot be opened: %v", reason(err))
	case !info.Mode().IsRegular():
		d.skip(path, "not a file but a %s", describeMode(info.Mode()))
	case !isExecutable(name, info):
		d.skip(path, "not executable")
	default:
		return p, true
	}
	return Plugin{}, false
}

func isSymlink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().Type() == os.ModeSymlink
}

// reason is what went wrong, without the path, which stands beside it.
func reason(err error) error {
	if path, ok := err.(*os.PathError); ok { //nolint:errorlint // os returns it unwrapped
		return path.Err
	}
	return err
}

func describeMode(mode os.FileMode) string {
	switch {
	case mode.IsDir():
		return "folder"
	case mode&os.ModeNamedPipe != 0:
		return "pipe"
	case mode&os.ModeSocket != 0:
		return "socket"
	}
	return "device"
}
