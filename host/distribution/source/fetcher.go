package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/honeml/hone/host/distribution/internal/web"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/sdk/fault"
)

// A store is what kinds of sources differ in: where the files of releases lie.
type store interface {
	// versions lists versions in any order.
	versions(ctx context.Context) ([]string, error)
	// manifest is the file name of a version's manifest. Where there is no such
	// version the error is an fs.ErrNotExist.
	manifest(ctx context.Context, version string) (string, error)
	// open reads a file of a version from a byte on. A file that is not there is an
	// fs.ErrNotExist.
	open(ctx context.Context, version, file string, from int64) (io.ReadCloser, error)
}

// A fetcher is a Source over a store.
type fetcher struct {
	address Address
	options Options
	store   store
	client  *web.Client // nil where the store is on this machine
}

// Versions implements [Source].
func (f *fetcher) Versions(ctx context.Context) ([]string, error) {
	versions, err := f.store.versions(ctx)
	if err != nil {
		return nil, f.explain(ctx, err)
	}
	versions = release.SortVersions(slices.DeleteFunc(slices.Clone(versions), func(v string) bool {
		return release.CheckVersion(v) != nil
	}))
	if len(versions) == 0 {
		return nil, f.notFound("release of a plugin")
	}
	return versions, nil
}

// Release implements [Source].
func (f *fetcher) Release(ctx context.Context, version string) (*release.Release, error) {
	if err := release.CheckVersion(version); err != nil {
		return nil, err
	}
	r, err := f.release(ctx, version)
	if errors.Is(err, os.ErrNotExist) {
		return nil, f.notFound("version " + version)
	}
	if err != nil {
		return nil, f.explain(ctx, err)
	}
	return r, nil
}

func (f *fetcher) release(ctx context.Context, version string) (*release.Release, error) {
	file, err := f.store.manifest(ctx, version)
	if err != nil {
		return nil, err
	}
	data, err := f.read(ctx, version, file, release.MaxManifestBytes)
	if err != nil {
		return nil, err
	}
	r, err := release.Decode(data, func() ([]byte, error) {
		return f.read(ctx, version, file+release.SignatureSuffix, release.MaxSignatureBytes)
	})
	if err != nil {
		return nil, err
	}
	switch {
	case r.Version != version || release.ManifestName(r.Name, r.Version) != file:
		return nil, fault.New(fault.BadInput, "the manifest %s is that of %s", file, r)
	case f.options.Name != "" && r.Name != f.options.Name:
		return nil, fault.New(fault.BadInput, "it holds the plugin %s, not %s", r.Name, f.options.Name)
	}
	return r, nil
}

// read is a whole small file.
func (f *fetcher) read(ctx context.Context, version, file string, limit int64) (data []byte, err error) {
	err = f.patiently(ctx, func() (bool, error) {
		body, err := f.store.open(ctx, version, file, 0)
		if err != nil {
			return false, err
		}
		data, err = readAll(body, file, limit)
		return !errors.Is(err, fault.BadInput), err
	})
	return data, err
}

// readAll reads a body of at most limit bytes to its end and closes it.
func readAll(body io.ReadCloser, file string, limit int64) ([]byte, error) {
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if int64(len(data)) > limit {
		return nil, fault.New(fault.BadInput, "%s has more than %d bytes", file, limit)
	}
	return data, nil
}

// Fetch implements [Source].
func (f *fetcher) Fetch(ctx context.Context, r *release.Release, p release.Platform, into string) error {
	build, err := r.Build(p)
	if err != nil {
		return fault.New(fault.Unsupported, "source %s: %w", f.address, err)
	}
	err = rundir.WriteDir(into, func(dir string) error {
		archive := filepath.Join(dir, "."+build.Archive)
		if err := f.download(ctx, r, build, archive); err != nil {
			return err
		}
		if err := release.Unpack(ctx, archive, r, p, dir); err != nil {
			return fmt.Errorf("%s: %w", build.Archive, err)
		}
		return os.Remove(archive)
	})
	if err != nil {
		return f.explain(ctx, err)
	}
	return nil
}

// explain names the source.
func (f *fetcher) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("source %s: %w", f.address, err)
}

func (f *fetcher) notFound(what string) error {
	return &NotFoundError{Source: f.address.String(), What: what}
}
