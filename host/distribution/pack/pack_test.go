package pack_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/distribution/pack"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// contents are the files of a folder.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if all[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestWrite(t *testing.T) {
	_, file, err := release.GenerateKey("")
	if err != nil {
		t.Fatal(err)
	}
	key, err := release.ReadSigningKey(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	from := t.TempDir()
	o := pack.Options{
		Name: "logger-mine", Version: "1.0.0", Key: key, Texts: []string{write(t, filepath.Join(from, "LICENSE"), "as you like")},
		Binaries: map[release.Platform]string{
			"linux_amd64": write(t, filepath.Join(from, "a"), "program"), "windows_amd64": write(t, filepath.Join(from, "b"), "other program"),
		},
	}
	var made []map[string][]byte
	for range 2 {
		dir := filepath.Join(t.TempDir(), "release")
		r, err := pack.Write(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		all := contents(t, dir)
		if len(all) != len(pack.Files(r)) {
			t.Errorf("the folder holds %d files, the release has %q", len(all), pack.Files(r))
		}
		made = append(made, all)
	}
	for name, data := range made[0] {
		if !bytes.Equal(data, made[1][name]) {
			t.Errorf("made twice, %s differs", name)
		}
	}

	// Made anew without a key, nothing says any longer that it was signed.
	dir := t.TempDir()
	for _, key := range []*release.SigningKey{key, nil} {
		o.Key = key
		if _, err := pack.Write(t.Context(), dir, o); err != nil {
			t.Fatal(err)
		}
	}
	if all := contents(t, dir); len(all) != 3 {
		t.Errorf("a release that is not signed is made of %d files", len(all))
	}
}

func TestAddToTree(t *testing.T) {
	from, dir, root := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "tree")
	o := pack.Options{Name: "logger-mine", Version: "1.0.0", Binaries: map[release.Platform]string{"linux_amd64": write(t, filepath.Join(from, "a"), "program")}}
	add := func() error {
		r, err := pack.Write(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		return pack.AddToTree(root, dir, r)
	}
	for _, version := range []string{"1.0.0", "1.0.0", "1.1.0"} {
		o.Version = version
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(from, "a"), "changed program")
	err := add()
	if err == nil || !strings.Contains(err.Error(), "holds another release 1.1.0") || !strings.Contains(fault.HintOf(err), "new version") {
		t.Errorf("another release of the same version: %v", err)
	}
	o.Name = "logger-other"
	if err := add(); err == nil || !strings.Contains(err.Error(), "holds the plugin logger-mine") {
		t.Errorf("another plugin: %v", err)
	}
	index, err := release.DecodeIndex(contents(t, root)["index.json"])
	if err != nil || !slices.Equal(index.Versions, []string{"1.1.0", "1.0.0"}) {
		t.Errorf("the index is %+v, %v", index, err)
	}
}

func TestBuild(t *testing.T) {
	module := filepath.Join(t.TempDir(), "anywhere")
	write(t, filepath.Join(module, "go.mod"), "module example.org/hone-plugin-model-mine/v2\n\ngo 1.21\n")
	write(t, filepath.Join(module, "main.go"), "package main\n\nvar version = \"none\"\n\nfunc main() { println(version) }\n")
	src := &pack.Source{Folder: module, Version: "2.3.4"}
	name, err := src.PluginName(t.Context())
	if err != nil || name != "model-mine" {
		t.Fatalf("called %q, %v", name, err)
	}
	here := release.Here()
	binaries, err := src.Build(t.Context(), name, []release.Platform{here}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), binaries[here]).CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "2.3.4" {
		t.Errorf("it says %q, %v", out, err)
	}
	if p, err := pack.PlatformOf(binaries[here]); err != nil || p != here {
		t.Errorf("a binary for %q, %v", p, err)
	}
	_, err = pack.Write(t.Context(), t.TempDir(), pack.Options{Name: name, Version: "2.3.4", Binaries: map[release.Platform]string{"plan9_386": binaries[here]}})
	if err == nil || !strings.Contains(err.Error(), "was built for "+string(here)) {
		t.Errorf("packed for another platform: %v", err)
	}

	write(t, filepath.Join(module, "main.go"), "package main\n\nfunc main() { nonsense }\n")
	if _, err := src.Build(t.Context(), name, []release.Platform{here}, t.TempDir()); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("what does not compile: %v", err)
	}
	write(t, filepath.Join(module, "main.go"), "package library\n")
	if _, err := src.PluginName(t.Context()); err == nil || !strings.Contains(err.Error(), "holds package library") {
		t.Errorf("a library: %v", err)
	}
}
