package source

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"

	"github.com/honeml/hone/host/distribution/registry"
	"github.com/honeml/hone/sdk/fault"
)

// artifacts is the releases in a repository of a registry.
type artifacts struct {
	repository *registry.Repository
	name       string // of the plugin; "": the only one that a release holds

	mu   sync.Mutex
	seen map[string]*registry.Artifact // by version
}

func (a *artifacts) versions(ctx context.Context) ([]string, error) {
	tags, err := a.repository.Tags(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.BadInput, "the registry knows no such repository")
	}
	return tags, err
}

func (a *artifacts) artifact(ctx context.Context, version string) (*registry.Artifact, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if artifact := a.seen[version]; artifact != nil {
		return artifact, nil
	}
	artifact, err := a.repository.Artifact(ctx, version)
	if err == nil {
		a.seen[version] = artifact
	}
	return artifact, err
}

func (a *artifacts) manifest(ctx context.Context, version string) (string, error) {
	artifact, err := a.artifact(ctx, version)
	if err != nil {
		return "", err
	}
	manifests, err := pickManifests(artifact.Files(), a.name)
	if err == nil && manifests[version] == "" {
		err = fault.New(fault.BadInput, "the artifact %s has no manifest of a plugin", version)
	}
	return manifests[version], err
}

func (a *artifacts) open(ctx context.Context, version, file string, from int64) (io.ReadCloser, error) {
	artifact, err := a.artifact(ctx, version)
	if err != nil {
		return nil, err
	}
	return artifact.Open(ctx, file, from)
}
