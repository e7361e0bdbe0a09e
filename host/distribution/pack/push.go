package pack

import (
	"context"

	"github.com/honeml/hone/host/distribution/internal/web"
	"github.com/honeml/hone/host/distribution/registry"
	"github.com/honeml/hone/host/distribution/release"
)

// Push brings a release, whose files lie in the folder dir, into the repository of a
// registry, REGISTRY/REPOSITORY, under its version as the tag.
func Push(ctx context.Context, location, dir string, r *release.Release) error {
	repository, err := registry.Open(web.NewClient(0), location)
	if err != nil {
		return err
	}
	return repository.Push(ctx, r.Version, dir, Files(r))
}
