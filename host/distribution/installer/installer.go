// Package installer brings plugins from their sources into the store, and says which
// of the installed binaries a run has to start.
//
// # Who decides
//
//   - [Installer.Require] installs what a run file requires, and gives what its lock
//     file has to say: what is locked stays, unless it no longer fits or newer versions
//     are asked for.
//   - [Installer.Install] installs what a user names, for runs without a lock file.
//   - [Pins] compares requirements, lock file and store before a run, and gives what
//     the catalog of plugins has to start, or what is wrong. It changes nothing and
//     asks nobody.
//
// # Who is trusted
//
// The key that signs a release is pinned at first use: in the lock file, and in the
// store for each source. From then on a release without a signature, or with another
// key's, is refused, unless Trusted names that key.
package installer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/distribution/source"
	"github.com/honeml/hone/host/distribution/store"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/plugin"
)

// An Installer installs plugins for one platform.
type Installer struct {
	Store    *store.Store
	Platform release.Platform
	// Open opens a source: source.Open, but in tests.
	Open func(source.Address, source.Options) (source.Source, error)
	// Try starts a binary that was fetched and asks what it is, before it is installed.
	Try func(ctx context.Context, name, path string) error
	// Say tells the user what happens.
	Say func(format string, args ...any)
	// Progress is told how downloads go on; nil: nobody.
	Progress func(source.Progress)
	// Trusted are keys that the user named. A key that is not pinned has to be one of
	// them, where there are any.
	Trusted []release.Key
}

// Install installs a version of the plugin at an address, "" for the newest, and makes
// it what runs without a lock file use. name says which plugin, where a source has
// several.
func (i *Installer) Install(ctx context.Context, address source.Address, name, version string) (*store.Entry, error) {
	src, err := i.open(address, name)
	if err != nil {
		return nil, err
	}
	r, err := i.find(ctx, src, address, nil, version)
	if err != nil {
		return nil, err
	}
	if there := i.Store.Current(r.Name, i.Platform); there != nil && there.Source != address.String() {
		return nil, fault.New(fault.BadInput, "%s of %s is not installed: %s is installed from %s", r, address, there, there.Source).
			WithHint("two plugins of one name cannot both be used; hone plugins remove %s makes room", r.Name)
	}
	e, err := i.add(ctx, src, address, r, i.pinned(r.Name, address))
	if err != nil {
		return nil, err
	}
	return e, i.Store.SetCurrent(ctx, *e, i.wait)
}

// Update installs the newest version of an installed plugin from the same source. It
// reports whether there was a newer one.
func (i *Installer) Update(ctx context.Context, old store.Entry) (*store.Entry, bool, error) {
	address, err := source.Parse(old.Source)
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", old, err)
	}
	src, err := i.open(address, old.Name)
	if err != nil {
		return nil, false, err
	}
	r, err := i.find(ctx, src, address, nil, "")
	if err != nil {
		return nil, false, err
	}
	if release.CompareVersions(r.Version, old.Version) <= 0 {
		return &old, false, nil
	}
	e, err := i.add(ctx, src, address, r, i.pinned(r.Name, address))
	if err != nil {
		return nil, false, err
	}
	return e, true, i.Store.SetCurrent(ctx, *e, i.wait)
}

func (i *Installer) open(address source.Address, name string) (source.Source, error) {
	return i.Open(address, source.Options{Name: name, Progress: i.Progress})
}

func (i *Installer) wait() { i.Say("waiting for another hone, which installs plugins") }

// pinned is the key of what is installed of a plugin from a source.
func (i *Installer) pinned(name string, address source.Address) release.Key {
	entries, _ := i.Store.List(i.Platform) // what cannot be read pins nothing
	for _, e := range entries {
		if e.Name == name && e.Source == address.String() && e.Key != "" {
			return e.Key
		}
	}
	return ""
}

// checkKey decides whether a release may be installed, by who signed it.
func (i *Installer) checkKey(r *release.Release, pinned release.Key) error {
	switch {
	case pinned != "" && r.Key == pinned, r.Key != "" && slices.Contains(i.Trusted, r.Key):
		return nil
	case pinned != "":
		err := fault.New(fault.BadInput, "%w", release.CheckKey(r, pinned))
		if r.Key == "" {
			return err.WithHint("ask the plugin's author; an earlier version can be named, or required")
		}
		return err.WithHint("only if the plugin's author says that this is right: -trust %s", r.Key)
	case len(i.Trusted) > 0:
		signer := "not signed"
		if r.Key != "" {
			signer = "signed by key " + r.Key.ID()
		}
		return fault.New(fault.BadInput, "%s is %s, which is not the key that -trust names", r, signer)
	}
	return nil
}

