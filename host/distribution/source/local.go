package source

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
)

// A folder holds the files of a plugin's releases side by side.
type folder struct {
	path string
	name string // of the plugin; "": the only one that it holds
}

func (f folder) versions(context.Context) ([]string, error) {
	manifests, err := f.manifests()
	if err != nil {
		return nil, err
	}
	var versions []string
	for version := range manifests {
		versions = append(versions, version)
	}
	return versions, nil
}

func (f folder) manifest(_ context.Context, version string) (string, error) {
	manifests, err := f.manifests()
	if err != nil {
		return "", err
	}
	file, ok := manifests[version]
	if !ok {
		return "", fs.ErrNotExist
	}
	return file, nil
}

// manifests are the manifests of the plugin, by version.
func (f folder) manifests() (map[string]string, error) {
	files, err := os.ReadDir(f.path)
	if err != nil { // not fs.ErrNotExist, which would be a version's
		return nil, fault.New(fault.BadInput, "the folder cannot be read: %v", err)
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = file.Name()
	}
	return pickManifests(names, f.name)
}

// pickManifests finds the manifests of a plugin among files, by version. name "" is
// the only plugin that there is.
func pickManifests(files []string, want string) (map[string]string, error) {
	manifests := map[string]string{}
	for _, file := range files {
		name, version, ok := release.ParseManifestName(file)
		if !ok || want != "" && name != want {
			continue
		}
		if other, ok := manifests[version]; ok {
			return nil, severalPlugins(other, file)
		}
		manifests[version] = file
	}
	return manifests, nil
}

func severalPlugins(a, b string) error {
	return fault.New(fault.BadInput, "it holds several plugins, %s and %s among them", a, b).WithHint("say which one is meant")
}

func (f folder) open(_ context.Context, _, file string, from int64) (io.ReadCloser, error) {
	return openFile(filepath.Join(f.path, file), from)
}

// openFile reads a file from a byte on.
func openFile(path string, from int64) (io.ReadCloser, error) {
	info, err := os.Stat(path) // before opening: a pipe would wait for its other end
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}
