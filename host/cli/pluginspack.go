package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/distribution/pack"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/distribution/source"
	"github.com/honeml/hone/sdk/plugin"
)

// packFlags are the flags of hone plugins pack.
type packFlags struct {
	build, name, version string
	platforms, texts     []string
	key, out, tree, push string
}

// usualPlatforms are those that -build builds for where no others are named.
var usualPlatforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"}

func (a *app) pluginsPackCommand() *cobra.Command {
	var f packFlags
	cmd := &cobra.Command{
		Use:   "pack [[OS/ARCH=]BINARY...]",
		Short: "Make a release of a plugin out of its binaries",
		Long: "Make a release of a plugin: an archive for each platform, and a manifest with their checksums.\n\n" +
			"The binaries are given, or built with -build from a folder of Go. A binary of Go says which platform it is for.\n" +
			"Name and version are those that the plugin says of itself, where a binary is for this machine.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if (f.build == "") == (len(args) == 0) {
				return usageError{fmt.Errorf("%s takes either binaries or -build (see %s --help)", cmd.CommandPath(), cmd.CommandPath())}
			}
			return a.packPlugin(cmd.Context(), &f, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.build, "build", "", "build the plugin from the Go package in a `folder`; its variable version becomes what -version says")
	flags.StringSliceVar(&f.platforms, "platform", usualPlatforms, "with -build, an `OS/ARCH` to build for")
	flags.StringVar(&f.name, "name", "", "the plugin's full name, such as model-llama")
	flags.StringVar(&f.version, "version", "", "the release's version, such as 1.2.0")
	flags.StringSliceVar(&f.texts, "with", nil, "a licence, notice or readme to put beside the binary; with -build, those in its folder")
	flags.StringVar(&f.key, "key", "", "sign with the private key of minisign in a `file`")
	flags.StringVarP(&f.out, "output", "o", "release", "the `folder` that gets the release's files")
	flags.StringVar(&f.tree, "tree", "", "add the release to the static tree in a `folder` too")
	flags.StringVar(&f.push, "push", "", "push the release to a registry too: `oci://registry/repository`")
	return cmd
}

func (a *app) packPlugin(ctx context.Context, f *packFlags, args []string) error {
	var target source.Address
	if f.push != "" {
		var err error
		if target, err = source.Parse(f.push); err != nil {
			return err
		}
		if target.Kind != source.OCI {
			return usageError{fmt.Errorf("-push takes oci://registry/repository, not %q", f.push)}
		}
	}
	temp, err := os.MkdirTemp("", "hone-pack-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	o := pack.Options{Name: f.name, Version: f.version, Texts: f.texts}
	if f.key != "" { // before building: a wrong password is soon known
		if o.Key, err = a.signingKey(f.key); err != nil {
			return err
		}
	}
	if f.build != "" {
		err = f.buildPlugin(ctx, &o, temp)
	} else {
		err = readBinaries(&o, args)
	}
	if err != nil {
		return err
	}
	if err := a.askBinary(ctx, &o); err != nil {
		return err
	}
	r, err := pack.Write(ctx, f.out, o)
	if err != nil {
		return err
	}
	a.showRelease(r, f.out)
	return a.publish(ctx, f, target, r)
}

// buildPlugin builds the plugin for each platform.
func (f *packFlags) buildPlugin(ctx context.Context, o *pack.Options, temp string) error {
	var platforms []release.Platform
	for _, text := range f.platforms {
		p, err := release.ParsePlatform(text)
		if err != nil {
			return usageError{err}
		}
		platforms = append(platforms, p)
	}
	if f.version != "" {
		if err := release.CheckVersion(f.version); err != nil {
			return usageError{err}
		}
	}
	src := &pack.Source{Folder: f.build, Name: f.name, Version: f.version}
	var err error
	if o.Name, err = src.PluginName(ctx); err != nil {
		return err
	}
	if f.texts == nil {
		entries, err := os.ReadDir(f.build)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Type().IsRegular() && release.IsText(e.Name()) {
				o.Texts = append(o.Texts, filepath.Join(f.build, e.Name()))
			}
		}
	}
	o.Binaries, err = src.Build(ctx, o.Name, platforms, temp)
	return err
}

// readBinaries reads arguments of the form [OS/ARCH=]BINARY.
func readBinaries(o *pack.Options, args []string) error {
	o.Binaries = map[release.Platform]string{}
	for _, arg := range args {
		var p release.Platform
		var err error
		text, path, named := strings.Cut(arg, "=")
		if named {
			p, err = release.ParsePlatform(text)
		} else {
			path = arg
			p, err = pack.PlatformOf(path)
		}
		if err != nil {
			return err
		}
		if p == "" {
			return usageError{fmt.Errorf("%s does not say which platform it is for: write OS/ARCH=%s", path, path)}
		}
		if other, twice := o.Binaries[p]; twice {
			return usageError{fmt.Errorf("%s and %s are both for %s", other, path, p)}
		}
		o.Binaries[p] = path
		if o.Name == "" {
			o.Name = nameOfFile(path)
		}
	}
	return nil
}

// nameOfFile is the full name that a binary's file name says; "" for none.
func nameOfFile(path string) string {
	name, ok := strings.CutPrefix(strings.TrimSuffix(filepath.Base(path), ".exe"), plugin.FilePrefix)
	if _, _, known := plugin.ParseName(name); !ok || !known {
		return ""
	}
	return name
}

// askBinary has the binary for this machine say its version, which has to be the one
// that is to be packed. Without such a binary name and version have to be given.
func (a *app) askBinary(ctx context.Context, o *pack.Options) error {
	if o.Name == "" {
		return usageError{fmt.Errorf("the binaries' names do not say what the plugin is called: give -name")}
	}
	path, ok := o.Binaries[release.Here()]
	if !ok {
		if o.Version == "" {
			return usageError{fmt.Errorf("none of the binaries is for this machine, %s, and could say its version: give -version", release.Here())}
		}
		return nil
	}
	if err := release.CheckName(o.Name); err != nil {
		return err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	says, err := a.versionOf(ctx, o.Name, path)
	if err != nil {
		return err
	}
	says = strings.TrimPrefix(says, "v")
	if o.Version == "" {
		o.Version = says
	}
	if o.Version != says {
		return fmt.Errorf("the release is to be %s, and the plugin %s says that it is %q (-build puts -version into the variable version of package main)",
			o.Version, path, says)
	}
	return nil
}

// showRelease says what was made.
func (a *app) showRelease(r *release.Release, folder string) {
	fmt.Fprintf(a.Out, "%s in %s\n", r, folder)
	for _, p := range slices.Sorted(maps.Keys(r.Builds)) {
		fmt.Fprintf(a.Out, "  %s  %.1f MB\n", r.Builds[p].Archive, float64(r.Builds[p].ArchiveSize)/1e6)
	}
	if r.Key == "" {
		fmt.Fprintln(a.Out, "  not signed: hone plugins keygen makes a key, -key signs with it")
		return
	}
	fmt.Fprintf(a.Out, "  signed by key %s\n", r.Key.ID())
}

// publish brings a release to where else it is wanted.
func (a *app) publish(ctx context.Context, f *packFlags, target source.Address, r *release.Release) error {
	if f.tree != "" {
		if err := pack.AddToTree(f.tree, f.out, r); err != nil {
			return err
		}
		fmt.Fprintf(a.Out, "added to the tree %s\n", f.tree)
	}
	if f.push != "" {
		if err := pack.Push(ctx, target.Location, f.out, r); err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		fmt.Fprintf(a.Out, "pushed to %s:%s\n", target, r.Version)
	}
	return nil
}
