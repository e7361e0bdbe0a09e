//go:build unix

package pluginhost

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/plugin"
)

// loggerAt is a logger plugin at a path that nobody opens.
func loggerAt(name, path string) Plugin {
	return Plugin{Kind: plugin.Logger, Name: name, Path: path}
}

func TestOverrides(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, "logger-bundled", "logger-locked", "logger-none")
	c := NewCatalog(CatalogOptions{
		Directories: []Directory{{Path: dir}},
		Installed:   []Plugin{loggerAt("bundled", "/store/bundled"), loggerAt("own", "/store/own"), loggerAt("newer", "/store/newer")},
		Overrides: []Override{
			{Plugin: loggerAt("locked", "/store/locked"), Reason: "the lock names another"},
			{Plugin: loggerAt("none", ""), Reason: "the lock names what is not here"},
			{Plugin: loggerAt("newer", "/store/older"), Reason: "the lock names an older one"},
		},
	})
	var got []string
	for _, p := range c.Plugins() {
		got = append(got, p.Path)
	}
	slices.Sort(got)
	want := []string{filepath.Join(dir, "hone-plugin-logger-bundled"), "/store/locked", "/store/older", "/store/own"}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("it has %q, want %q", got, want)
	}
	skipped := map[string]string{
		"/store/bundled": "shadowed by " + filepath.Join(dir, "hone-plugin-logger-bundled"),
		"/store/newer":   "the lock names an older one",
		filepath.Join(dir, "hone-plugin-logger-locked"): "the lock names another",
		filepath.Join(dir, "hone-plugin-logger-none"):   "the lock names what is not here",
	}
	for _, s := range c.Skipped() {
		if skipped[s.Path] != s.Reason {
			t.Errorf("left alone: %v, want %q", s, skipped[s.Path])
		}
		delete(skipped, s.Path)
	}
	if len(skipped) > 0 {
		t.Errorf("not left alone: %v", skipped)
	}
	_, err := c.Find(plugin.Logger, "none")
	if err == nil || !strings.Contains(err.Error(), "the lock names what is not here") {
		t.Errorf("got %v", err)
	}
}

// A binary that somebody vouches for is neither described nor started when it is
// another, whatever the cache holds of it.
func TestVouchedChecksum(t *testing.T) {
	p := bad(t, "logger-good")
	cache := t.TempDir()
	with := func(checksum []byte) *Catalog {
		p.Checksum, p.Authority = checksum, "the lock"
		return NewCatalog(CatalogOptions{Overrides: []Override{{Plugin: p}}, CacheFolder: cache})
	}
	sum, err := Checksum(p.Path)
	if err != nil {
		t.Fatal(err)
	}
	if found, _, err := with(sum).Logger(testContext(t), "good"); err != nil || !bytes.Equal(found.Checksum, sum) {
		t.Fatalf("got %v, %v", found, err)
	}
	check := func(err error) {
		t.Helper()
		var wrong *ChecksumError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "the lock names") || fault.HintOf(err) == "" {
			t.Errorf("got %v, with the hint %q", err, fault.HintOf(err))
		}
	}
	other := bytes.Repeat([]byte{1}, len(sum))
	_, _, err = with(other).Logger(testContext(t), "good") // from the cache
	check(err)
	if err := os.RemoveAll(cache); err != nil {
		t.Fatal(err)
	}
	_, _, err = with(other).Logger(testContext(t), "good")
	check(err)
	_, err = Start(testContext(t), p, Options{})
	check(err)
}
