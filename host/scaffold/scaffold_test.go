package scaffold

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sdk is the source of the SDK, seen from here.
const sdk = "../.."

// TestModel: the module that is written builds, passes its tests and needs no network.
// Its name is one that the language has a meaning for.
func TestModel(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "plugin")
	got, err := Model{Name: "range", Folder: folder, SDK: sdk}.Write()
	if err != nil || got != folder {
		t.Fatalf("%s, %v", got, err)
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}, {"build", "-o", "bin/", "."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS=-mod=readonly", "CGO_ENABLED=0")
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, output)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "bin", "hone-plugin-model-range")); err != nil {
		t.Errorf("go build names the program otherwise: %v", err)
	}
	for _, name := range []string{".gitignore", ".github/workflows/release.yml", "Makefile", "README.md", "testdata/golden.py", "testdata/reference.py"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || len(data) == 0 || strings.Contains(string(data), "[[.") {
			t.Errorf("%s: %v\n%s", name, err, data)
		}
	}
	workflow, err := os.ReadFile(filepath.Join(folder, ".github/workflows/release.yml"))
	if err != nil || !strings.Contains(string(workflow), "${{ github.token }}") {
		t.Errorf("the workflow's own braces: %v\n%s", err, workflow)
	}
}

// TestPublished: with a hone that is a release, the SDK is the module of its version.
func TestPublished(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "plugin")
	if _, err := (Model{Name: "falcon", Folder: folder, Module: "example.com/you/falcon", Version: "v1.2.3"}).Write(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"module example.com/you/falcon\n", "go 1.", "require github.com/honeml/hone v1.2.3\n"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("go.mod has no %q:\n%s", want, data)
		}
	}
}

func TestRefused(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "thesis.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "go.mod"), []byte("module example.com/other\n\ngo 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		model Model
		want  string
	}{
		{"no name", Model{SDK: sdk}, "a plugin's name is"},
		{"a path", Model{Name: "../falcon", SDK: sdk}, "a plugin's name is"},
		{"capitals", Model{Name: "Falcon", SDK: sdk}, "a plugin's name is"},
		{"a hyphen at its end", Model{Name: "falcon-", SDK: sdk}, "a plugin's name is"},
		{"long", Model{Name: strings.Repeat("a", 41), SDK: sdk}, "a plugin's name is"},
		{"architecture", Model{Name: "falcon", Architecture: "Falcon ForCausalLM", SDK: sdk}, "an architecture is named as"},
		{"module", Model{Name: "falcon", Module: "example.com/a b", SDK: sdk}, "malformed import path"},
		{"no release", Model{Name: "falcon", Version: "0d22f45-dirty"}, "-sdk DIR names"},
		{"a development version", Model{Name: "falcon", Version: "v1.2.3-4-g0d22f45"}, "-sdk DIR names"},
		{"no SDK", Model{Name: "falcon", SDK: full}, "-sdk: open "},
		{"another module", Model{Name: "falcon", SDK: other}, "is not the module github.com/honeml/hone"},
		{"a folder in use", Model{Name: "falcon", SDK: sdk, Folder: full}, "is not empty: it has thesis.txt"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.model.Folder == "" {
				test.model.Folder = filepath.Join(t.TempDir(), "new")
			}
			_, err := test.model.Write()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q in it", err, test.want)
			}
			if entries, _ := os.ReadDir(test.model.Folder); len(entries) > 1 {
				t.Errorf("it left %v", entries)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string][2]string{
		"falcon": {"Falcon", "falcon"}, "falcon-2": {"Falcon2", "falcon2"}, "big-bird": {"BigBird", "bigBird"},
		"model": {"Model", "modelModel"}, "type": {"Type", "typeModel"},
	} {
		if got := [2]string{camel(name), typeName(name)}; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
