package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/distribution/installer"
	"github.com/honeml/hone/host/distribution/lock"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/distribution/source"
	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/host/ui"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/plugin"
)

func (a *app) initCommand() *cobra.Command {
	var o installer.RequireOptions
	var trust []string
	cmd := &cobra.Command{
		Use:   "init [FILE...]",
		Short: "Install the plugins that run files require, and write " + lock.FileName,
		Long: "Install the plugins that run files require, and write " + lock.FileName + " beside them, which says exactly what runs.\n" +
			"That file is made to be committed. Without FILE, the run files of this folder are meant.\n\n" +
			"What is locked stays as it is; -upgrade takes the newest versions that the run files allow.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Upgrade && o.Locked {
				return usageError{errors.New("-upgrade changes the lock file, and -locked forbids that")}
			}
			in, err := a.installer(trust)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.initFolder(cmd.Context(), in, ".", o)
			}
			return a.initFiles(cmd.Context(), in, args, o)
		},
	}
	cmd.Flags().BoolVar(&o.Upgrade, "upgrade", false, "take the newest versions that fit")
	cmd.Flags().BoolVar(&o.Locked, "locked", false, "install what is locked, and fail where the lock file would have to change: for CI")
	addTrust(cmd, &trust)
	return cmd
}

func addTrust(cmd *cobra.Command, trust *[]string) {
	cmd.Flags().StringArrayVar(trust, "trust", nil, "a public `key` of minisign: one that is new has to be it, one that changed may become it")
}

// installer installs plugins for this machine, and says what it does.
func (a *app) installer(trust []string) (*installer.Installer, error) {
	display := a.display(false)
	in := &installer.Installer{
		Store: a.store(), Platform: release.Here(), Open: source.Open, Try: a.try,
		Say: func(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) },
		Progress: func(p source.Progress) {
			display.Emit(ui.Event{Time: time.Now(), Kind: ui.Progress, Message: p.File, Done: p.Done, Total: p.Total})
		},
	}
	for _, text := range trust {
		key, err := release.ParseKey(text)
		if err != nil {
			return nil, usageError{fmt.Errorf("-trust: %w", err)}
		}
		in.Trusted = append(in.Trusted, key)
	}
	return in, nil
}

// try asks a binary what it is.
func (a *app) try(ctx context.Context, full, path string) error {
	_, err := a.versionOf(ctx, full, path)
	return err
}

// versionOf is the version that a binary says of itself; full is the name of its plugin.
func (a *app) versionOf(ctx context.Context, full, path string) (string, error) {
	kind, name, _ := plugin.ParseName(full)
	p := pluginhost.Plugin{Kind: kind, Name: name, Path: path}
	catalog := pluginhost.NewCatalog(pluginhost.CatalogOptions{Overrides: []pluginhost.Override{{Plugin: p}}, Logger: a.log()})
	version, _, err := describe(ctx, catalog, p)
	return version, err
}

// initFolder installs what the run files of a folder require. The lock file then names
// nothing else.
func (a *app) initFolder(ctx context.Context, in *installer.Installer, folder string, o installer.RequireOptions) error {
	paths, err := filepath.Glob(filepath.Join(folder, "*.hcl"))
	if err != nil {
		return err
	}
	paths = slices.DeleteFunc(paths, func(p string) bool { return filepath.Base(p) == lock.FileName })
	all := &requirements{}
	runs := 0
	for _, path := range paths {
		r, err := a.requirementsOf(ctx, path)
		if err != nil {
			return err
		}
		if r.HasRun {
			runs++
		}
		if err := all.add(path, r); err != nil {
			return err
		}
	}
	if runs == 0 {
		return usageError{errors.New("there is no run file in this folder; name one: hone init FILE")}
	}
	return a.initLock(ctx, in, all, filepath.Join(folder, lock.FileName), true, o)
}

