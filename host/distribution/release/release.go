// Package release is what a plugin's author publishes: for each version a
// manifest, a signature of it, and an archive for each platform. It knows how
// these files are called, written, read and checked, and nothing of where they
// come from: that is package source.
//
// # The files of a release
//
//	hone-plugin-model-apertus_1.2.0_manifest.json           a [Release], signed
//	hone-plugin-model-apertus_1.2.0_manifest.json.minisig   the signature, if there is one
//	hone-plugin-model-apertus_1.2.0_linux_amd64.tar.gz      the binary, LICENSE, README.md
//	hone-plugin-model-apertus_1.2.0_windows_amd64.zip
//
// The manifest names each archive with its size and SHA-256, and those of the
// binary in it. So one signature vouches for everything, and what a lock file pins,
// the binary's hash, is known for every platform without fetching an archive.
//
// # Who is trusted
//
// The manifest carries the public key that signed it. That says that one author
// made all releases with this key, not who that is: who installs pins the key at
// first use, and [CheckKey] compares.
package release

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/plugin"
)

// A Release is a version of a plugin as its manifest describes it.
type Release struct {
	Name     string // the plugin's full name: model-apertus
	Version  string // semantic, without v: 1.2.0
	Protocol int    // the version of the protocol that the plugin speaks
	SDK      string // the version of the SDK that it was built with; "": not known
	Builds   map[Platform]Build
	Key      Key // that signed the manifest; "": nobody did
}

// A Build is a release on one platform.
type Build struct {
	Archive       string // the file's name
	ArchiveSize   int64
	ArchiveSHA256 SHA256
	BinarySize    int64
	BinarySHA256  SHA256
}

// SHA256 is a hash; as text it is in hexadecimal.
type SHA256 [sha256.Size]byte

// String is the hash in hexadecimal.
func (h SHA256) String() string { return hex.EncodeToString(h[:]) }

// MarshalText is String.
func (h SHA256) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 64 lower-case hexadecimal digits.
func (h *SHA256) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != sha256.Size || string(text) != strings.ToLower(string(text)) {
		return fmt.Errorf("%.80q is no SHA-256 in 64 lower-case hexadecimal digits", text)
	}
	copy(h[:], raw)
	return nil
}

// HashFile is the size and the hash of a file.
func HashFile(path string) (size int64, sum SHA256, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, sum, err
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return 0, sum, err
	}
	return size, SHA256(h.Sum(nil)), nil
}

// Build is the release's build for a platform; the error is a [*PlatformError].
func (r *Release) Build(p Platform) (Build, error) {
	b, ok := r.Builds[p]
	if !ok {
		return Build{}, &PlatformError{Release: r.String(), Platform: p, Have: r.Platforms()}
	}
	return b, nil
}

// Platforms are those that the release has builds for, sorted.
func (r *Release) Platforms() []Platform { return slices.Sorted(maps.Keys(r.Builds)) }

// String is the plugin's name and the version.
func (r *Release) String() string { return r.Name + " " + r.Version }

// A PlatformError says that a release has no build for a platform.
type PlatformError struct {
	Release  string
	Platform Platform
	Have     []Platform
}

// Error names the platforms that there are.
func (e *PlatformError) Error() string {
	have := make([]string, len(e.Have))
	for i, p := range e.Have {
		have[i] = string(p)
	}
	return fmt.Sprintf("%s has no build for %s; it has %s", e.Release, e.Platform, strings.Join(have, ", "))
}

// The bounds of what a manifest may claim.
const (
	MaxManifestBytes  = 256 << 10
	MaxSignatureBytes = 4 << 10
	MaxArchiveBytes   = 2 << 30
	MaxBinaryBytes    = 4 << 30
	maxBuilds         = 64
)

// CheckName refuses what is not the full name of a plugin, such as model-apertus.
func CheckName(name string) error {
	if _, _, ok := plugin.ParseName(name); !ok {
		return fault.New(fault.BadInput, "%.80q is no name of a plugin, which is %s", name, plugin.NameRule)
	}
	return nil
}

// CheckVersion refuses what is not a semantic version, MAJOR.MINOR.PATCH, perhaps
// with a pre-release. Build metadata, which orders nothing and cannot stand in a tag
// of a registry, is refused too.
func CheckVersion(version string) error {
	if v := "v" + version; len(version) > 64 || semver.Canonical(v) != v {
		return fault.New(fault.BadInput, "%.80q is no version, which is MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRERELEASE", version)
	}
	return nil
}

// CompareVersions orders versions as semantic versioning does.
func CompareVersions(a, b string) int { return semver.Compare("v"+a, "v"+b) }

// SortVersions brings versions into the order of sources, newest first, each once.
func SortVersions(versions []string) []string {
	slices.SortFunc(versions, func(a, b string) int { return CompareVersions(b, a) })
	return slices.Compact(versions)
}

// BinaryName is the file name of a plugin's binary on a platform.
func BinaryName(name string, p Platform) string {
	if p.OS() == "windows" {
		return plugin.FilePrefix + name + ".exe"
	}
	return plugin.FilePrefix + name
}

// The ends of the files' names.
const (
	ManifestSuffix  = "_manifest.json"
	SignatureSuffix = ".minisig" // behind the manifest's name
)

func base(name, version string) string { return plugin.FilePrefix + name + "_" + version }

// ManifestName is the file name of a release's manifest.
func ManifestName(name, version string) string { return base(name, version) + ManifestSuffix }

// ParseManifestName is the inverse of [ManifestName].
func ParseManifestName(file string) (name, version string, ok bool) {
	stem, ok := strings.CutSuffix(file, ManifestSuffix)
	if !ok {
		return "", "", false
	}
	return parseBase(stem)
}

// ArchiveName is the file name of a release's archive for a platform as hone packs
// it. An author may choose the other format.
func ArchiveName(name, version string, p Platform) string {
	format := TarGz
	if p.OS() == "windows" {
		format = Zip
	}
	return base(name, version) + "_" + string(p) + string(format)
}

// ParseArchiveName reads the name of an archive.
func ParseArchiveName(file string) (name, version string, p Platform, ok bool) {
	stem, ok := strings.CutSuffix(file, string(formatOf(file)))
	if !ok || stem == file {
		return "", "", "", false
	}
	arch := strings.LastIndexByte(stem, '_')
	if arch < 0 {
		return "", "", "", false
	}
	os := strings.LastIndexByte(stem[:arch], '_')
	if os < 0 {
		return "", "", "", false
	}
	p, err := ParsePlatform(stem[os+1:])
	if err != nil {
		return "", "", "", false
	}
	name, version, ok = parseBase(stem[:os])
	return name, version, p, ok
}

// parseBase reads hone-plugin-NAME_VERSION. A name may hold _, a version not.
func parseBase(stem string) (name, version string, ok bool) {
	stem, ok = strings.CutPrefix(stem, plugin.FilePrefix)
	at := strings.LastIndexByte(stem, '_')
	if !ok || at < 0 {
		return "", "", false
	}
	name, version = stem[:at], stem[at+1:]
	return name, version, CheckName(name) == nil && CheckVersion(version) == nil
}
