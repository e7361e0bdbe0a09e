package release_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/distribution/release"
)

const program = "a program"

// entry is a file of an archive that a test makes.
type entry struct {
	name    string
	mode    fs.FileMode
	content string
	link    string
	kind    byte // of tar; 0: by mode
}

func tarGz(t testing.TB, entries []entry) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: int64(e.mode.Perm()), Size: int64(len(e.content)), Linkname: e.link, Typeflag: e.kind}
		switch {
		case e.kind != 0:
		case e.mode.IsDir():
			h.Typeflag = tar.TypeDir
		case e.mode&fs.ModeSymlink != 0:
			h.Typeflag = tar.TypeSymlink
		default:
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t testing.TB, entries []entry) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		content := e.content
		if e.link != "" {
			content = e.link
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// described is a release with one build, that of an archive that holds program.
func described(format release.Format) *release.Release {
	return &release.Release{Name: "model-apertus", Version: "1.2.0", Protocol: 1, Builds: map[release.Platform]release.Build{
		linux: {
			Archive:    "hone-plugin-model-apertus_1.2.0_linux_amd64" + string(format),
			BinarySize: int64(len(program)), BinarySHA256: sha256.Sum256([]byte(program)),
		},
	}}
}

func TestUnpack(t *testing.T) {
	const name = "hone-plugin-model-apertus"
	binary := entry{name: name, mode: 0o644, content: program}
	tests := []struct {
		name    string
		entries []entry
		has     []string // what is unpacked
		says    string
		tarOnly bool
	}{
		{name: "the binary alone", entries: []entry{binary}, has: []string{name}},
		{name: "as tar lists a folder", entries: []entry{{name: "./", mode: fs.ModeDir | 0o755}, {name: "./" + name, mode: 0o755, content: program}}, has: []string{name}},
		{name: "licence and more", entries: []entry{
			{name: "LICENSE", content: "as you like"}, {name: "docs/", mode: fs.ModeDir | 0o755}, {name: "docs/README.md"}, {name: "install.sh"}, binary, {name: "readme.txt"},
		}, has: []string{"LICENSE", name, "readme.txt"}},
		{name: "empty", says: "does not hold the binary " + name},
		{name: "in a folder", entries: []entry{{name: "x/" + name, content: program}}, says: "does not hold the binary"},
		{name: "twice", entries: []entry{binary, binary}, says: "the binary hone-plugin-model-apertus twice"},
		{name: "a text twice", entries: []entry{{name: "README"}, {name: "README"}, binary}, says: "holds README twice"},
		{name: "another binary", entries: []entry{{name: name, content: "b program"}}, says: "has SHA-256 "},
		{name: "a longer binary", entries: []entry{{name: name, content: program + program}}, says: "not of 9 bytes"},
		{name: "a shorter binary", entries: []entry{{name: name, content: "a"}}, says: "not of 9 bytes"},
		{name: "upwards", entries: []entry{binary, {name: "../evil"}}, says: `"../evil", leads elsewhere`},
		{name: "up in the middle", entries: []entry{binary, {name: "a/../../evil"}}, says: "leads elsewhere"},
		{name: "absolute", entries: []entry{binary, {name: "/etc/evil"}}, says: "leads elsewhere"},
		{name: "as Windows writes", entries: []entry{binary, {name: `..\evil`}}, says: "leads elsewhere"},
		{name: "a drive", entries: []entry{binary, {name: `C:evil`}}, says: "leads elsewhere"},
		{name: "a link", entries: []entry{{name: name, mode: fs.ModeSymlink | 0o777, link: "/bin/sh"}}, says: "is no plain file"},
		{name: "a link to write through", entries: []entry{{name: "README", mode: fs.ModeSymlink | 0o777, link: "/tmp/x"}, {name: "README"}, binary}, says: "is no plain file"},
		{name: "a hard link", entries: []entry{{name: name, link: "/bin/sh", kind: tar.TypeLink}}, says: "is no plain file", tarOnly: true},
		{name: "a device", entries: []entry{binary, {name: "README", kind: tar.TypeChar}}, says: "is no plain file", tarOnly: true},
		{name: "a pipe", entries: []entry{binary, {name: "README", kind: tar.TypeFifo}}, says: "is no plain file", tarOnly: true},
		{name: "a long text", entries: []entry{binary, {name: "README", content: strings.Repeat("x", 1<<20+1)}}, says: "more than 1048576 bytes"},
		{name: "much else", entries: []entry{{name: "x", content: strings.Repeat("x", 64<<20)}, {name: "y", content: "x"}, binary}, says: "beside the binary it holds more than", tarOnly: true},
		{name: "many files", entries: slices.Repeat([]entry{{name: "x"}}, 4097), says: "more than 4096 files"},
		{name: "many texts", entries: manyTexts(), says: "more than 16 licences and readmes"},
	}
	formats := map[release.Format]func(testing.TB, []entry) []byte{release.TarGz: tarGz, release.Zip: zipped}
	for _, tt := range tests {
		for format, write := range formats {
			if tt.tarOnly && format != release.TarGz {
				continue
			}
			t.Run(tt.name+string(format), func(t *testing.T) {
				archive := filepath.Join(t.TempDir(), "archive")
				if err := os.WriteFile(archive, write(t, tt.entries), 0o600); err != nil {
					t.Fatal(err)
				}
				parent := t.TempDir()
				dir := filepath.Join(parent, "into")
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				err := release.Unpack(t.Context(), archive, described(format), linux, dir)
				if (err == nil) != (tt.says == "") || err != nil && (!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n")) {
					t.Fatalf("got %v, want one line with %q", err, tt.says)
				}
				if err == nil {
					checkUnpacked(t, dir, tt.has)
				}
				if outside, _ := os.ReadDir(parent); len(outside) != 1 {
					t.Errorf("something was written outside: %v", outside)
				}
			})
		}
	}
}

func manyTexts() []entry {
	var all []entry
	for c := range 17 {
		all = append(all, entry{name: "README." + string(rune('a'+c))})
	}
	return all
}

func checkUnpacked(t *testing.T, dir string, has []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, has) {
		t.Errorf("unpacked %q, want %q", names, has)
	}
	if info, err := os.Stat(filepath.Join(dir, "hone-plugin-model-apertus")); err != nil || info.Mode().Perm()&0o100 == 0 {
		t.Errorf("the binary is not executable: %v", err)
	}
}

