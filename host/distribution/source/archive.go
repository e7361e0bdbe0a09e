package source

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/plugin"
)

// archive is one archive of a release on this machine. Where the release's manifest
// lies beside it that is used; otherwise the archive says what is in it, and nobody
// vouches for it.
type archive struct {
	path, name, version string
	platform            release.Platform
}

func newArchive(path, want string) (archive, error) {
	a := archive{path: path}
	var ok bool
	if a.name, a.version, a.platform, ok = release.ParseArchiveName(filepath.Base(path)); !ok {
		return a, fault.New(fault.BadInput, "source %s: the name of an archive says what it is, as %s does", path,
			release.ArchiveName("model-apertus", "1.2.0", "linux_amd64")).WithHint("hone plugins pack makes archives; give it back the name that it had")
	}
	if want != "" && a.name != want {
		return a, fault.New(fault.BadInput, "source %s: it holds the plugin %s, not %s", path, a.name, want)
	}
	return a, nil
}

func (a archive) versions(context.Context) ([]string, error) {
	if _, err := os.Stat(a.path); err != nil {
		return nil, err
	}
	return []string{a.version}, nil
}

func (a archive) manifest(_ context.Context, version string) (string, error) {
	if version != a.version {
		return "", fs.ErrNotExist
	}
	return release.ManifestName(a.name, a.version), nil
}

func (a archive) open(ctx context.Context, _, file string, from int64) (io.ReadCloser, error) {
	body, err := openFile(filepath.Join(filepath.Dir(a.path), file), from)
	if file != release.ManifestName(a.name, a.version) || !os.IsNotExist(err) {
		return body, err
	}
	r := &release.Release{Name: a.name, Version: a.version, Protocol: plugin.ProtocolVersion}
	build, err := release.Inspect(ctx, a.path, r.Name, a.platform)
	if err != nil {
		return nil, err
	}
	r.Builds = map[release.Platform]release.Build{a.platform: build}
	data, err := r.Encode()
	return io.NopCloser(bytes.NewReader(data)), err
}