// maxTried bounds how many releases are asked for their protocol.
const maxTried = 20

// find finds a release: of that version, or the newest one that fits and that this
// hone can speak with.
func (i *Installer) find(
	ctx context.Context, src source.Source, address source.Address, fits version.Constraints, exact string,
) (*release.Release, error) {
	candidates := []string{exact}
	if exact == "" {
		all, err := src.Versions(ctx)
		if err != nil {
			return nil, err
		}
		if candidates = fitting(all, fits); len(candidates) == 0 {
			return nil, fault.New(fault.BadInput, "%s has no version that fits %q; it has %s", address, fits, list(all))
		}
	}
	var newest *release.Release
	for _, v := range candidates[:min(len(candidates), maxTried)] {
		r, err := src.Release(ctx, v)
		if err != nil {
			return nil, err
		}
		if r.Protocol == plugin.ProtocolVersion {
			if newest != nil {
				i.Say("%s speaks version %d of hone's protocol, and this hone version %d: taking %s", newest, newest.Protocol, plugin.ProtocolVersion, r)
			}
			return r, nil
		}
		if newest == nil {
			newest = r
		}
	}
	older := "hone"
	if newest.Protocol < plugin.ProtocolVersion {
		older = "the plugin"
	}
	return nil, fault.New(fault.Unsupported, "%s of %s speaks version %d of hone's protocol, and this hone version %d",
		newest, address, newest.Protocol, plugin.ProtocolVersion).WithHint("a newer version of %s is needed", older)
}

// fitting are the versions that fit, newest first. Pre-releases fit where constraints
// name one, or where there is nothing else.
func fitting(all []string, fits version.Constraints) []string {
	var out, early []string
	for _, text := range all {
		v, err := version.NewSemver(text)
		switch {
		case err != nil || fits != nil && !fits.Check(v):
		case fits == nil && v.Prerelease() != "":
			early = append(early, text)
		default:
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		return early
	}
	return out
}

// list is the beginning of a list of versions.
func list(versions []string) string {
	const most = 8
	if len(versions) > most {
		return strings.Join(versions[:most], ", ") + fmt.Sprintf(" and %d older ones", len(versions)-most)
	}
	return strings.Join(versions, ", ")
}

// add brings a release into the store.
func (i *Installer) add(
	ctx context.Context, src source.Source, address source.Address, r *release.Release, pinned release.Key,
) (*store.Entry, error) {
	build, err := r.Build(i.Platform)
	if err != nil {
		return nil, fault.New(fault.Unsupported, "%s: %w", address, err)
	}
	if err := i.checkKey(r, pinned); err != nil {
		return nil, err
	}
	e := store.Entry{
		Name: r.Name, Version: r.Version, Platform: i.Platform, Source: address.String(), Key: r.Key, SHA256: build.BinarySHA256,
	}
	fetched := false
	there, err := i.Store.Add(ctx, e, i.wait, func(dir string) error {
		fetched = true
		if err := src.Fetch(ctx, r, i.Platform, dir); err != nil {
			return err
		}
		return i.try(ctx, r, dir)
	})
	if err != nil {
		return nil, fmt.Errorf("%s is not installed: %w", r, err)
	}
	if fetched {
		i.Say("installed %s from %s, %s%s", there, there.Source, there.Signer(), i.introduce(r, pinned))
	}
	return there, nil
}

// introduce shows a key at its first use.
func (i *Installer) introduce(r *release.Release, pinned release.Key) string {
	if r.Key == "" || r.Key == pinned {
		return ""
	}
	return fmt.Sprintf(", seen for the first time; from now on its releases have to be signed by it:\n  %s", r.Key)
}

// try asks a binary that was fetched what it is.
func (i *Installer) try(ctx context.Context, r *release.Release, dir string) error {
	path := filepath.Join(dir, release.BinaryName(r.Name, i.Platform))
	if err := i.Try(ctx, r.Name, path); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return errors.Join(errors.New("its binary does not work here"), err)
	}
	return nil
}
