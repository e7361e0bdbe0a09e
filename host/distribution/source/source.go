// Package source finds the releases of a plugin where its author published them,
// and fetches them: from a folder, an archive, a static tree of files, GitHub's
// releases, a registry of containers. What a release is, and whether it is sound, is
// the business of package release; what is installed, that of the package that
// keeps the lock file.
//
// # How it is used
//
//  1. [Parse] reads the address that stands in a run file.
//  2. [Open] gives the [Source]. Nothing is asked yet.
//  3. Versions lists what there is; the caller chooses.
//  4. Release reads that version's manifest, and checks it and its signature. The
//     caller compares the key with the one that it pinned, [release.CheckKey].
//  5. Fetch brings the archive of one platform, checks it, and puts the binary into
//     a folder that appears whole or not at all.
//
// # Networks
//
// Every source retries what may be transient, goes on with downloads that broke off
// and follows the proxy of the environment. Only https is spoken, but with this
// machine itself. Credentials go to the host that they are for and nowhere else.
package source

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/honeml/hone/host/distribution/internal/web"
	"github.com/honeml/hone/host/distribution/registry"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
)

// A Source is where releases of a plugin are published. Its methods may be called
// from several goroutines.
type Source interface {
	// Versions are the versions that there are, newest first. It is an error if there
	// are none.
	Versions(ctx context.Context) ([]string, error)
	// Release is the release of a version, checked: well-formed, of that version,
	// and signed by the key that it names, if it names one. A version that is not
	// there is a [*NotFoundError].
	Release(ctx context.Context, version string) (*release.Release, error)
	// Fetch brings r's build for a platform and checks sizes and hashes of archive and
	// binary. The folder into, which is replaced, then holds the binary, executable,
	// and the licence and readme that came with it. When an error is returned into
	// is as it was; a process that is killed leaves at most a hidden folder
	// beside it.
	Fetch(ctx context.Context, r *release.Release, p release.Platform, into string) error
}

// Options say how a source is used. The zero value is good.
type Options struct {
	// Name is the plugin's full name, such as model-apertus. It is needed where a
	// source holds several plugins; a source that holds another one is an error.
	Name string
	// Progress is told how a download goes on; nil: nobody.
	Progress func(Progress)
	// Getenv reads the environment: GITHUB_TOKEN, GH_TOKEN, GITHUB_API_URL. nil:
	// os.Getenv.
	Getenv func(string) string

	pause time.Duration // before a first retry; 0: the client's own
}

// Progress is how far a download is.
type Progress struct {
	File  string
	Done  int64
	Total int64
}

// Open is the source at an address.
func Open(a Address, o Options) (Source, error) {
	if o.Name != "" {
		if err := release.CheckName(o.Name); err != nil {
			return nil, err
		}
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	f := &fetcher{address: a, options: o}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

// open makes the store of the address's kind.
func (f *fetcher) open() (err error) {
	name, location := f.options.Name, f.address.Location
	path, local := localPath(location)
	if f.address.Kind == OCI || f.address.Kind == GitHub || f.address.Kind == Tree && !local {
		f.client = web.NewClient(f.options.pause)
	}
	switch f.address.Kind {
	case Folder:
		f.store = openLocal(location, name)
	case Archive:
		f.store, err = newArchive(location, name)
	case Tree:
		if local {
			f.store = openLocal(path, name)
		} else {
			f.store = tree{files: below{f.client, location}, name: name}
		}
	case GitHub:
		f.store, err = newGitHub(f.client, location, f.options)
	case OCI:
		var repository *registry.Repository
		if repository, err = registry.Open(f.client, location); err == nil {
			f.store = &artifacts{repository: repository, name: name, seen: map[string]*registry.Artifact{}}
		}
	default:
		err = fault.New(fault.BadInput, "source %q: not an address that Parse read", location)
	}
	return err
}

// A NotFoundError says that a source does not have what was asked for.
type NotFoundError struct {
	Source string
	What   string // version 1.2.0
}

// Error names both.
func (e *NotFoundError) Error() string { return fmt.Sprintf("%s has no %s", e.Source, e.What) }

// An UnreachableError says that a source's host could not be spoken with; it names the
// host. The machine may be offline.
type UnreachableError = web.UnreachableError
