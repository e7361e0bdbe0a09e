package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/honeml/hone/sdk/fault"
)

// manifestFormat is the version of the manifest's own layout.
const manifestFormat = 1

type manifest struct {
	Format    int                      `json:"format"`
	Name      string                   `json:"name"`
	Version   string                   `json:"version"`
	Protocol  int                      `json:"protocol"`
	SDK       string                   `json:"sdk,omitempty"`
	PublicKey string                   `json:"public_key,omitempty"`
	Platforms map[string]manifestBuild `json:"platforms"`
}

type manifestBuild struct {
	Archive       string `json:"archive"`
	ArchiveSize   int64  `json:"archive_size"`
	ArchiveSHA256 SHA256 `json:"archive_sha256"`
	BinarySize    int64  `json:"binary_size"`
	BinarySHA256  SHA256 `json:"binary_sha256"`
}

// Encode is r's manifest. The same release gives the same bytes.
func (r *Release) Encode() ([]byte, error) {
	m := manifest{
		Format: manifestFormat, Name: r.Name, Version: r.Version, Protocol: r.Protocol, SDK: r.SDK,
		PublicKey: string(r.Key), Platforms: map[string]manifestBuild{},
	}
	for p, b := range r.Builds {
		m.Platforms[string(p)] = manifestBuild(b)
	}
	if _, err := m.release(); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

// Decode reads a manifest and checks it: every name in it is safe to use as a file's,
// and the signature is that of the key that it names. signature, which is asked for
// where the manifest names a key, may answer an fs.ErrNotExist.
func Decode(data []byte, signature func() ([]byte, error)) (*Release, error) {
	if len(data) > MaxManifestBytes {
		return nil, fault.New(fault.BadInput, "a manifest of more than %d bytes", MaxManifestBytes)
	}
	m := new(manifest)
	if err := decodeStrict(data, m); err != nil {
		return nil, fault.New(fault.BadInput, "the manifest cannot be read: %w", err)
	}
	r, err := m.release()
	if err != nil {
		return nil, fault.New(fault.BadInput, "the manifest is wrong: %w", err)
	}
	if r.Key == "" {
		return r, nil
	}
	signed, err := signature()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("it names key %s, and its signature %s is missing", r.Key.ID(), ManifestName(r.Name, r.Version)+SignatureSuffix)
	case err != nil:
		return nil, err
	default:
		err = r.Key.verify(data, signed)
	}
	if err != nil {
		return nil, fault.New(fault.BadInput, "the manifest of %s cannot be trusted: %v", r, err)
	}
	return r, nil
}

// decodeStrict reads one JSON object of format [manifestFormat], without unknown fields.
func decodeStrict(data []byte, into any) error {
	// A later format may have other fields: it is named before they are complained of.
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	if head.Format != manifestFormat {
		return fmt.Errorf("it is of format %d, and this hone reads format %d", head.Format, manifestFormat)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into) // nothing follows: Unmarshal would have said so
}

// release checks m.
func (m *manifest) release() (*Release, error) {
	r := &Release{Name: m.Name, Version: m.Version, Protocol: m.Protocol, SDK: m.SDK, Builds: map[Platform]Build{}}
	if err := CheckName(m.Name); err != nil {
		return nil, err
	}
	if err := CheckVersion(m.Version); err != nil {
		return nil, err
	}
	if m.PublicKey != "" {
		key, err := ParseKey(m.PublicKey)
		if err != nil {
			return nil, err
		}
		r.Key = key
	}
	switch {
	case m.Protocol < 1 || m.Protocol > 1000:
		return nil, fmt.Errorf("%d is no version of the protocol", m.Protocol)
	case len(m.SDK) > 100:
		return nil, fmt.Errorf("%.80q… is no version of the SDK", m.SDK)
	case len(m.Platforms) == 0:
		return nil, errors.New("it lists no platform")
	case len(m.Platforms) > maxBuilds:
		return nil, fmt.Errorf("it lists %d platforms; at most %d can be", len(m.Platforms), maxBuilds)
	}
	for text, b := range m.Platforms {
		p, err := ParsePlatform(text)
		if err != nil {
			return nil, err
		}
		if string(p) != text {
			return nil, fmt.Errorf("platform %q is written %s in a manifest", text, p)
		}
		build := Build(b)
		if err := build.check(r, p); err != nil {
			return nil, fmt.Errorf("platform %s: %w", p, err)
		}
		r.Builds[p] = build
	}
	return r, nil
}

// check refuses an archive under another name than its own, so that no name in a
// manifest reaches beyond its release, and sizes without measure.
func (b *Build) check(r *Release, p Platform) error {
	name, version, platform, ok := ParseArchiveName(b.Archive)
	if !ok || name != r.Name || version != r.Version || platform != p {
		return fmt.Errorf("%.120q is not the name of its archive, which would be %s", b.Archive, ArchiveName(r.Name, r.Version, p))
	}
	if b.ArchiveSize < 1 || b.ArchiveSize > MaxArchiveBytes {
		return fmt.Errorf("an archive of %d bytes", b.ArchiveSize)
	}
	if b.BinarySize < 1 || b.BinarySize > MaxBinaryBytes {
		return fmt.Errorf("a binary of %d bytes", b.BinarySize)
	}
	return nil
}
