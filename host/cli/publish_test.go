package cli_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/plugin"
)

// publish puts the release of a plugin into a folder. Its binary is a built plugin,
// with the version behind its end, so that each version is another file:
//
//	publish [-key FILE] [-protocol N] [-for PLATFORM] model-llama model-stranger 1.2.0 FOLDER
//
// It is packed in haste: what hone plugins pack does is tested elsewhere.
func publish(ts *testscript.TestScript, neg bool, args []string) {
	r := &release.Release{Protocol: plugin.ProtocolVersion, Builds: map[release.Platform]release.Build{}}
	platform := release.Here()
	var key *release.SigningKey
	for len(args) > 4 {
		var err error
		switch args[0] {
		case "-key":
			key, err = release.ReadSigningKey([]byte(ts.ReadFile(args[1])), nil)
		case "-protocol":
			r.Protocol, err = strconv.Atoi(args[1])
		case "-for":
			platform = release.Platform(args[1])
		default:
			ts.Fatalf("publish has no %s", args[0])
		}
		ts.Check(err)
		args = args[2:]
	}
	if neg || len(args) != 4 {
		ts.Fatalf("usage: publish [-key FILE] [-protocol N] [-for PLATFORM] PLUGIN NAME VERSION FOLDER")
	}
	r.Name, r.Version = args[1], args[2]
	folder := ts.MkAbs(args[3])
	binary, err := os.ReadFile(filepath.Join(built, plugin.FilePrefix+args[0]))
	ts.Check(err)
	binary = slices.Concat(binary, []byte(r.Version))
	archive := pack(ts, release.BinaryName(r.Name, platform), binary)
	b := release.Build{
		Archive: release.ArchiveName(r.Name, r.Version, platform), ArchiveSize: int64(len(archive)), ArchiveSHA256: sha256.Sum256(archive),
		BinarySize: int64(len(binary)), BinarySHA256: sha256.Sum256(binary),
	}
	r.Builds[platform] = b
	if key != nil {
		r.Key = key.Public()
	}
	manifest, err := r.Encode()
	ts.Check(err)
	ts.Check(os.MkdirAll(folder, 0o755))
	ts.Check(os.WriteFile(filepath.Join(folder, b.Archive), archive, 0o644))
	path := filepath.Join(folder, release.ManifestName(r.Name, r.Version))
	ts.Check(os.WriteFile(path, manifest, 0o644))
	if key != nil {
		ts.Check(os.WriteFile(path+release.SignatureSuffix, key.Sign(manifest, r), 0o644))
	}
}

func pack(ts *testscript.TestScript, name string, binary []byte) []byte {
	var out bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	ts.Check(err)
	archive := tar.NewWriter(compressed)
	ts.Check(archive.WriteHeader(&tar.Header{Name: name, Size: int64(len(binary)), Mode: 0o755, Format: tar.FormatUSTAR}))
	_, err = archive.Write(binary)
	ts.Check(err)
	ts.Check(archive.Close())
	ts.Check(compressed.Close())
	return out.Bytes()
}

// keygen makes a key of minisign: its private half in a file, its public one in a
// variable.
//
//	keygen alice.key ALICE
func keygen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keygen FILE VARIABLE")
	}
	public, private, err := release.GenerateKey("")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), private, 0o600))
	ts.Setenv(args[1], string(public))
	ts.Setenv(args[1]+"_ID", public.ID())
}
