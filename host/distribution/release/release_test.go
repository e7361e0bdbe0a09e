package release_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
)

const linux = release.Platform("linux_amd64")

// example is a release with a build that does not exist.
func example() *release.Release {
	return &release.Release{
		Name: "model-apertus", Version: "1.2.0", Protocol: 1, SDK: "v0.5.0",
		Builds: map[release.Platform]release.Build{
			linux: {
				Archive: "hone-plugin-model-apertus_1.2.0_linux_amd64.tar.gz", ArchiveSize: 1000, ArchiveSHA256: release.SHA256{1},
				BinarySize: 3000, BinarySHA256: release.SHA256{2},
			},
			"windows_386": {
				Archive: "hone-plugin-model-apertus_1.2.0_windows_386.zip", ArchiveSize: 1001, ArchiveSHA256: release.SHA256{3},
				BinarySize: 3001, BinarySHA256: release.SHA256{4},
			},
		},
	}
}

func unsigned() ([]byte, error) { return nil, fs.ErrNotExist }

func TestManifest(t *testing.T) {
	data, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	r, err := release.Decode(data, unsigned)
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Encode()
	if err != nil || string(again) != string(data) {
		t.Errorf("read and written again it is\n%s\nit was\n%s", again, data)
	}
	if got := r.Platforms(); !slices.Equal(got, []release.Platform{linux, "windows_386"}) {
		t.Errorf("platforms %q", got)
	}
}

