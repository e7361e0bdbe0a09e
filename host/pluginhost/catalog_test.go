package pluginhost

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugin"
)

// catalogOf is a catalog over dir with its cache in cacheDir.
func catalogOf(dir, cacheDir string) *Catalog {
	return NewCatalog(CatalogOptions{Directories: []Directory{{Path: dir}}, CacheFolder: cacheDir})
}

// breakPlugin replaces the plugin by one that cannot start, and makes the cache believe
// that it is still the file that was described.
func breakPlugin(t *testing.T, cacheDir string, p Plugin) {
	t.Helper()
	c := cache{cacheDir}
	data, err := os.ReadFile(c.file(p.Path))
	if err != nil {
		t.Fatal(err)
	}
	entry := new(cacheEntry)
	if err := json.Unmarshal(data, entry); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(p.Path); err != nil { // the link: others have the same file
		t.Fatal(err)
	}
	if err := os.WriteFile(p.Path, []byte("#!/bin/false\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if entry.Key, err = keyOf(p.Path); err != nil {
		t.Fatal(err)
	}
	if err := c.store(entry); err != nil {
		t.Fatal(err)
	}
}

func TestCatalog(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, "bad-kernels", "logger-a", "logger-b", "model-bad", "model-other")
	ctx := testContext(t)
	c := catalogOf(dir, t.TempDir())

	p, k, err := c.Kernels(ctx, "bad")
	if err != nil || k.Name != "bad" || len(k.Ops) == 0 || len(p.Checksum) != 32 {
		t.Errorf("got %v, %v, %v", p, k, err)
	}
	_, l, err := c.Logger(ctx, "a")
	if err != nil || l.Name != "bad" {
		t.Errorf("got %v, %v", l, err)
	}
	_, m, err := c.Model(ctx, "other")
	if err != nil || m.Name != "model-other" {
		t.Errorf("got %v, %v", m, err)
	}
	loggers, err := c.Loggers(ctx)
	if err != nil || len(loggers) != 2 || loggers[1].Name != "b" || loggers[1].Checksum == nil {
		t.Errorf("got %v, %v", loggers, err)
	}
	models, err := c.Models(ctx)
	if err != nil || len(models) != 2 || models[0].Description.Architectures[0] != "BadForCausalLM" {
		t.Errorf("got %v, %v", models, err)
	}
	schema, err := c.Schemas(ctx).Schema("logger", "a")
	if err != nil || schema.Attribute("do") == nil {
		t.Errorf("got %v, %v", schema, err)
	}
	if _, err = c.Schemas(ctx).Schema("kernels", "bad"); err != nil {
		t.Error(err)
	}
	if _, err = c.Schemas(ctx).Schema("model", "bad"); !errors.Is(err, fault.BadInput) {
		t.Errorf("got %v", err)
	}
}

func TestModelFor(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	install(t, first, "model-other", "model-refuses", "model-bad")
	install(t, second, "model-second")
	ctx := testContext(t)
	c := NewCatalog(CatalogOptions{Directories: []Directory{{Path: first}, {Path: second}}})
	m, err := c.ModelFor(ctx, "UnknownForCausalLM", "OtherForCausalLM")
	if err != nil || m.Name != "other" || len(m.Checksum) == 0 {
		t.Errorf("got %v, %v", m, err)
	}
	if m, err = c.ModelFor(ctx, "BadForCausalLM"); err != nil || m.Name != "bad" { // and not second, which comes later
		t.Errorf("got %v, %v", m, err)
	}
	if m, err = c.ModelForGGUF(ctx, "bad"); err != nil || m.Name != "bad" {
		t.Errorf("got %v, %v", m, err)
	}
	if m, err = c.ModelForGGUF(ctx, "bad"+model.WithExperts); err != nil || m.Name != "bad" { // none is for these alone
		t.Errorf("got %v, %v", m, err)
	}
	_, err = c.ModelFor(ctx, "UnknownForCausalLM")
	var none *NoModelError
	if !errors.As(err, &none) || len(none.Installed) != 3 || !errors.Is(err, fault.Unsupported) ||
		!strings.Contains(err.Error(), "no model plugin answers for UnknownForCausalLM (asked: model-bad, model-other, model-second)") {
		t.Errorf("got %v", err)
	}
	if _, err = catalogOf(second, "").ModelFor(ctx, "Unknown"); strings.Contains(err.Error(), "licence") {
		t.Errorf("got %v", err)
	}
	install(t, second, "model-third")
	if _, err = catalogOf(second, "").ModelForGGUF(ctx, "bad"); err == nil || !strings.Contains(err.Error(), "both") {
		t.Errorf("got %v", err)
	}
}

