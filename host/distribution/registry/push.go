package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"

	"github.com/honeml/hone/sdk/fault"
)

// created is the time of every artifact: the same files give the same artifact.
const created = "1980-01-01T00:00:00Z"

// Push brings files of the folder dir into the repository, as the artifact under a
// tag. What is there already is not sent again; a tag that stands for something else
// is an error, for a release that others have pinned does not change.
func (r *Repository) Push(ctx context.Context, tag, dir string, files []string) error {
	layers := make([]ocispec.Descriptor, len(files))
	for i, file := range files {
		var err error
		if layers[i], err = describe(dir, file); err != nil {
			return err
		}
	}
	there, err := r.repo.Resolve(ctx, tag)
	if err = r.explain(err); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	exists := err == nil
	options := oras.PackManifestOptions{Layers: layers, ManifestAnnotations: map[string]string{ocispec.AnnotationCreated: created}}
	if exists {
		// Packed in memory, to compare.
		d, err := oras.PackManifest(ctx, memory.New(), oras.PackManifestVersion1_1, ArtifactType, options)
		if err != nil {
			return err
		}
		if d.Digest == there.Digest {
			return nil
		}
		return fault.New(fault.BadInput, "%s holds another release as %s", r.repo.Reference.Repository, tag).WithHint(
			"a release that is published does not change: make a new version")
	}
	for i, file := range files {
		if err := r.pushFile(ctx, layers[i], filepath.Join(dir, file)); err != nil {
			return fmt.Errorf("%s: %w", file, r.explain(err))
		}
	}
	d, err := oras.PackManifest(ctx, r.repo, oras.PackManifestVersion1_1, ArtifactType, options)
	if err != nil {
		return r.explain(err)
	}
	return r.explain(r.repo.Tag(ctx, d, tag))
}

func (r *Repository) pushFile(ctx context.Context, d ocispec.Descriptor, path string) error {
	if there, err := r.repo.Exists(ctx, d); err != nil || there {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return r.repo.Push(ctx, d, f)
}

// describe is the layer of a file.
func describe(dir, file string) (ocispec.Descriptor, error) {
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	sum, err := digest.FromReader(f)
	return ocispec.Descriptor{
		MediaType: layerType(file), Digest: sum, Size: info.Size(),
		Annotations: map[string]string{ocispec.AnnotationTitle: file},
	}, err
}