func TestManifestRefused(t *testing.T) {
	data, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ from, to, says string }{
		{`"format": 1`, `"format": 2, "new": true`, "it is of format 2, and this hone reads format 1"},
		{`"format": 1`, `"format": 1, "new": true`, `unknown field "new"`},
		{`"name": "model-apertus"`, `"name": "model-../x"`, "no name of a plugin"},
		{`"name": "model-apertus"`, `"name": "apertus"`, "no name of a plugin"},
		{`"version": "1.2.0"`, `"version": "../1.2.0"`, "no version"},
		{`"version": "1.2.0"`, `"version": "v1.2.0"`, "no version"},
		{`"version": "1.2.0"`, `"version": "1.2.0+linux"`, "no version"},
		{`"version": "1.2.0"`, `"version": "1.3.0"`, "is not the name of its archive"},
		{`"protocol": 1`, `"protocol": 0`, "no version of the protocol"},
		{`"linux_amd64": {`, `"linux/amd64": {`, "is written linux_amd64 in a manifest"},
		{`"linux_amd64": {`, `"linux_arm64": {`, "is not the name of its archive"},
		{`"linux_amd64": {`, `"../../..": {`, "no platform"},
		{"hone-plugin-model-apertus_1.2.0_linux_amd64.tar.gz", "../hone-plugin-model-apertus_1.2.0_linux_amd64.tar.gz", "is not the name of its archive"},
		{"hone-plugin-model-apertus_1.2.0_linux_amd64.tar.gz", "hone-plugin-model-apertus_1.2.0_linux_amd64.rar", "is not the name of its archive"},
		{`"archive_size": 1000`, `"archive_size": -1`, "an archive of -1 bytes"},
		{`"archive_size": 1000`, `"archive_size": 99999999999999`, "an archive of 99999999999999 bytes"},
		{`"archive_size": 1000`, `"archive_size": 1e99`, "cannot unmarshal"},
		{`"binary_size": 3000`, `"binary_size": 0`, "a binary of 0 bytes"},
		{`"binary_sha256": "02`, `"binary_sha256": "0`, "no SHA-256"},
		{`"binary_sha256": "02000000`, `"binary_sha256": "0200000A`, "no SHA-256"},
		{`"protocol": 1`, `"protocol": 1, "public_key": "RWQ"`, "no public key of minisign"},
		{"\n}\n", "\n}{}\n", "after top-level value"},
		{`{`, `[`, "cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.to, func(t *testing.T) {
			changed := strings.Replace(string(data), tt.from, tt.to, 1)
			if changed == string(data) {
				t.Fatal("nothing was changed")
			}
			_, err := release.Decode([]byte(changed), unsigned)
			if !errors.Is(err, fault.BadInput) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
	if _, err := release.Decode(make([]byte, release.MaxManifestBytes+1), unsigned); err == nil {
		t.Error("a manifest without end is read")
	}
	empty := example()
	empty.Builds = nil
	if _, err := empty.Encode(); err == nil {
		t.Error("a release for no platform is written")
	}
}

func TestNames(t *testing.T) {
	tests := []struct {
		file          string
		name, version string
		platform      release.Platform
	}{
		{"hone-plugin-model-apertus_1.2.0_linux_amd64.tar.gz", "model-apertus", "1.2.0", "linux_amd64"},
		{"hone-plugin-my_own-kernels_1.2.0-rc.1_windows_386.zip", "my_own-kernels", "1.2.0-rc.1", "windows_386"},
		{"hone-plugin-model-apertus_1.2.0_linux_amd64", "", "", ""},
		{"hone-plugin-model-apertus_1.2_linux_amd64.zip", "", "", ""},
		{"hone-plugin-model-apertus_linux_amd64.zip", "", "", ""},
		{"hone-plugin-apertus_1.2.0_linux_amd64.zip", "", "", ""},
		{"model-apertus_1.2.0_linux_amd64.zip", "", "", ""},
		{"a/hone-plugin-model-apertus_1.2.0_linux_amd64.zip", "", "", ""},
		{".zip", "", "", ""},
	}
	for _, tt := range tests {
		name, version, p, ok := release.ParseArchiveName(tt.file)
		if ok != (tt.name != "") || ok && (name != tt.name || version != tt.version || p != tt.platform) {
			t.Errorf("%s: got %q, %q, %q, %v", tt.file, name, version, p, ok)
		}
		if ok && release.ArchiveName(name, version, p) != tt.file {
			t.Errorf("%s is written %s", tt.file, release.ArchiveName(name, version, p))
		}
	}
	file := release.ManifestName("model-apertus", "1.2.0")
	if name, version, ok := release.ParseManifestName(file); !ok || name != "model-apertus" || version != "1.2.0" {
		t.Errorf("%s: got %q, %q, %v", file, name, version, ok)
	}
	sorted := release.SortVersions([]string{"1.2.0", "1.10.0", "1.10.0-rc.1", "1.2.0"})
	if !slices.Equal(sorted, []string{"1.10.0", "1.10.0-rc.1", "1.2.0"}) {
		t.Errorf("sorted %q", sorted)
	}
}

func TestIndex(t *testing.T) {
	x := &release.Index{Name: "model-apertus", Versions: []string{"1.2.0", "1.10.0", "1.2.0"}}
	data, err := x.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := release.DecodeIndex(data)
	if err != nil || read.Name != "model-apertus" || !slices.Equal(read.Versions, []string{"1.10.0", "1.2.0"}) {
		t.Errorf("got %+v, %v", read, err)
	}
	for _, bad := range []string{"", "{}", `{"format":1,"name":"x"}`, `{"format":1,"name":"model-x","versions":["../1.0.0"]}`, `{"format":1,"name":"model-x","more":1}`} {
		if _, err := release.DecodeIndex([]byte(bad)); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

// golden reads a file that the program minisign wrote: testdata/sign.sh.
func golden(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestMinisign reads what minisign wrote, and signs as it does.
func TestMinisign(t *testing.T) {
	manifest, signature := golden(t, "manifest.json"), golden(t, "manifest.json.minisig")
	r, err := release.Decode(manifest, func() ([]byte, error) { return signature, nil })
	if err != nil {
		t.Fatal(err)
	}
	public, err := release.ParseKey(string(golden(t, "key.pub")))
	if err != nil {
		t.Fatal(err)
	}
	if r.Key != public || !strings.Contains(string(golden(t, "key.pub")), public.ID()) {
		t.Errorf("signed by %s, the key is %s", r.Key, public)
	}
	key, err := release.ReadSigningKey(golden(t, "key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if key.Public() != public {
		t.Errorf("the private key belongs to %s", key.Public())
	}
	if got := lines(key.Sign(manifest, r)); got != lines(signature) {
		t.Errorf("signed anew it is\n%s\nminisign wrote\n%s", got, lines(signature))
	}
}

// lines is a signature without its first line, the untrusted comment.
func lines(signature []byte) string {
	_, rest, _ := strings.Cut(string(signature), "\n")
	return rest
}

func TestSignatures(t *testing.T) {
	sign := func(r *release.Release) (*release.SigningKey, []byte, []byte) {
		_, file, err := release.GenerateKey("")
		if err != nil {
			t.Fatal(err)
		}
		key, err := release.ReadSigningKey(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Key = key.Public()
		manifest, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return key, manifest, key.Sign(manifest, r)
	}
	alice, manifest, signature := sign(example())
	bob, _, bobs := sign(example())
	tests := []struct {
		name                string
		manifest, signature string
		says                string
	}{
		{"as it should be", string(manifest), string(signature), ""},
		{"a byte of the manifest", strings.Replace(string(manifest), `"binary_sha256": "02`, `"binary_sha256": "03`, 1), string(signature), "does not verify"},
		{"the trusted comment", string(manifest), strings.Replace(string(signature), "trusted comment: model-apertus 1.2.0", "trusted comment: model-apertus 1.2.1", 1), "does not verify"},
		{"another's signature", string(manifest), string(bobs), "it is signed by key " + bob.Public().ID() + ", and names key " + alice.Public().ID()},
		{"nonsense", string(manifest), "nonsense", "no signature of minisign"},
		{"nothing", string(manifest), "", "no signature of minisign"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.says != "" && tt.manifest == string(manifest) && tt.signature == string(signature) {
				t.Fatal("nothing was changed")
			}
			_, err := release.Decode([]byte(tt.manifest), func() ([]byte, error) { return []byte(tt.signature), nil })
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
	if _, err := release.Decode(manifest, unsigned); err == nil || !strings.Contains(err.Error(), "its signature hone-plugin-model-apertus_1.2.0_manifest.json.minisig is missing") {
		t.Errorf("without a signature: %v", err)
	}
	interrupted := errors.New("the line is down")
	if _, err := release.Decode(manifest, func() ([]byte, error) { return nil, interrupted }); !errors.Is(err, interrupted) {
		t.Errorf("a signature that cannot be fetched: %v", err)
	}

	signed, plain := example(), example()
	signed.Key = alice.Public()
	for _, tt := range []struct {
		name   string
		r      *release.Release
		pinned release.Key
		says   string
	}{
		{"nothing pinned", signed, "", ""},
		{"nothing pinned, not signed", plain, "", ""},
		{"the same key", signed, alice.Public(), ""},
		{"another key", signed, bob.Public(), "is signed by key " + alice.Public().ID() + "; earlier it was signed by key " + bob.Public().ID()},
		{"no longer signed", plain, bob.Public(), "is not signed; earlier it was signed by key " + bob.Public().ID()},
	} {
		err := release.CheckKey(tt.r, tt.pinned)
		var keys *release.KeyError
		if (err == nil) != (tt.says == "") || err != nil && (!errors.As(err, &keys) || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.says)
		}
	}
}

func FuzzDecode(f *testing.F) {
	data, err := example().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, []byte("untrusted comment: x\n"))
	signed, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed, []byte(nil))
	f.Add([]byte(`{"format":1,"name":"model-x","versions":["1.0.0"]}`), []byte(nil))
	f.Fuzz(func(t *testing.T, data, signature []byte) {
		_, _ = release.DecodeIndex(data)
		r, err := release.Decode(data, func() ([]byte, error) { return signature, nil })
		if err != nil {
			return
		}
		if _, err := r.Encode(); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		for p, b := range r.Builds {
			for _, file := range []string{b.Archive, release.ManifestName(r.Name, r.Version), release.BinaryName(r.Name, p), string(p), r.Version} {
				if !filepath.IsLocal(file) || filepath.Base(file) != file {
					t.Errorf("%q leads elsewhere", file)
				}
			}
		}
		r.Key = ""
		again, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := release.Decode(again, unsigned); err != nil {
			t.Errorf("what was written cannot be read: %v", err)
		}
	})
}
