package installer

import (
	"context"
	"fmt"
	"maps"

	"github.com/hashicorp/go-version"

	"github.com/honeml/hone/host/distribution/lock"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/distribution/source"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/sdk/fault"
)

// RequireOptions say how requirements are met.
type RequireOptions struct {
	// Folder is that of the run file: relative sources start there.
	Folder string
	// Upgrade takes the newest version that fits, whatever is locked.
	Upgrade bool
	// Locked installs what is locked, and fails where that would have to change.
	Locked bool
}

// Require installs what a run file requires, and gives what the lock file has to say
// of it. locked is what it says; nil: nothing yet.
func (i *Installer) Require(ctx context.Context, q runfile.Requirement, locked *lock.Plugin, o RequireOptions) (*lock.Plugin, error) {
	p, err := i.require(ctx, q, locked, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", q.Name, err)
	}
	return p, nil
}

func (i *Installer) require(ctx context.Context, q runfile.Requirement, locked *lock.Plugin, o RequireOptions) (*lock.Plugin, error) {
	address, err := source.Parse(q.Source)
	if err != nil {
		return nil, err
	}
	address = address.In(o.Folder)
	problem := misfit(q, locked)
	if problem == "" && (!o.Upgrade || o.Locked) {
		return i.keep(ctx, q, locked, address, o)
	}
	if o.Locked {
		return nil, fault.New(fault.BadInput, "%s", problem).WithHint("hone init without -locked finds a version, and writes the lock file")
	}
	fits, err := constraints(q)
	if err != nil {
		return nil, err
	}
	src, err := i.open(address, q.Name)
	if err != nil {
		return nil, err
	}
	r, err := i.find(ctx, src, address, fits, "")
	if err != nil {
		return nil, err
	}
	pinned := i.pinned(q.Name, address)
	if locked != nil && locked.Source == q.Source && locked.Key != "" {
		pinned = locked.Key
	}
	return i.enter(ctx, src, address, r, q, pinned)
}

// misfit says why what is locked does not meet a requirement; "" where it does.
func misfit(q runfile.Requirement, locked *lock.Plugin) string {
	if locked == nil {
		return lock.FileName + " does not name it"
	}
	if locked.Source != q.Source {
		return fmt.Sprintf("%s has it from %s, and the run file wants it from %s", lock.FileName, locked.Source, q.Source)
	}
	fits, err := constraints(q)
	if err != nil {
		return err.Error()
	}
	if v, err := version.NewSemver(locked.Version); err != nil || fits != nil && !fits.Check(v) {
		return fmt.Sprintf("%s has version %s, and the run file wants %s", lock.FileName, locked.Version, q.Version)
	}
	return ""
}

// constraints are a requirement's constraints on the version; nil: any.
func constraints(q runfile.Requirement) (version.Constraints, error) {
	if q.Version == "" {
		return nil, nil
	}
	return version.NewConstraint(q.Version)
}

// keep installs what is locked. Nobody is asked for what is there.
func (i *Installer) keep(
	ctx context.Context, q runfile.Requirement, locked *lock.Plugin, address source.Address, o RequireOptions,
) (*lock.Plugin, error) {
	if hash, ok := locked.Binaries[i.Platform]; ok {
		if e := i.Store.Find(q.Name, i.Platform, hash); e != nil && i.Store.Verify(*e) == nil {
			kept := *locked
			kept.Constraints = q.Version
			return &kept, nil
		}
	}
	src, err := i.open(address, q.Name)
	if err != nil {
		return nil, err
	}
	r, err := src.Release(ctx, locked.Version)
	if err != nil {
		return nil, err
	}
	for platform, hash := range locked.Binaries {
		if b, ok := r.Builds[platform]; !ok || b.BinarySHA256 != hash {
			return nil, fault.New(fault.BadInput, "%s of %s is not what it was when it was locked: its binary for %s is another, or gone", r, address, platform).
				WithHint("a release ought never to change: ask its author; hone init -upgrade takes another version")
		}
	}
	if _, ok := locked.Binaries[i.Platform]; !ok && o.Locked {
		return nil, noPlatform(*locked, lock.FileName, i.Platform)
	}
	return i.enter(ctx, src, address, r, q, locked.Key)
}

// enter installs a release, and gives what the lock file says of it.
func (i *Installer) enter(
	ctx context.Context, src source.Source, address source.Address, r *release.Release, q runfile.Requirement, pinned release.Key,
) (*lock.Plugin, error) {
	e, err := i.add(ctx, src, address, r, pinned)
	if err != nil {
		return nil, err
	}
	if i.Store.Current(q.Name, i.Platform) == nil { // so that it is there for work without a run file, too
		if err := i.Store.SetCurrent(ctx, *e, i.wait); err != nil {
			return nil, err
		}
	}
	p := &lock.Plugin{
		Name: r.Name, Version: r.Version, Constraints: q.Version, Source: q.Source, Key: r.Key,
		Binaries: map[release.Platform]release.SHA256{},
	}
	for platform, build := range maps.All(r.Builds) {
		p.Binaries[platform] = build.BinarySHA256
	}
	return p, nil
}
