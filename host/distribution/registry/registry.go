// Package registry keeps releases of plugins in a registry of containers, as OCI
// artifacts: a repository for each plugin, a tag for each version, a layer for each
// file of the release under its own name. Any client of OCI artifacts can copy, sign
// and list them.
//
// The formats are the OCI's image specification 1.1 and distribution specification 1.1.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/honeml/hone/host/distribution/internal/web"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
)

// ArtifactType is the type of the artifact that a release is.
const ArtifactType = "application/vnd.hone.plugin.v1"

// The types of its layers.
const (
	manifestType  = "application/vnd.hone.plugin.manifest.v1+json"
	signatureType = "application/vnd.hone.plugin.signature.v1"
	tarGzType     = "application/vnd.hone.plugin.archive.v1.tar+gzip"
	zipType       = "application/vnd.hone.plugin.archive.v1+zip"
)

// The bounds of what a registry is listened to.
const (
	maxManifestBytes = 1 << 20
	maxTagPages      = 100
)

// A Repository is one in a registry. It may be used by several goroutines.
type Repository struct {
	repo *remote.Repository
}

// Open is the repository at location, REGISTRY/REPOSITORY; nothing is asked yet.
// Credentials are those of docker login and its like, for that registry alone.
func Open(client *web.Client, location string) (*Repository, error) {
	repo, err := remote.NewRepository(location)
	if err != nil {
		return nil, fault.New(fault.BadInput, "registry %s: %w", location, err)
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, fault.New(fault.BadInput, "the credentials for registries cannot be read: %w", err)
	}
	authorised := &auth.Client{Client: client.Client, Cache: auth.NewCache(), Credential: credentials.Credential(store)}
	authorised.SetUserAgent("hone")
	host, _, _ := strings.Cut(location, "/")
	if repo.PlainHTTP = isLoopback(host); repo.PlainHTTP {
		authorised.BlockedRealmPrefixes = []netip.Prefix{} // its tokens come from this machine too
	}
	repo.Client = authorised
	repo.TagListMaxPages = maxTagPages
	repo.SkipReferrersGC = true
	return &Repository{repo}, nil
}

func isLoopback(host string) bool {
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		name = host[:i]
	}
	return web.Loopback(strings.Trim(name, "[]"))
}

// Tags lists the repository's tags.
func (r *Repository) Tags(ctx context.Context) ([]string, error) {
	var all []string
	err := r.repo.Tags(ctx, "", func(tags []string) error {
		all = append(all, tags...)
		return nil
	})
	return all, r.explain(err)
}

// An Artifact is what stands under a tag: the files of a release.
type Artifact struct {
	repository *Repository
	layers     map[string]ocispec.Descriptor
}

// Artifact is that of a tag; the error is an fs.ErrNotExist where there is none.
func (r *Repository) Artifact(ctx context.Context, tag string) (*Artifact, error) {
	d, data, err := oras.FetchBytes(ctx, r.repo, tag, oras.FetchBytesOptions{MaxBytes: maxManifestBytes})
	if err != nil {
		return nil, r.explain(err)
	}
	a := &Artifact{repository: r, layers: map[string]ocispec.Descriptor{}}
	return a, a.read(tag, d, data)
}

func (a *Artifact) read(tag string, d ocispec.Descriptor, data []byte) error {
	var m ocispec.Manifest
	if d.MediaType != ocispec.MediaTypeImageManifest || json.Unmarshal(data, &m) != nil || m.ArtifactType != ArtifactType {
		return fault.New(fault.BadInput, "what stands under the tag %s is no release of a plugin", tag)
	}
	for _, layer := range m.Layers {
		file := layer.Annotations[ocispec.AnnotationTitle]
		if _, twice := a.layers[file]; twice {
			return fault.New(fault.BadInput, "the artifact %s holds %.120q twice", tag, file)
		}
		a.layers[file] = layer
	}
	return nil
}

// Files are the names of the artifact's files, sorted.
func (a *Artifact) Files() []string { return slices.Sorted(maps.Keys(a.layers)) }

// Open reads a file from a byte on; one that is not there is an fs.ErrNotExist.
func (a *Artifact) Open(ctx context.Context, file string, from int64) (io.ReadCloser, error) {
	layer, ok := a.layers[file]
	if !ok {
		return nil, fs.ErrNotExist
	}
	body, err := a.repository.repo.Blobs().Fetch(ctx, layer)
	if err != nil {
		return nil, a.repository.explain(err)
	}
	if from == 0 {
		return body, nil
	}
	if seeker, ok := body.(io.Seeker); ok {
		_, err = seeker.Seek(from, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, body, from)
	}
	if err != nil {
		_ = body.Close()
		return nil, a.repository.explain(err)
	}
	return body, nil
}

const loginHint = "log in with docker login %s, or an equivalent: hone uses the credentials that it keeps"

// explain makes what is not there an fs.ErrNotExist, and says how to log in.
func (r *Repository) explain(err error) error {
	if err == nil {
		return nil
	}
	host := r.repo.Reference.Registry
	var answer *errcode.ErrorResponse
	switch {
	case errors.Is(err, errdef.ErrNotFound):
		return fs.ErrNotExist
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return fault.New(fault.BadInput, "%s wants a name and a password", host).WithHint(loginHint, host)
	case !errors.As(err, &answer):
		return web.Explain(err)
	case answer.StatusCode == http.StatusNotFound:
		return fs.ErrNotExist
	}
	said := fmt.Sprintf("%s answers %d %s", host, answer.StatusCode, http.StatusText(answer.StatusCode))
	if len(answer.Errors) > 0 {
		said += ": " + answer.Errors.Error()
	}
	refused := fault.New(fault.BadInput, "%s", said)
	if answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden {
		return refused.WithHint(loginHint, host)
	}
	return refused
}

// layerType is the type of a layer that holds a file of a release.
func layerType(file string) string {
	switch {
	case strings.HasSuffix(file, release.ManifestSuffix):
		return manifestType
	case strings.HasSuffix(file, release.SignatureSuffix):
		return signatureType
	case strings.HasSuffix(file, string(release.Zip)):
		return zipType
	}
	return tarGzType
}
