package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/sdk/fault"
)

// AddToTree brings a release, whose files lie in the folder dir, into the static tree
// at root, which is made if it is not there. A release that the tree has does not
// change. The index, which makes it seen, comes last.
func AddToTree(root, dir string, r *release.Release) error {
	index, err := readIndex(root, r.Name)
	if err != nil {
		return err
	}
	path := filepath.Join(root, r.Version)
	manifest := release.ManifestName(r.Name, r.Version)
	there, err := os.ReadFile(filepath.Join(path, manifest))
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = rundir.WriteDir(path, func(fresh string) error {
			for _, file := range Files(r) {
				if err := copyFile(filepath.Join(dir, file), filepath.Join(fresh, file)); err != nil {
					return err
				}
			}
			return nil
		})
	case err == nil:
		err = sameManifest(there, filepath.Join(dir, manifest), root, r)
	}
	if err != nil {
		return err
	}
	if slices.Contains(index.Versions, r.Version) {
		return nil
	}
	index.Versions = append(index.Versions, r.Version)
	data, err := index.Encode()
	if err != nil {
		return err
	}
	return rundir.WriteFile(filepath.Join(root, release.IndexName), data)
}

func readIndex(root, name string) (*release.Index, error) {
	path := filepath.Join(root, release.IndexName)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return &release.Index{Name: name}, nil
	}
	if err != nil {
		return nil, err
	}
	index, err := release.DecodeIndex(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", root, err)
	}
	if index.Name != name {
		return nil, fault.New(fault.BadInput, "the tree %s holds the plugin %s; each plugin has a tree of its own", root, index.Name)
	}
	return index, nil
}

func sameManifest(there []byte, path, root string, r *release.Release) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(data, there) {
		return fault.New(fault.BadInput, "the tree %s holds another release %s", root, r.Version).WithHint(
			"a release that is published does not change: make a new version")
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
