package weights

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/gguf"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// place makes files in a folder: a safetensors or GGUF file whose tensors are
// named, or a text where the name says nothing of the two.
func place(t *testing.T, folder string, files map[string][]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		var specs []tensorfile.Spec
		for _, tensor := range content {
			specs = append(specs, tensorfile.Spec{Name: tensor, DType: dtype.F32, Shape: []int{2}})
		}
		switch filepath.Ext(name) {
		case ".safetensors":
			write(t, path, specs, random(1))
		case ".gguf":
			writeGGUF(t, path, []gguf.KeyValue{{Key: "general.name", Value: name}}, specs, random(1))
		default:
			if err := os.WriteFile(path, []byte(strings.Join(content, "")), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestOpen(t *testing.T) {
	const index = `{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}`
	shards := map[string][]string{"model-00001-of-00002.safetensors": {"a"}, "model-00002-of-00002.safetensors": {"b"}}
	with := func(more map[string][]string) map[string][]string {
		all := map[string][]string{}
		for _, m := range []map[string][]string{shards, more} {
			for name, content := range m {
				all[name] = content
			}
		}
		return all
	}
	for _, tt := range []struct {
		name  string
		files map[string][]string
		paths []string // "" is the folder
		want  string   // tensors
		used  int      // files
	}{
		{"folder, one file", map[string][]string{"model.safetensors": {"a", "b"}, "config.json": {"{}"}}, []string{""}, "a b", 1},
		{"folder, index", with(map[string][]string{modelIndex: {index}, "consolidated.safetensors": {"c"}}), []string{""}, "a b", 3},
		{"folder, another index", with(map[string][]string{"x.safetensors.index.json": {index}, "y.safetensors": {"c"}}), []string{""}, "a b", 3},
		{"folder, shards without index", shards, []string{""}, "a b", 2},
		{"folder, file with another name", map[string][]string{"weights.safetensors": {"a"}}, []string{""}, "a", 1},
		{"folder, model before adapter", map[string][]string{"model.safetensors": {"a"}, adapterFile: {"b"}}, []string{""}, "a", 1},
		{"folder, adapter", map[string][]string{adapterFile: {"a"}, "optimizer.safetensors": {"b"}}, []string{""}, "a", 1},
		{"folder, GGUF", map[string][]string{"tiny.gguf": {"a"}, "README.md": {"x"}}, []string{""}, "a", 1},
		{"folder, safetensors before GGUF", map[string][]string{"tiny.gguf": {"a"}, "model.safetensors": {"b"}}, []string{""}, "b", 1},
		{"file", map[string][]string{"x.safetensors": {"a"}, "y.safetensors": {"b"}}, []string{"y.safetensors"}, "b", 1},
		{"shard alone", shards, []string{"model-00002-of-00002.safetensors"}, "b", 1},
		{"index", with(map[string][]string{modelIndex: {index}}), []string{modelIndex}, "a b", 3},
		{"GGUF file", map[string][]string{"x.gguf": {"a"}}, []string{"x.gguf"}, "a", 1},
		{"union", map[string][]string{"x.gguf": {"a"}, "y/model.safetensors": {"b"}, "z.safetensors": {"c"}}, []string{"x.gguf", "y", "z.safetensors"}, "a b c", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			place(t, folder, tt.files)
			var paths []string
			for _, p := range tt.paths {
				paths = append(paths, filepath.Join(folder, p))
			}
			c := open(t, paths...)
			if got := strings.Join(c.Names(), " "); got != tt.want || len(c.Files()) != tt.used {
				t.Errorf("tensors %s of files %v, want %s of %d", got, c.Files(), tt.want, tt.used)
			}
			for _, path := range c.Files() {
				if _, err := os.Stat(path); err != nil {
					t.Error(err)
				}
			}
			isGGUF := slices.ContainsFunc(c.Files(), func(p string) bool { return strings.HasSuffix(p, ggufSuffix) })
			if (c.GGUF() != nil) != isGGUF {
				t.Errorf("GGUF() is %v", c.GGUF())
			}
		})
	}
}

// TestOpenWithoutSuffix opens files by what is in them, as a cache names them by
// their hash.
func TestOpenWithoutSuffix(t *testing.T) {
	for _, name := range []string{"x.gguf", "x.safetensors"} {
		folder := t.TempDir()
		place(t, folder, map[string][]string{name: {"a"}})
		path := filepath.Join(folder, "0badcafe")
		if err := os.Rename(filepath.Join(folder, name), path); err != nil {
			t.Fatal(err)
		}
		if c := open(t, path); !slices.Equal(c.Names(), []string{"a"}) {
			t.Errorf("%s: %v", name, c.Names())
		}
	}
}

func TestOpenSplits(t *testing.T) {
	const first = "gguf/testdata/split-00001-of-00003.gguf"
	c := open(t, first)
	if got := strings.Join(c.Names(), " "); got != "t0 t1 t2 t3 t4" || len(c.Files()) != 3 || c.GGUF().Path() != first {
		t.Errorf("%s of %v, described by %s", got, c.Files(), c.GGUF().Path())
	}
	// The splits are one model in a folder too.
	folder := t.TempDir()
	for _, path := range c.Files() {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(path)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c := open(t, folder); len(c.Names()) != 5 {
		t.Errorf("the folder holds %v", c.Names())
	}
}

func TestOpenRefuses(t *testing.T) {
	const lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
	for _, tt := range []struct {
		name  string
		files map[string][]string
		paths []string
		err   []string
	}{
		{"nothing", nil, nil, []string{"no path"}},
		{"missing", nil, []string{"none.gguf"}, []string{"none.gguf"}},
		{"empty folder", nil, []string{""}, []string{"holds no safetensors and no GGUF file"}},
		{"folder of PyTorch files", map[string][]string{"pytorch_model.bin": {"x"}}, []string{""}, []string{"only pytorch_model.bin", "convert them to safetensors"}},
		{"PyTorch file", map[string][]string{"model.bin": {"x"}}, []string{"model.bin"}, []string{"model.bin", "convert"}},
		{"text", map[string][]string{"a.txt": {"hello, world"}}, []string{"a.txt"}, []string{"a.txt is neither a safetensors nor a GGUF file"}},
		{"pointer of Git LFS", map[string][]string{"pointer": {lfs}}, []string{"pointer"}, []string{"git lfs pull"}},
		{"tensor in two paths", map[string][]string{"x.safetensors": {"a"}, "y.gguf": {"a"}}, []string{"x.safetensors", "y.gguf"}, []string{`tensor "a" stands in`, "x.safetensors", "y.gguf"}},
		{"path twice", map[string][]string{"x.safetensors": {"a"}}, []string{"x.safetensors", "x.safetensors"}, []string{`tensor "a" stands in`}},
		{"shard missing", map[string][]string{"m-00001-of-00003.safetensors": {"a"}, "m-00003-of-00003.safetensors": {"b"}}, []string{""}, []string{"shard 2 of 3 is missing"}},
		{"last shard missing", map[string][]string{"m-00001-of-00003.safetensors": {"a"}, "m-00002-of-00003.safetensors": {"b"}}, []string{""}, []string{"shard 3 of 3 is missing"}},
		{"shards of two models", map[string][]string{"m-00001-of-00002.safetensors": {"a"}, "n-00002-of-00002.safetensors": {"b"}}, []string{""}, []string{"different models", "name the files"}},
		{"files of two models", map[string][]string{"m.safetensors": {"a"}, "n.safetensors": {"b"}}, []string{""}, []string{"m.safetensors is not named as a shard"}},
		{"two GGUF models", map[string][]string{"m.gguf": {"a"}, "n.gguf": {"b"}}, []string{""}, []string{"m.gguf, n.gguf"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			place(t, folder, tt.files)
			var paths []string
			for _, p := range tt.paths {
				paths = append(paths, filepath.Join(folder, p))
			}
			c, err := Open(paths...)
			if err == nil {
				c.Close()
				t.Fatalf("opened, with %v", c.Names())
			}
			for _, want := range tt.err {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing path: %v", err)
	}
}

// TestPointerWithSuffix is what a clone without Git LFS leaves.
func TestPointerWithSuffix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Dir(path)} {
		if _, err := Open(p); err == nil || !strings.Contains(err.Error(), "git lfs pull") {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestTensorsAreInOrder(t *testing.T) {
	c := open(t, "safetensors/testdata/sharded")
	var names []string
	for tensor := range c.Tensors() {
		names = append(names, tensor.Name)
		if len(names) == 3 {
			break
		}
	}
	if !slices.Equal(names, []string{"layers.0.weight", "layers.1.weight", "layers.2.weight"}) {
		t.Errorf("%v", names)
	}
}
