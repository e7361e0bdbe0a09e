package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/distribution/store"
	"github.com/honeml/hone/host/rundir"
)

// entry is a plugin whose binary is its version.
func entry(name, version string) store.Entry {
	return store.Entry{
		Name: name, Version: version, Platform: release.Here(), Source: "https://example.com/" + name, SHA256: sha256.Sum256([]byte(version)),
	}
}

// fill writes that binary.
func fill(e store.Entry) func(string) error {
	return func(dir string) error {
		return os.WriteFile(filepath.Join(dir, release.BinaryName(e.Name, e.Platform)), []byte(e.Version), 0o755)
	}
}

func add(t *testing.T, s *store.Store, e store.Entry) *store.Entry {
	t.Helper()
	got, err := s.Add(t.Context(), e, nil, fill(e))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// names are the entries that the store lists, * behind the current ones.
func names(t *testing.T, s *store.Store) []string {
	t.Helper()
	entries, err := s.List(release.Here())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		text := e.String()
		if e.Current {
			text += "*"
		}
		out = append(out, text)
	}
	return out
}

func TestLife(t *testing.T) {
	s := &store.Store{Folder: filepath.Join(t.TempDir(), "not", "there")}
	if got := names(t, s); len(got) > 0 {
		t.Fatalf("an absent store has %v", got)
	}
	signed := entry("model-b", "1.10.0")
	signed.Key = "RWQrEZ2ERyXQW4QyLWeM5EhoTP0mPEsQrrkYlrtXDMp0VFeYl/EWdVRF"
	for _, e := range []store.Entry{entry("model-b", "1.9.0"), signed, entry("a-kernels", "0.1.0")} {
		add(t, s, e)
	}
	elsewhere := entry("model-b", "2.0.0")
	elsewhere.Platform = "plan9_mips"
	add(t, s, elsewhere)
	if err := os.WriteFile(filepath.Join(s.Folder, "hone-plugin-model-own"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, s), []string{"a-kernels 0.1.0", "model-b 1.10.0", "model-b 1.9.0"}; !slices.Equal(got, want) {
		t.Fatalf("it lists %v, want %v", got, want)
	}

	found := s.Find("model-b", release.Here(), signed.SHA256)
	if found == nil || found.Key != signed.Key || found.Source != signed.Source || !filepath.IsAbs(found.Path) {
		t.Fatalf("found %+v", found)
	}
	if data, err := os.ReadFile(found.Path); err != nil || string(data) != "1.10.0" {
		t.Errorf("its binary is %q, %v", data, err)
	}
	if s.Find("model-b", "plan9_mips", signed.SHA256) != nil || s.Find("model-c", release.Here(), signed.SHA256) != nil {
		t.Error("it finds what is not there")
	}

	if s.Current("model-b", release.Here()) != nil {
		t.Error("something is current before anyone said so")
	}
	if err := s.SetCurrent(t.Context(), entry("model-b", "1.9.0"), nil); err != nil {
		t.Fatal(err)
	}
	if e := s.Current("model-b", release.Here()); e == nil || e.Version != "1.9.0" {
		t.Errorf("current is %v", e)
	}
	if err := s.SetCurrent(t.Context(), entry("model-b", "3.0.0"), nil); err == nil {
		t.Error("what is not installed became current")
	}

	if err := s.Remove(t.Context(), []store.Entry{entry("model-b", "1.9.0"), entry("a-kernels", "0.1.0")}, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, s), []string{"model-b 1.10.0"}; !slices.Equal(got, want) {
		t.Errorf("after Remove it lists %v, want %v", got, want)
	}
	if _, err := os.Stat(filepath.Join(s.Folder, "a-kernels")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder stays: %v", err)
	}
}

// What is being installed is there whole, or not at all.
func TestInterrupted(t *testing.T) {
	s := &store.Store{Folder: t.TempDir()}
	e := entry("model-a", "1.0.0")
	broken := errors.New("the line broke")
	_, err := s.Add(t.Context(), e, nil, func(dir string) error { return errors.Join(fill(e)(dir), broken) })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	wrong := e
	wrong.SHA256[0]++
	var changed *store.ChangedError
	if _, err := s.Add(t.Context(), wrong, nil, fill(e)); !errors.As(err, &changed) {
		t.Errorf("another binary than was promised: %v", err)
	}
	if files, err := filepath.Glob(filepath.Join(s.Folder, "*", "*")); err != nil || len(files) > 0 {
		t.Errorf("it left %v, %v", files, err)
	}

	// What a killed process left is removed by the next, and never listed.
	left := filepath.Join(s.Folder, "model-a", ".1.0.0_x.new-123")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := names(t, s); len(got) > 0 {
		t.Errorf("it lists %v", got)
	}
	add(t, s, e)
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s stays: %v", left, err)
	}
}