func TestUnpackStops(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "archive")
	if err := os.WriteFile(archive, tarGz(t, []entry{{name: "hone-plugin-model-apertus", content: program}}), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := release.Unpack(ctx, archive, described(release.TarGz), linux, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestPackIsReadBack packs twice, to the same bytes, and inspects.
func TestPackIsReadBack(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "program")
	if err := os.WriteFile(path, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	members := []release.Member{{Name: "hone-plugin-model-apertus", Path: path, Executable: true}}
	for _, format := range []release.Format{release.TarGz, release.Zip} {
		want := described(format).Builds[linux]
		var first, second bytes.Buffer
		for _, out := range []*bytes.Buffer{&first, &second} {
			if err := release.Pack(out, want.Archive, members); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: packed twice it differs", format)
		}
		archive := filepath.Join(dir, want.Archive)
		if err := os.WriteFile(archive, first.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		want.ArchiveSize, want.ArchiveSHA256 = int64(first.Len()), sha256.Sum256(first.Bytes())
		got, err := release.Inspect(t.Context(), archive, "model-apertus", linux)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", format, got, err, want)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	for _, entries := range [][]entry{
		{{name: "hone-plugin-model-apertus", mode: 0o755, content: program}, {name: "README", content: "x"}},
		{{name: "../x", content: "x"}, {name: "y/", mode: fs.ModeDir | 0o755}},
	} {
		f.Add(tarGz(f, entries), false)
		f.Add(zipped(f, entries), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, isZip bool) {
		format := release.TarGz
		if isZip {
			format = release.Zip
		}
		parent := t.TempDir()
		archive, dir := filepath.Join(parent, "archive"), filepath.Join(parent, "into")
		if err := errors.Join(os.WriteFile(archive, data, 0o600), os.Mkdir(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
		err := release.Unpack(t.Context(), archive, described(format), linux, dir)
		got, readErr := os.ReadFile(filepath.Join(dir, "hone-plugin-model-apertus"))
		if err == nil && (readErr != nil || string(got) != program) {
			t.Errorf("unpacked %q, %v", got, readErr)
		}
		if outside, _ := os.ReadDir(parent); len(outside) != 2 {
			t.Errorf("something was written outside: %v", outside)
		}
	})
}
