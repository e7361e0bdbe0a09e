package source_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/distribution/pack"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/distribution/source"
	"github.com/honeml/hone/sdk/fault"
)

const (
	linux   = release.Platform("linux_amd64")
	windows = release.Platform("windows_arm64")
)

// binary is what stands for a plugin's program.
func binary(version string, p release.Platform) []byte {
	return bytes.Repeat([]byte("the program "+version+" for "+string(p)+"\n"), 5000)
}

// published writes releases of model-apertus into a folder; key nil: not signed.
func published(t *testing.T, dir string, key *release.SigningKey, versions ...string) {
	t.Helper()
	from := t.TempDir()
	readme := filepath.Join(from, "README.md")
	if err := os.WriteFile(readme, []byte("# Apertus\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, version := range versions {
		o := pack.Options{Name: "model-apertus", Version: version, Key: key, Texts: []string{readme}, Binaries: map[release.Platform]string{}}
		for _, p := range []release.Platform{linux, windows} {
			o.Binaries[p] = filepath.Join(from, string(p))
			if err := os.WriteFile(o.Binaries[p], binary(version, p), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := pack.Write(t.Context(), dir, o); err != nil {
			t.Fatal(err)
		}
	}
}

func signingKey(t *testing.T) *release.SigningKey {
	t.Helper()
	_, file, err := release.GenerateKey("")
	if err != nil {
		t.Fatal(err)
	}
	key, err := release.ReadSigningKey(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func open(t *testing.T, address string, environment ...string) source.Source {
	t.Helper()
	a, err := source.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := source.Open(a, source.Hasty(source.Options{Getenv: func(name string) string {
		for _, e := range environment {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value
			}
		}
		return ""
	}}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkGood goes through a source of versions 1.2.0 and 1.10.0 as an installation
// does.
func checkGood(t *testing.T, s source.Source, key release.Key) {
	t.Helper()
	ctx := t.Context()
	versions, err := s.Versions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(versions, []string{"1.10.0", "1.2.0"}) {
		t.Fatalf("versions %q", versions)
	}
	r, err := s.Release(ctx, "1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	if r.String() != "model-apertus 1.2.0" || r.Key != key {
		t.Fatalf("got %s signed by %q", r, r.Key)
	}
	for p, name := range map[release.Platform]string{linux: "hone-plugin-model-apertus", windows: "hone-plugin-model-apertus.exe"} {
		into := filepath.Join(t.TempDir(), "installed")
		if err := s.Fetch(ctx, r, p, into); err != nil {
			t.Fatal(err)
		}
		if got := listing(t, into); !slices.Equal(got, []string{"README.md", name}) {
			t.Errorf("%s: installed %q", p, got)
		}
		got, err := os.ReadFile(filepath.Join(into, name))
		if err != nil || !bytes.Equal(got, binary("1.2.0", p)) {
			t.Errorf("%s: another binary than was packed (%v)", p, err)
		}
		if info, err := os.Stat(filepath.Join(into, name)); err != nil || info.Mode().Perm()&0o111 == 0 {
			t.Errorf("%s: not executable", p)
		}
	}
	checkAbsent(t, s, r)
}

// checkAbsent asks for what is not there.
func checkAbsent(t *testing.T, s source.Source, r *release.Release) {
	t.Helper()
	var missing *source.NotFoundError
	if _, err := s.Release(t.Context(), "3.0.0"); !errors.As(err, &missing) {
		t.Errorf("a version that is not there: %v", err)
	}
	dir := t.TempDir()
	var platform *release.PlatformError
	err := s.Fetch(t.Context(), r, "plan9_386", filepath.Join(dir, "installed"))
	if !errors.As(err, &platform) || !strings.Contains(err.Error(), "linux_amd64, windows_arm64") {
		t.Errorf("a platform that is not there: %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Fetch(stopped, r, linux, filepath.Join(dir, "installed")); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if left := listing(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// checkError wants one line with a text, and a hint with another.
func checkError(t *testing.T, err error, says, hint string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line with %q", err, says)
		return
	}
	if got := fault.HintOf(err); hint == "" && got != "" || !strings.Contains(got, hint) {
		t.Errorf("%v: the hint is %q, want %q", err, got, hint)
	}
}

func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	key := signingKey(t)
	published(t, dir, key, "1.2.0", "1.10.0")
	checkGood(t, open(t, dir), key.Public())
}

func TestLocalTree(t *testing.T) {
	root := publishedTree(t, nil, "1.2.0", "1.10.0")
	for _, address := range []string{root, "file://" + root} {
		t.Run(address[:5], func(t *testing.T) { checkGood(t, open(t, address), "") })
	}
}

// publishedTree is a static tree of releases of model-apertus.
func publishedTree(t *testing.T, key *release.SigningKey, versions ...string) string {
	t.Helper()
	dir, root := t.TempDir(), filepath.Join(t.TempDir(), "tree")
	published(t, dir, key, versions...)
	for _, version := range versions {
		r, err := open(t, dir).Release(t.Context(), version)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time nothing happens
			if err := pack.AddToTree(root, dir, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestArchive(t *testing.T) {
	key := signingKey(t)
	dir := t.TempDir()
	published(t, dir, key, "1.2.0", "1.10.0")
	archive := "hone-plugin-model-apertus_1.2.0_windows_arm64.zip"
	s := open(t, filepath.Join(dir, archive))
	beside, err := s.Release(t.Context(), "1.2.0")
	if err != nil || beside.Key != key.Public() {
		t.Fatalf("with its manifest: %v, %v", beside, err)
	}

	alone := t.TempDir()
	if err := os.Rename(filepath.Join(dir, archive), filepath.Join(alone, archive)); err != nil {
		t.Fatal(err)
	}
	s = open(t, filepath.Join(alone, archive))
	if versions, err := s.Versions(t.Context()); err != nil || !slices.Equal(versions, []string{"1.2.0"}) {
		t.Errorf("versions %q, %v", versions, err)
	}
	r, err := s.Release(t.Context(), "1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	if r.Key != "" || len(r.Builds) != 1 || r.Builds[windows] != beside.Builds[windows] {
		t.Errorf("an archive alone is %+v, in its release it is %+v", r, beside.Builds[windows])
	}
	into := filepath.Join(t.TempDir(), "installed")
	if err := s.Fetch(t.Context(), r, windows, into); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, into); !slices.Equal(got, []string{"README.md", "hone-plugin-model-apertus.exe"}) {
		t.Errorf("installed %q", got)
	}
}