func TestChanged(t *testing.T) {
	s := &store.Store{Folder: t.TempDir()}
	e := add(t, s, entry("model-a", "1.0.0"))
	if err := s.Verify(*e); err != nil {
		t.Fatal(err)
	}
	never := func(string) error { t.Error("it was fetched again"); return nil }
	if _, err := s.Add(t.Context(), *e, nil, never); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(e.Path, []byte("1.0.1"), 0o755); err != nil {
		t.Fatal(err)
	}
	var changed *store.ChangedError
	if err := s.Verify(*e); !errors.As(err, &changed) || changed.Installed != e.SHA256 || !strings.Contains(err.Error(), e.Path) {
		t.Errorf("got %v", err)
	}
	add(t, s, *e)
	if err := s.Verify(*e); err != nil {
		t.Errorf("after it was installed again: %v", err)
	}
}

func TestDamagedRecords(t *testing.T) {
	s := &store.Store{Folder: t.TempDir()}
	sound := add(t, s, entry("model-a", "1.0.0"))
	tests := []struct {
		name, old, new, want string
	}{
		{"no JSON", "{", "", "installed.json"},
		{"newer", `"format": 1`, `"format": 2`, "format 2"},
		{"another plugin's", `"name": "model-a"`, `"name": "model-b"`, "model-b 1.0.0"},
		{"another version's", `"version": "1.0.0"`, `"version": "1.0.1"`, "model-a 1.0.1"},
		{"another platform's", `"platform": "`, `"platform": "../../`, "model-a 1.0.0"},
		{"a key that is none", `"source"`, `"key": "x", "source"`, "public key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(filepath.Dir(sound.Path), "installed.json")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			broken := strings.Replace(string(data), tt.old, tt.new, 1)
			if broken == string(data) {
				t.Fatalf("nothing to replace in %s", data)
			}
			if err := os.WriteFile(path, []byte(broken), 0o644); err != nil {
				t.Fatal(err)
			}
			entries, err := s.List(release.Here())
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(entries) > 0 {
				t.Errorf("it lists %v, %v; want an error with %q", entries, err, tt.want)
			}
			if s.Find("model-a", release.Here(), sound.SHA256) != nil {
				t.Error("it is found")
			}
			add(t, s, entry("model-a", "1.0.0"))
		})
	}
}

// Installers take turns; one that waits can be stopped.
func TestTurns(t *testing.T) {
	s := &store.Store{Folder: t.TempDir()}
	held, err := rundir.Lock(filepath.Join(s.Folder, ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = s.Add(ctx, entry("model-a", "1.0.0"), cancel, func(string) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("while another installs: %v", err)
	}
	held.Close()

	var group sync.WaitGroup
	busy := make(chan struct{}, 1)
	for _, version := range []string{"1.0.0", "1.1.0", "1.2.0", "1.0.0"} {
		group.Go(func() {
			e := entry("model-a", version)
			_, err := s.Add(t.Context(), e, nil, func(dir string) error {
				select {
				case busy <- struct{}{}:
				default:
					t.Error("two install at once")
				}
				err := fill(e)(dir)
				<-busy
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got, want := names(t, s), []string{"model-a 1.2.0", "model-a 1.1.0", "model-a 1.0.0"}; !slices.Equal(got, want) {
		t.Errorf("it lists %v, want %v", got, want)
	}
}

func TestNoPlace(t *testing.T) {
	s := &store.Store{}
	if entries, err := s.List(release.Here()); len(entries) > 0 || err != nil {
		t.Errorf("got %v, %v", entries, err)
	}
	e := entry("model-a", "1.0.0")
	if _, err := s.Add(t.Context(), e, nil, fill(e)); err == nil || !strings.Contains(err.Error(), "XDG_DATA_HOME") {
		t.Errorf("got %v", err)
	}
}