func TestCatalogFindsNothing(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, "logger-tensorboard", "logger-wandb")
	if err := os.WriteFile(filepath.Join(dir, Prefix+"cuda-kernels"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c := catalogOf(dir, "")
	tests := []struct {
		kind plugin.Kind
		name string
		want string
	}{
		{plugin.Logger, "wnadb", `no logger plugin "wnadb" is installed; did you mean "wandb"? (installed: tensorboard, wandb)`},
		{plugin.Logger, "csv", `no logger plugin "csv" is installed (installed: tensorboard, wandb)`},
		{plugin.Kernels, "cpu", `no kernels plugin "cpu" is installed`},
		{
			plugin.Kernels, "cuda",
			`no kernels plugin "cuda" is installed; ` + filepath.Join(dir, Prefix+"cuda-kernels") + `: not executable`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.Find(tt.kind, tt.name)
			var missing *NotFoundError
			if !errors.As(err, &missing) || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %v", err, tt.want)
			}
			if _, err := c.Schemas(testContext(t)).Schema(string(tt.kind), tt.name); !errors.As(err, &missing) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPluginsThatDoNotSayWhatTheyAre(t *testing.T) {
	tests := []struct{ folder, want string }{
		{"logger-schema", `attribute "Not an identifier"`},
		{"logger-kernels", "does not answer /hone.v1.Logger/Describe"},
		{"logger-old", "speaks version 0"},
		{"logger-dies", "cannot find the licence"},
		{"model-empty", "answers for no architecture"},
		{"model-refuses", "no licence"},
	}
	for _, tt := range tests {
		t.Run(tt.folder, func(t *testing.T) {
			p := bad(t, tt.folder)
			dir := t.TempDir()
			c := catalogOf(filepath.Dir(p.Path), dir)
			for range 2 {
				_, _, err := c.describe(testContext(t), p)
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.folder) {
					t.Errorf("got %v, want %q in it", err, tt.want)
				}
			}
			if kept, _ := os.ReadDir(dir); len(kept) != 0 {
				t.Errorf("kept %v", kept)
			}
		})
	}
}

func TestPluginsThatHangWhenAsked(t *testing.T) {
	for _, folder := range []string{"logger-speechless", "logger-deaf"} {
		t.Run(folder, func(t *testing.T) {
			p := bad(t, folder)
			c := catalogOf(filepath.Dir(p.Path), "")
			ctx, cancel := context.WithTimeout(testContext(t), 500*time.Millisecond)
			defer cancel()
			if _, _, err := c.describe(ctx, p); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestWarmCatalogStartsNothing: after the first answers no process is started, in
// another catalog either. A plugin that would fail to start shows it.
func TestWarmCatalogStartsNothing(t *testing.T) {
	dir, cacheDir := t.TempDir(), t.TempDir()
	install(t, dir, "bad-kernels", "logger-a", "model-bad")
	ctx := testContext(t)
	ask := func(c *Catalog) error {
		_, _, err := c.Kernels(ctx, "bad")
		_, err2 := c.Loggers(ctx)
		_, err3 := c.ModelFor(ctx, "BadForCausalLM")
		_, err4 := c.Schemas(ctx).Schema("logger", "a")
		return errors.Join(err, err2, err3, err4)
	}
	c := catalogOf(dir, cacheDir)
	if err := ask(c); err != nil {
		t.Fatal(err)
	}
	for _, p := range c.Plugins() {
		breakPlugin(t, cacheDir, p)
	}
	if err := ask(catalogOf(dir, cacheDir)); err != nil {
		t.Errorf("a process was started: %v", err)
	}
	if err := ask(catalogOf(dir, t.TempDir())); err == nil {
		t.Error("the broken plugins work: the test shows nothing")
	}
}

// TestTamperedPlugin: the file that is started has to be the one that was described,
// even where nothing but its bytes tells.
func TestTamperedPlugin(t *testing.T) {
	dir, cacheDir := t.TempDir(), t.TempDir()
	install(t, dir, "logger-a")
	c := catalogOf(dir, cacheDir)
	p, _, err := c.Logger(testContext(t), "a")
	if err != nil {
		t.Fatal(err)
	}
	breakPlugin(t, cacheDir, p)
	for name, c := range map[string]*Catalog{"the catalog that described it": c, "one that trusts the cache": catalogOf(dir, cacheDir)} {
		p, _, err := c.Logger(testContext(t), "a")
		if err != nil {
			t.Fatal(name, err)
		}
		var mismatch *ChecksumError
		if _, err = Start(testContext(t), p, Options{}); !errors.As(err, &mismatch) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestReplacedPlugin: another file under the name is asked anew.
func TestReplacedPlugin(t *testing.T) {
	dir, cacheDir := t.TempDir(), t.TempDir()
	install(t, dir, "logger-a")
	before, _, err := catalogOf(dir, cacheDir).Logger(testContext(t), "a")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(before.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(before.Path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(before.Path, append(data, 0), 0o755); err != nil {
		t.Fatal(err)
	}
	after, _, err := catalogOf(dir, cacheDir).Logger(testContext(t), "a")
	if err != nil {
		t.Fatal(err)
	}
	if string(after.Checksum) == string(before.Checksum) {
		t.Error("the old answer was taken")
	}
	mustStart(t, after, Options{})
}

func TestDamagedCache(t *testing.T) {
	dir, cacheDir := t.TempDir(), t.TempDir()
	install(t, dir, "logger-a")
	p, _, err := catalogOf(dir, cacheDir).Logger(testContext(t), "a")
	if err != nil {
		t.Fatal(err)
	}
	file := cache{cacheDir}.file(p.Path)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*cacheEntry)) []byte {
		var e cacheEntry
		if err := json.Unmarshal(good, &e); err != nil {
			t.Fatal(err)
		}
		f(&e)
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	tests := []struct {
		name string
		data []byte
	}{
		{"empty", nil},
		{"cut short", good[:len(good)/2]},
		{"something else", []byte("\x00\x01")},
		{"another format", change(func(e *cacheEntry) { e.Format++ })},
		{"another protocol", change(func(e *cacheEntry) { e.Protocol++ })},
		{"another file's", change(func(e *cacheEntry) { e.Key.Path += "x" })},
		{"an older file's", change(func(e *cacheEntry) { e.Key.ModTime-- })},
		{"a changed file's", change(func(e *cacheEntry) { e.Key.Changed-- })},
		{"another kind", change(func(e *cacheEntry) { e.Kind = plugin.Model })},
		{"no checksum", change(func(e *cacheEntry) { e.Checksum = nil })},
		{"no description", change(func(e *cacheEntry) { e.Description.Logger = nil })},
		{"a schema that says nothing", change(func(e *cacheEntry) {
			e.Description.Logger.Schema.Attributes = []config.Attribute{{}}
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(file, tt.data, 0o644); err != nil {
				t.Fatal(err)
			}
			_, d, err := catalogOf(dir, cacheDir).Logger(testContext(t), "a")
			if err != nil || d.Name != "bad" || d.Schema.Attribute("do") == nil {
				t.Fatalf("got %v, %v", d, err)
			}
			if mended, err := os.ReadFile(file); err != nil || string(mended) != string(good) {
				t.Errorf("the file is now %q, %v", mended, err)
			}
		})
	}
}

// TestCacheOfManyProcesses has many catalogs at one folder at once, as many programs are.
func TestCacheOfManyProcesses(t *testing.T) {
	dir, cacheDir := t.TempDir(), t.TempDir()
	install(t, dir, "logger-a", "logger-b")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := catalogOf(dir, cacheDir).Loggers(testContext(t)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	files, err := os.ReadDir(cacheDir)
	if err != nil || len(files) != 2 {
		t.Errorf("the cache holds %v, %v", files, err)
	}
}

func TestCacheThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, "logger-a")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var log logBuffer
	c := NewCatalog(CatalogOptions{Directories: []Directory{{Path: dir}}, CacheFolder: file, Logger: log.logger()})
	if _, _, err := c.Logger(testContext(t), "a"); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "cannot be kept") {
		t.Errorf("the log is %q", log.String())
	}
}

// TestImpatientCaller: that one caller does not wait is not remembered.
func TestImpatientCaller(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, "logger-a")
	c := catalogOf(dir, "")
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	if _, _, err := c.Logger(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, _, err := c.Logger(testContext(t), "a"); err != nil {
		t.Error(err)
	}
}

func TestCacheFolder(t *testing.T) {
	if got := CacheFolder(func(string) string { return "/c" }); got != filepath.Join("/c", "plugins") {
		t.Errorf("got %s", got)
	}
}

func FuzzParseEntryFile(f *testing.F) {
	key := fileKey{Path: "/p", Size: 3}
	f.Add([]byte(`{"format":1,"protocol":1,"key":{"path":"/p","size":3},"kind":"logger","checksum":"` +
		`AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","description":{"logger":{"Name":"x"}}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := parseEntryFile(data, key, plugin.Logger)
		if e != nil && (e.Description.Logger == nil || e.Description.Logger.Schema.Validate() != nil || len(e.Checksum) != 32) {
			t.Errorf("taken: %+v", e)
		}
	})
}

// BenchmarkWarmCatalog is what a command that starts no plugin pays for knowing them.
func BenchmarkWarmCatalog(b *testing.B) {
	dir, cacheDir := b.TempDir(), b.TempDir()
	install(b, dir, "bad-kernels", "logger-a", "logger-b", "model-bad", "model-other")
	ask := func() {
		c := catalogOf(dir, cacheDir)
		if _, _, err := c.Kernels(b.Context(), "bad"); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Loggers(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, err := c.ModelFor(b.Context(), "BadForCausalLM"); err != nil {
			b.Fatal(err)
		}
	}
	ask()
	for b.Loop() {
		ask()
	}
}
