package source

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/honeml/hone/host/distribution/internal/web"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
)

// A tree is a static tree: an index, and a folder for each version that holds the
// release's files.
type tree struct {
	files files
	name  string // of the plugin; "": the index says it
}

// files are what a tree lies in: a folder, or below a URL.
type files interface {
	open(ctx context.Context, path []string, from int64) (io.ReadCloser, error)
}

func (t tree) index(ctx context.Context) (*release.Index, error) {
	body, err := t.files.open(ctx, []string{release.IndexName}, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.BadInput, "there is no %s, as a tree of releases has", release.IndexName)
	}
	if err != nil {
		return nil, err
	}
	data, err := readAll(body, release.IndexName, release.MaxIndexBytes)
	if err != nil {
		return nil, err
	}
	index, err := release.DecodeIndex(data)
	if err == nil && t.name != "" && index.Name != t.name {
		err = fault.New(fault.BadInput, "it holds the plugin %s, not %s", index.Name, t.name)
	}
	return index, err
}

func (t tree) versions(ctx context.Context) ([]string, error) {
	index, err := t.index(ctx)
	if err != nil {
		return nil, err
	}
	return index.Versions, nil
}

func (t tree) manifest(ctx context.Context, version string) (string, error) {
	name := t.name
	if name == "" {
		index, err := t.index(ctx)
		if err != nil {
			return "", err
		}
		name = index.Name
	}
	return release.ManifestName(name, version), nil
}

func (t tree) open(ctx context.Context, version, file string, from int64) (io.ReadCloser, error) {
	return t.files.open(ctx, []string{version, file}, from)
}

// below is what lies below a URL.
type below struct {
	client *web.Client
	root   string
}

func (b below) open(ctx context.Context, path []string, from int64) (io.ReadCloser, error) {
	url := b.root
	for _, name := range path { // of letters that a URL holds as they are
		url += "/" + name
	}
	resp, err := b.client.Get(ctx, url, nil, from)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// within is what lies in a folder of this machine.
type within string

func (w within) open(_ context.Context, path []string, from int64) (io.ReadCloser, error) {
	return openFile(filepath.Join(append([]string{string(w)}, path...)...), from)
}

// openLocal is the store in a folder: a tree, if it has an index.
func openLocal(path, name string) store {
	if _, err := os.Stat(filepath.Join(path, release.IndexName)); err == nil {
		return tree{files: within(path), name: name}
	}
	return folder{path: path, name: name}
}
