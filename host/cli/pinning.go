package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/honeml/hone/host/distribution/installer"
	"github.com/honeml/hone/host/distribution/lock"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/distribution/store"
	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/plugin"
)

// plugins is the catalog of plugins: what is found and installed and, above that, what
// the lock file or a run's record pins, and -dev names.
func (a *app) plugins() *pluginhost.Catalog {
	if a.catalog != nil {
		return a.catalog
	}
	opts := pluginhost.DefaultOptions(a.log())
	for _, e := range a.installedPlugins() {
		if e.Current {
			opts.Installed = append(opts.Installed, installed(e, "hone plugins install"))
		}
	}
	opts.Overrides = slices.Concat(a.pins, a.dev)
	a.catalog = pluginhost.NewCatalog(opts)
	return a.catalog
}

// pin has the catalog start what pins names.
func (a *app) pin(pins []pluginhost.Override) { a.pins, a.catalog = pins, nil }

// installed is an installed plugin as the catalog knows it; authority is who says what
// its binary has to be.
func installed(e store.Entry, authority string) pluginhost.Plugin {
	kind, name, _ := plugin.ParseName(e.Name)
	return pluginhost.Plugin{Kind: kind, Name: name, Path: e.Path, Checksum: e.SHA256[:], Authority: authority}
}

// store is where plugins are installed.
func (a *app) store() *store.Store {
	return &store.Store{Folder: pluginhost.UserFolder(os.Getenv)}
}

// installedPlugins are the installed plugins for this machine. A damaged one does not
// keep the others from being used.
func (a *app) installedPlugins() []store.Entry {
	entries, err := a.store().List(release.Here())
	if err != nil {
		a.log().Warn("installed plugins that cannot be used", "error", err)
	}
	return entries
}

// readDev reads -dev, and says what it changes.
func (a *app) readDev() error {
	for _, text := range a.devFlags {
		p, err := devPlugin(text)
		if err != nil {
			return usageError{fmt.Errorf("-dev %s: %w", text, err)}
		}
		a.dev = append(a.dev, pluginhost.Override{Plugin: p, Reason: "-dev names " + p.Path})
		fmt.Fprintf(a.Err, "development build: %s is %s\n", p, p.Path)
	}
	return nil
}

// devPlugin reads NAME=PATH; the path is the binary's or that of its folder.
func devPlugin(text string) (pluginhost.Plugin, error) {
	name, path, ok := strings.Cut(text, "=")
	if !ok || path == "" {
		return pluginhost.Plugin{}, errors.New("want NAME=PATH, such as model-llama=./hone-plugin-model-llama")
	}
	full, err := runfile.FullName(name)
	if err != nil {
		return pluginhost.Plugin{}, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return pluginhost.Plugin{}, err
	}
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, release.BinaryName(full, release.Here()))
		info, err = os.Stat(path)
	}
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	kind, short, _ := plugin.ParseName(full)
	return pluginhost.Plugin{Kind: kind, Name: short, Path: path}, err
}

// devNames are the plugins that -dev names.
func (a *app) devNames() []string {
	var names []string
	for _, o := range a.dev {
		names = append(names, o.Plugin.String())
	}
	return names
}

// pinFile has the catalog start what the lock file beside a run file names, and shows
// what keeps required plugins from being started. Mistakes in the run file itself are
// left for its reader to show.
func (a *app) pinFile(ctx context.Context, path string) error {
	required, diags := runfile.ReadRequirements(ctx, path, runfile.Options{Version: a.version})
	if diags.HasErrors() {
		return nil
	}
	locked, diags := lock.Read(lock.PathFor(path))
	if err := a.show(diags); err != nil {
		return err
	}
	if locked == nil && len(required.Plugins) == 0 {
		a.pin(nil)
		return nil
	}
	directories := pluginhost.DefaultOptions(nil).Directories
	p := installer.Pinning{
		Lock: locked, Authority: lock.FileName, Init: "hone init " + path, Store: a.store(), Platform: release.Here(),
		Found: pluginhost.Discover(directories).Plugins, Dev: a.devNames(),
	}
	overrides, problems := p.Pins(required.Plugins)
	if err := a.show(required.Diagnose(problems)); err != nil {
		return err
	}
	for _, o := range overrides {
		for _, found := range p.Found {
			if found.String() == o.Plugin.String() && found.Path != o.Plugin.Path && directories[found.Directory].Asked {
				fmt.Fprintf(a.Err, "left alone: %s: %s; -dev %s=%s would run it\n", found.Path, o.Reason, found, found.Path)
			}
		}
	}
	a.pin(overrides)
	return nil
}

// pinRecord has the catalog start the required plugins that a run used: what goes on
// with a run does so with the same binaries, whatever was locked since.
func (a *app) pinRecord(r *record) error {
	entries := a.installedPlugins()
	var pins []pluginhost.Override
	for _, q := range r.Run.Requirements {
		i := slices.IndexFunc(r.Plugins, func(p pluginRecord) bool { return p.Name == q.Name })
		if i < 0 || slices.Contains(a.devNames(), q.Name) {
			continue
		}
		used := r.Plugins[i]
		p, err := a.findUsed(used, entries)
		if err != nil {
			return err
		}
		pins = append(pins, pluginhost.Override{Plugin: p, Reason: fmt.Sprintf("the run used %s %s", used.Name, used.Version)})
	}
	a.pin(pins)
	return nil
}

// findUsed finds the binary that a run used. On another platform it is another file of
// the same version.
func (a *app) findUsed(used pluginRecord, entries []store.Entry) (pluginhost.Plugin, error) {
	if used.Dev {
		return pluginhost.Plugin{}, fault.New(fault.BadInput, "the run used a development build of %s, %s", used.Name, used.Path).
			WithHint("name it again: -dev %s=%s", used.Name, used.Path)
	}
	for _, e := range entries {
		same := e.SHA256.String() == used.Checksum
		if used.Platform != release.Here() {
			same = e.Version == used.Version && e.Source == used.Source
		}
		if e.Name == used.Name && same {
			return installed(e, rundir.RunFile), nil
		}
	}
	kind, name, _ := plugin.ParseName(used.Name)
	checksum, err := hex.DecodeString(used.Checksum)
	if err == nil && used.Source == "" && used.Platform == release.Here() && exists(used.Path) { // it was found, not installed
		return pluginhost.Plugin{Kind: kind, Name: name, Path: used.Path, Checksum: checksum, Authority: rundir.RunFile}, nil
	}
	return pluginhost.Plugin{}, fault.New(fault.BadInput, "%s %s, which the run used, is not installed", used.Name, used.Version).
		WithHint("hone plugins install %s@%s installs it; or go on with what is locked now: hone run FILE -resume RUN", used.Source, used.Version)
}

// pluginRecord is what run.json says of a plugin; entries are the installed ones.
func (a *app) pluginRecord(p pluginhost.Plugin, version string, entries []store.Entry) pluginRecord {
	r := pluginRecord{
		Name: p.String(), Version: version, Platform: release.Here(), Path: p.Path, Checksum: hex.EncodeToString(p.Checksum),
		Dev: slices.Contains(a.devNames(), p.String()),
	}
	for _, e := range entries {
		if e.Path == p.Path {
			r.Source = e.Source
		}
	}
	return r
}
