package nvrtc

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/honeml/hone/plugins/cuda-kernels/dl"
)

// entryOf is the cubin and log of an entry that no compiler wrote.
func entryOf(t *testing.T, dir string, id key, size int) string {
	t.Helper()
	k := OpenCache(dir)
	path := k.path(id)
	if err := writeEntry(path, id, bytes.Repeat([]byte{id[0]}, size), "log"); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEntry(t *testing.T) {
	id, other := key{1}, key{2}
	path := entryOf(t, t.TempDir(), id, 100)
	code, log, err := readEntry(path, id)
	if err != nil || !bytes.Equal(code, bytes.Repeat([]byte{1}, 100)) || log != "log" {
		t.Fatalf("got %x, %q, %v", code, log, err)
	}
	if _, _, err := readEntry(path, other); !errors.Is(err, errBroken) {
		t.Errorf("an entry is taken for another: %v", err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := readEntry(path, id); !errors.Is(err, errBroken) {
			t.Fatalf("cut off at %d: %v", n, err)
		}
		altered := bytes.Clone(whole)
		altered[n] ^= 4
		if err := os.WriteFile(path, altered, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := readEntry(path, id); !errors.Is(err, errBroken) {
			t.Fatalf("altered at %d: %v", n, err)
		}
	}
	if err := os.WriteFile(path, append(whole, 0), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readEntry(path, id); !errors.Is(err, errBroken) {
		t.Errorf("longer by a byte: %v", err)
	}
}

func TestTrim(t *testing.T) {
	dir := t.TempDir()
	at := func(path string, age time.Duration) {
		t.Helper()
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	var paths []string
	for i := range byte(4) { // the first is the oldest
		path := entryOf(t, dir, key{i}, 1000)
		at(path, time.Duration(10-i)*time.Minute)
		paths = append(paths, path)
	}
	for _, name := range []string{"1.writing", "2.writing", "notes"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, make([]byte, 5000), 0o600); err != nil {
			t.Fatal(err)
		}
		at(path, 3*time.Hour)
		paths = append(paths, path)
	}
	at(filepath.Join(dir, "2.writing"), time.Minute)
	trim(dir, 2500, paths[0])
	var left []string
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			left = append(left, filepath.Base(path)[:2])
		}
	}
	if got := strings.Join(left, " "); got != "00 03 2. no" {
		t.Errorf("left are %q", got)
	}
}

func TestKey(t *testing.T) {
	c := &Compiler{version: dl.Version{Major: 13, Minor: 2}, build: "13.2.86"}
	base := keyOf(c, scale("sm_80"))
	if keyOf(c, scale("sm_80")) != base {
		t.Error("a key is not a function of its request")
	}
	changes := map[string]func(c *Compiler, r *Request){
		"version":        func(c *Compiler, _ *Request) { c.version.Minor = 3 },
		"build":          func(c *Compiler, _ *Request) { c.build = "13.2.87" },
		"name":           func(_ *Compiler, r *Request) { r.Name += "x" },
		"source":         func(_ *Compiler, r *Request) { r.Source += " " },
		"architecture":   func(_ *Compiler, r *Request) { r.Arch = "sm_90a" },
		"option":         func(_ *Compiler, r *Request) { r.Options = append(r.Options, "-G") },
		"split option":   func(_ *Compiler, r *Request) { r.Options = []string{"-DFACTOR=", "2.0f"} },
		"header's text":  func(_ *Compiler, r *Request) { r.Headers["scale.cuh"] += " " },
		"header's name":  func(_ *Compiler, r *Request) { r.Headers["a.cuh"] = ""; delete(r.Headers, "unused.cuh") },
		"header, option": func(_ *Compiler, r *Request) { delete(r.Headers, "unused.cuh") },
	}
	for name, change := range changes {
		other, r := *c, scale("sm_80")
		change(&other, &r)
		if keyOf(&other, r) == base {
			t.Errorf("another %s has the same key", name)
		}
	}
}

func TestCache(t *testing.T) {
	c := compiler(t)
	dir := filepath.Join(t.TempDir(), "new", "kernels")
	r := scale("sm_80")
	compile := func() *Result {
		t.Helper()
		k := OpenCache(dir)
		result, err := k.Compile(t.Context(), c, r)
		if err != nil || k.Problem() != nil {
			t.Fatal(err, k.Problem())
		}
		return result
	}
	first := compile()
	path := OpenCache(dir).path(keyOf(c, r))
	// Another log in the entry shows whether it is read.
	mark := func() {
		t.Helper()
		if err := writeEntry(path, keyOf(c, r), first.Cubin, "read from disk"); err != nil {
			t.Fatal(err)
		}
	}
	mark()
	again := compile()
	if again.Log != "read from disk" || !bytes.Equal(again.Cubin, first.Cubin) || len(again.Kernels) != 1 || again.Kernels[0].Name != "scale" {
		t.Errorf("got %+v", again)
	}
	damages := map[string]func(data []byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"truncated": func(data []byte) []byte { return data[:len(data)-1] },
		"altered":   func(data []byte) []byte { data[len(data)/2] ^= 1; return data },
	}
	for name, damage := range damages {
		mark()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, damage(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := compile(); got.Log == "read from disk" || !bytes.Equal(got.Cubin, first.Cubin) {
			t.Errorf("%s: got the log %q", name, got.Log)
		}
		if _, _, err := readEntry(path, keyOf(c, r)); err != nil {
			t.Errorf("%s: it was not written anew: %v", name, err)
		}
	}
	// A cubin that is whole but none.
	if err := writeEntry(path, keyOf(c, r), []byte("text"), "read from disk"); err != nil {
		t.Fatal(err)
	}
	if got := compile(); !bytes.Equal(got.Cubin, first.Cubin) {
		t.Error("a cubin that is none is taken")
	}
}

func TestCacheKeepsNoErrors(t *testing.T) {
	c := compiler(t)
	k := OpenCache(t.TempDir())
	r := scale("sm_80")
	r.Source += "mistake"
	for range 2 {
		if _, err := k.Compile(t.Context(), c, r); !errors.Is(err, Compilation) {
			t.Errorf("got %v", err)
		}
	}
	if left, err := os.ReadDir(k.Dir()); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestCacheWithoutFolder(t *testing.T) {
	c := compiler(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	k := OpenCache(filepath.Join(file, "kernels"))
	if _, err := k.Compile(t.Context(), c, scale("sm_80")); err != nil {
		t.Errorf("a folder that cannot be is an error: %v", err)
	}
	if err := k.Problem(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("the problem is %v", err)
	}
}

// TestCacheTogether is what several processes do: each has a Cache of its own, one
// folder and the same sources.
func TestCacheTogether(t *testing.T) {
	c := compiler(t)
	dir := t.TempDir()
	var wait sync.WaitGroup
	for range 4 {
		k := OpenCache(dir)
		for range 2 {
			wait.Go(func() {
				result, err := k.Compile(t.Context(), c, scale("sm_80"))
				if err != nil || len(result.Kernels) != 1 || k.Problem() != nil {
					t.Errorf("got %+v, %v, %v", result, err, k.Problem())
				}
			})
		}
	}
	wait.Wait()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestDefaultFolder(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the user's cache folder has another name")
	}
	t.Setenv("XDG_CACHE_HOME", "/home/user/.cache")
	if got := OpenCache("").Dir(); got != "/home/user/.cache/hone/kernels" {
		t.Errorf("got %q", got)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if k := OpenCache(""); k.Dir() != "" || k.Problem() == nil {
		t.Errorf("got %q, %v", k.Dir(), k.Problem())
	}
}
