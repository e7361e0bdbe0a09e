// Package pack makes releases of plugins out of their binaries: archives, manifest
// and signature, and brings them to where they are published. The same binaries give
// the same bytes.
package pack

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/plugin"
)

// Options say what is packed.
type Options struct {
	Name     string // the plugin's full name: model-apertus
	Version  string
	Binaries map[release.Platform]string // paths
	Texts    []string                    // paths of licence and readme
	Key      *release.SigningKey         // nil: the release is not signed
}

// Write makes the release that o describes and puts its files into the folder dir,
// the manifest last: who looks into the folder meanwhile sees no half of it.
func Write(ctx context.Context, dir string, o Options) (*release.Release, error) {
	r := &release.Release{
		Name: o.Name, Version: o.Version, Protocol: plugin.ProtocolVersion, Builds: map[release.Platform]release.Build{},
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	fresh, err := os.MkdirTemp(dir, ".new-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(fresh)
	for _, p := range slices.Sorted(maps.Keys(o.Binaries)) {
		if r.Builds[p], err = o.archive(ctx, r, p, fresh); err != nil {
			return nil, fmt.Errorf("%s for %s: %w", o.Name, p, err)
		}
	}
	if err := o.manifest(r, fresh); err != nil {
		return nil, err
	}
	return r, move(Files(r), fresh, dir)
}

func (o *Options) check() error {
	if err := release.CheckName(o.Name); err != nil {
		return err
	}
	if err := release.CheckVersion(o.Version); err != nil {
		return err
	}
	if len(o.Binaries) == 0 {
		return fault.New(fault.BadInput, "%s: no binary to pack", o.Name)
	}
	for _, path := range o.Texts {
		if !release.IsText(filepath.Base(path)) {
			return fault.New(fault.BadInput, "%s: only licences, notices and readmes go with a binary", path)
		}
	}
	return nil
}

// archive packs the binary of a platform.
func (o *Options) archive(ctx context.Context, r *release.Release, p release.Platform, dir string) (release.Build, error) {
	var b release.Build
	if err := ctx.Err(); err != nil {
		return b, context.Cause(ctx)
	}
	path := o.Binaries[p]
	built, err := readBuildInfo(path)
	if err != nil {
		return b, err
	}
	if built.platform != "" && built.platform != p {
		return b, fault.New(fault.BadInput, "%s was built for %s", path, built.platform)
	}
	if r.SDK == "" {
		r.SDK = built.sdk
	}
	b.Archive = release.ArchiveName(r.Name, r.Version, p)
	if b.BinarySize, b.BinarySHA256, err = release.HashFile(path); err != nil {
		return b, err
	}
	members := []release.Member{{Name: release.BinaryName(r.Name, p), Path: path, Executable: true}}
	for _, text := range o.Texts {
		members = append(members, release.Member{Name: filepath.Base(text), Path: text})
	}
	file, err := os.Create(filepath.Join(dir, b.Archive))
	if err != nil {
		return b, err
	}
	defer file.Close()
	if err := release.Pack(file, b.Archive, members); err != nil {
		return b, err
	}
	if err := file.Sync(); err != nil {
		return b, err
	}
	b.ArchiveSize, b.ArchiveSHA256, err = release.HashFile(file.Name())
	return b, err
}

// manifest writes the manifest, and its signature if there is a key.
func (o *Options) manifest(r *release.Release, dir string) error {
	if o.Key != nil {
		r.Key = o.Key.Public()
	}
	data, err := r.Encode()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, release.ManifestName(r.Name, r.Version))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	if o.Key == nil {
		return nil
	}
	return os.WriteFile(path+release.SignatureSuffix, o.Key.Sign(data, r), 0o644)
}

// Files are the names of a release's files, the manifest last.
func Files(r *release.Release) []string {
	var files []string
	for _, p := range r.Platforms() {
		files = append(files, r.Builds[p].Archive)
	}
	manifest := release.ManifestName(r.Name, r.Version)
	if r.Key != "" {
		files = append(files, manifest+release.SignatureSuffix)
	}
	return append(files, manifest)
}

// move renames files from one folder into another of the same file system. The
// manifest that is there goes first: it does not describe what comes.
func move(files []string, from, to string) error {
	manifest := filepath.Join(to, files[len(files)-1])
	for _, path := range []string{manifest, manifest + release.SignatureSuffix} {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	for _, file := range files {
		if err := os.Rename(filepath.Join(from, file), filepath.Join(to, file)); err != nil {
			return err
		}
	}
	return nil
}
