package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/distribution/lock"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/distribution/source"
	"github.com/honeml/hone/host/distribution/store"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/sdk/fault"
)

func (a *app) pluginsInstallCommand() *cobra.Command {
	var trust []string
	var name string
	cmd := &cobra.Command{
		Use:   "install SOURCE[@VERSION]",
		Short: "Install a plugin for all runs that have no lock file",
		Long: "Install a plugin for all runs that have no lock file. SOURCE is ./a-folder, ./an-archive.tar.gz, https://host/path, file:///path,\n" +
			"github.com/OWNER/NAME or oci://registry/repository. Without VERSION, it is the newest.\n\n" +
			"What one run file requires belongs into it, as required_plugins: hone init installs that.",
		Args: exactly(1, "the source of a plugin"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := a.installer(trust)
			if err != nil {
				return err
			}
			text, version := cutVersion(args[0])
			address, err := source.Parse(text)
			if err != nil {
				return err
			}
			here, err := os.Getwd()
			if err != nil {
				return err
			}
			if name != "" {
				if name, err = runfile.FullName(name); err != nil {
					return usageError{fmt.Errorf("-name: %w", err)}
				}
			}
			e, err := in.Install(cmd.Context(), address.In(here), name, version)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.Out, "%s\t%s\n", e, e.Path)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the `plugin`, where the source has several")
	addTrust(cmd, &trust)
	return cmd
}

// cutVersion splits SOURCE@VERSION. An @ that no version follows belongs to the source.
func cutVersion(text string) (address, version string) {
	i := strings.LastIndexByte(text, '@')
	if i < 0 {
		return text, ""
	}
	v := strings.TrimPrefix(text[i+1:], "v")
	if release.CheckVersion(v) != nil {
		return text, ""
	}
	return text[:i], v
}

func (a *app) pluginsUpdateCommand() *cobra.Command {
	var trust []string
	cmd := &cobra.Command{
		Use:   "update [NAME...]",
		Short: "Install newer versions of installed plugins, from where they came",
		Long: "Install newer versions of installed plugins, from where they came. What lock files name is left alone:\n" +
			"hone init -upgrade takes newer versions there.",
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := a.installer(trust)
			if err != nil {
				return err
			}
			entries, err := a.installedOf(args, true)
			if err != nil {
				return err
			}
			var errs []error
			for _, e := range entries {
				updated, newer, err := in.Update(cmd.Context(), e)
				switch {
				case err != nil:
					errs = append(errs, err)
				case !newer:
					fmt.Fprintf(a.Err, "%s is the newest of %s\n", e, e.Source)
				default:
					fmt.Fprintf(a.Out, "%s\t%s\n", updated, updated.Path)
				}
			}
			return errors.Join(errs...)
		},
	}
	addTrust(cmd, &trust)
	return cmd
}

// installedOf are the installed plugins of some names, all where there are none;
// current says that those for lock files are left out.
func (a *app) installedOf(names []string, current bool) ([]store.Entry, error) {
	entries := a.installedPlugins()
	if current {
		entries = slices.DeleteFunc(entries, func(e store.Entry) bool { return !e.Current })
	}
	if len(names) == 0 {
		return entries, nil
	}
	var out []store.Entry
	for _, name := range names {
		full, err := runfile.FullName(name)
		if err != nil {
			return nil, usageError{err}
		}
		found := len(out)
		for _, e := range entries {
			if e.Name == full {
				out = append(out, e)
			}
		}
		if len(out) == found {
			return nil, fault.New(fault.BadInput, "%s is not installed", full).WithHint("hone plugins list shows what is")
		}
	}
	return out, nil
}

func (a *app) pluginsRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME[@VERSION]",
		Short: "Remove an installed plugin, or one version of it",
		Long:  "Remove an installed plugin, or one version of it. Runs that use it go on; a lock file that names it has hone init install it again.",
		Args:  exactly(1, "the name of a plugin"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, version := cutVersion(args[0])
			entries, err := a.installedOf([]string{name}, false)
			if err != nil {
				return err
			}
			if version != "" {
				entries = slices.DeleteFunc(entries, func(e store.Entry) bool { return e.Version != version })
			}
			if len(entries) == 0 {
				return fault.New(fault.BadInput, "version %s of %s is not installed", version, name).WithHint("hone plugins list shows what is")
			}
			wait := func() { fmt.Fprintln(a.Err, "waiting for another hone, which installs plugins") }
			if err := a.store().Remove(cmd.Context(), entries, wait); err != nil {
				return err
			}
			for _, e := range entries {
				fmt.Fprintf(a.Out, "removed %s\n", e)
			}
			return nil
		},
	}
}

func (a *app) pluginsVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [FILE...]",
		Short: "Hash all installed plugins, and compare them with what was installed and locked",
		Long: "Hash all installed plugins, and compare them with what was installed, and with the lock files beside run files.\n" +
			"Without FILE, the lock file of this folder is compared, if there is one.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.verify(cmd.Context(), args)
		},
	}
}

// verify compares what is installed with the records of it.
func (a *app) verify(ctx context.Context, runFiles []string) error {
	entries, err := a.store().List(release.Here())
	out := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	wrong := 0
	row := func(subject string, problem error) {
		state := "sound"
		if problem != nil {
			wrong++
			state = strings.ReplaceAll(problem.Error(), "\n", "; ")
		}
		fmt.Fprintf(out, "%s\t%s\n", subject, state)
	}
	if err != nil {
		row("installed plugins", err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		row(e.String(), a.store().Verify(e))
	}
	var locks []string
	for _, path := range runFiles {
		if file := lock.PathFor(path); !slices.Contains(locks, file) {
			locks = append(locks, file)
		}
	}
	if len(runFiles) == 0 && exists(lock.FileName) {
		locks = []string{lock.FileName}
	}
	for _, path := range locks {
		f, err := a.readLock(path)
		if err != nil {
			return errors.Join(out.Flush(), err)
		}
		for _, p := range f.Plugins {
			row(filepath.ToSlash(path)+": "+p.String(), a.isInstalled(p))
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if wrong > 0 {
		return fault.New(fault.BadInput, "%d of these are not what they ought to be", wrong).
			WithHint("hone init installs again what is locked, and hone plugins install what is not")
	}
	return nil
}

// isInstalled says what keeps a locked plugin from being started.
func (a *app) isInstalled(p lock.Plugin) error {
	hash, ok := p.Binaries[release.Here()]
	if !ok {
		return fmt.Errorf("not locked for %s", release.Here())
	}
	e := a.store().Find(p.Name, release.Here(), hash)
	if e == nil {
		return errors.New("not installed")
	}
	return a.store().Verify(*e)
}