// initFiles installs what some run files require. What else their folders' lock files
// name is another's, and stays.
func (a *app) initFiles(ctx context.Context, in *installer.Installer, paths []string, o installer.RequireOptions) error {
	byLock := map[string]*requirements{}
	var order []string
	for _, path := range paths {
		r, err := a.requirementsOf(ctx, path)
		if err != nil {
			return err
		}
		file := lock.PathFor(path)
		if byLock[file] == nil {
			byLock[file], order = &requirements{}, append(order, file)
		}
		if err := byLock[file].add(path, r); err != nil {
			return err
		}
	}
	for _, file := range order {
		if err := a.initLock(ctx, in, byLock[file], file, false, o); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) requirementsOf(ctx context.Context, path string) (*runfile.Requirements, error) {
	r, diags := runfile.ReadRequirements(ctx, path, runfile.Options{Version: a.version})
	return r, a.show(diags)
}

// requirements are those of several run files that share a lock file.
type requirements struct {
	list []runfile.Requirement
	from map[string]string // the first file that requires a plugin
}

func (all *requirements) add(path string, r *runfile.Requirements) error {
	if all.from == nil {
		all.from = map[string]string{}
	}
	for _, q := range r.Plugins {
		i := slices.IndexFunc(all.list, func(other runfile.Requirement) bool { return other.Name == q.Name })
		if i < 0 {
			all.list, all.from[q.Name] = append(all.list, q), path
			continue
		}
		other := &all.list[i]
		if other.Source != q.Source {
			return fault.New(fault.BadInput, "%s wants %s from %s, and %s from %s: the run files of a folder share %s",
				all.from[q.Name], q.Name, other.Source, path, q.Source, lock.FileName)
		}
		switch {
		case other.Version == "":
			other.Version = q.Version
		case q.Version != "" && q.Version != other.Version:
			other.Version += ", " + q.Version
		}
	}
	return nil
}

// initLock installs requirements and writes the lock file at path; alone says that it
// is to name nothing else.
func (a *app) initLock(
	ctx context.Context, in *installer.Installer, all *requirements, path string, alone bool, o installer.RequireOptions,
) error {
	locked, diags := lock.Read(path)
	if err := a.show(diags); err != nil {
		return err
	}
	if locked == nil && len(all.list) == 0 {
		fmt.Fprintln(a.Err, "no plugins are required: there is nothing to install and nothing to lock")
		return nil
	}
	var before []byte
	if locked == nil {
		locked = &lock.File{}
	} else {
		before = locked.Bytes()
	}
	var err error
	if o.Folder, err = filepath.Abs(filepath.Dir(path)); err != nil {
		return err
	}
	for _, q := range all.list {
		p, err := in.Require(ctx, q, locked.Find(q.Name), o)
		if err != nil {
			return err
		}
		locked.Put(*p)
	}
	if alone && !o.Locked {
		for _, p := range slices.Clone(locked.Plugins) {
			if all.from[p.Name] == "" {
				locked.Remove(p.Name)
				fmt.Fprintf(a.Err, "%s is not required any more\n", p)
			}
		}
	}
	after := locked.Bytes()
	switch {
	case o.Locked:
		return nil
	case bytes.Equal(before, after):
		fmt.Fprintf(a.Err, "%s stays as it is\n", path)
		return nil
	}
	if err := locked.Write(path); err != nil {
		return err
	}
	for _, p := range locked.Plugins {
		fmt.Fprintf(a.Err, "locked %s\n", p)
	}
	fmt.Fprintf(a.Err, "wrote %s; commit it\n", path)
	return nil
}

// readLock reads a lock file that has to be there.
func (a *app) readLock(path string) (*lock.File, error) {
	f, diags := lock.Read(path)
	if err := a.show(diags); err != nil {
		return nil, err
	}
	if f == nil {
		return nil, fmt.Errorf("%s: %w", path, os.ErrNotExist)
	}
	return f, nil
}
