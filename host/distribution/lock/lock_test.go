package lock_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/host/distribution/lock"
	"github.com/honeml/hone/host/distribution/release"
)

var update = flag.Bool("update", false, "write the golden file anew")

const goldenFile = "testdata/golden.hcl"

// hash is one that is easy to see.
func hash(first byte) (h release.SHA256) {
	h[0], h[31] = first, 0xff
	return h
}

func example() *lock.File {
	f := &lock.File{}
	f.Put(lock.Plugin{
		Name: "model-apertus", Version: "1.2.0", Constraints: "~> 1.2, != 1.2.1", Source: "github.com/swiss-ai/hone-plugin-model-apertus",
		Key: "RWQrEZ2ERyXQW4QyLWeM5EhoTP0mPEsQrrkYlrtXDMp0VFeYl/EWdVRF",
		Binaries: map[release.Platform]release.SHA256{
			"windows_amd64": hash(1), "linux_amd64": hash(2), "darwin_arm64": hash(3),
		},
	})
	f.Put(lock.Plugin{
		Name: "logger-mlflow", Version: "0.3.0-rc.1", Source: "./plugins",
		Binaries: map[release.Platform]release.SHA256{"linux_amd64": hash(4)},
	})
	return f
}

func TestWriteAndRead(t *testing.T) {
	path := lock.PathFor(filepath.Join(t.TempDir(), "run.hone.hcl"))
	if f, diags := lock.Read(path); f != nil || len(diags.List) > 0 {
		t.Fatalf("where there is none: %v, %v", f, diags.Err())
	}
	want := example()
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, diags := lock.Read(path)
	if got == nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v: read %+v, want %+v", diags.Err(), got, want)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(goldenFile, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, golden) {
		t.Errorf("it wrote\n%s\nwant\n%s", data, golden)
	}
	if got.Find("model-apertus").Version != "1.2.0" || got.Find("model-other") != nil {
		t.Error("Find finds something else")
	}
	got.Remove("model-apertus")
	if len(got.Plugins) != 1 || got.Find("model-apertus") != nil {
		t.Errorf("after Remove: %+v", got.Plugins)
	}
}

func TestReadRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, diags := lock.Read(dir); diags.Err() == nil || !strings.Contains(diags.Err().Error(), "no file") {
		t.Errorf("a folder: %v", diags.Err())
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, diags := lock.Read(big); diags.Err() == nil || !strings.Contains(diags.Err().Error(), "1048576 bytes") {
		t.Errorf("a large file: %v", diags.Err())
	}
}

const goodHash = "02000000000000000000000000000000000000000000000000000000000000ff"

func TestDamage(t *testing.T) {
	plugin := func(attributes string) string { return "format = 1\nplugin \"model-x\" {\n" + attributes + "\n}\n" }
	sound := "version = \"1.0.0\"\nsource = \"./x\"\nsha256 = { linux_amd64 = \"" + goodHash + "\" }\n"
	if f, diags := lock.Parse("x", []byte(plugin(sound))); f == nil {
		t.Fatal(diags.Err())
	}
	tests := []struct {
		name, text string
		want       []string // of the error
	}{
		{"empty", "", []string{"which format"}},
		{"no HCL", "<<<<<<< HEAD\n", []string{"x:1:1", "cannot be read", "run hone init"}},
		{"newer format", "format = 2\nsomething = new\nplugin {}\n", []string{"newer hone", "format 2", "reads format 1", "x:1:10"}},
		{"format is no number", "format = \"1\"\n", []string{"is a number"}},
		{"format is computed", "format = 0 + 1\n", []string{"is a number"}},
		{"impossible format", "format = 0.5\n", []string{"no format 0.5"}},
		{"unknown attribute", "format = 1\nb = 1\na = 1\n", []string{"x:2:1", `"b"`, "x:3:1", `"a"`}},
		{"unknown block", "format = 1\nprovider \"a\" {}\n", []string{`no block "provider"`}},
		{"no name", "format = 1\nplugin \"x\" {\n" + sound + "}\n", []string{"full name"}},
		{"no label", "format = 1\nplugin {\n" + sound + "}\n", []string{"full name"}},
		{"twice", plugin(sound) + "plugin \"model-x\" {\n" + sound + "}\n", []string{"stands further up"}},
		{"unknown attribute of a plugin", plugin(sound + "url = \"x\"\n"), []string{`no attribute "url"`}},
		{"block in a plugin", plugin(sound + "sha256 {}\n"), []string{`no block "sha256"`}},
		{"no version", plugin("source = \"./x\"\nsha256 = { linux_amd64 = \"" + goodHash + "\" }\n"), []string{"model-x has no version"}},
		{"bad version", plugin("version = \"1.0\"\n" + sound[len("version = \"1.0.0\"\n"):]), []string{`"1.0"`}},
		{"version is computed", plugin("version = \"${1}.0.0\"\n" + sound[len("version = \"1.0.0\"\n"):]), []string{"version is a string"}},
		{"bad constraint", plugin(sound + "constraints = \"new\"\n"), []string{`"new"`}},
		{"bad key", plugin(sound + "key = \"RWQ\"\n"), []string{`"RWQ"`}},
		{"escapes in a source", strings.Replace(plugin(sound), "./x", "./x\\u001b[2J", 1), []string{`"./x\x1b[2J"`}},
		{"no hash", plugin("version = \"1.0.0\"\nsource = \"./x\"\n"), []string{"no sha256"}},
		{"no platform", plugin("version = \"1.0.0\"\nsource = \"./x\"\nsha256 = {}\n"), []string{"PLATFORM"}},
		{"short hash", strings.Replace(plugin(sound), goodHash, "02", 1), []string{"64 hexadecimal"}},
		{"upper-case hash", strings.Replace(plugin(sound), goodHash, strings.ToUpper(goodHash), 1), []string{"64 hexadecimal"}},
		{"bad platform", strings.Replace(plugin(sound), "linux_amd64", "linux", 1), []string{"looks like linux_amd64"}},
		{"platform in another way", strings.Replace(plugin(sound), "linux_amd64", "\"linux/amd64\"", 1), []string{"looks like linux_amd64"}},
		{"platform is computed", strings.Replace(plugin(sound), "linux_amd64", "(linux_amd64)", 1), []string{"looks like linux_amd64"}},
		{
			"platform twice", strings.Replace(plugin(sound), "sha256 = {", "sha256 = {\nlinux_amd64 = \""+goodHash+"\"\n", 1),
			[]string{"linux_amd64 stands further up"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, diags := lock.Parse("x", []byte(tt.text))
			if f != nil || !diags.HasErrors() {
				t.Fatalf("it was taken: %+v", f)
			}
			text := diags.Err().Error()
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("it says\n%s\nwithout %q", text, want)
				}
			}
			var shown bytes.Buffer
			if err := diags.Write(&shown, 0, false); err != nil || strings.ContainsRune(shown.String(), '\x1b') {
				t.Errorf("%v: shown as %q", err, &shown)
			}
		})
	}
}

// FuzzParse holds any text to: an end, no panic, and a file that is written as it was
// read.
func FuzzParse(f *testing.F) {
	f.Add(example().Bytes())
	f.Add([]byte("format = 1\nplugin \"model-x\" {\nsha256 = { \"linux_amd64\" : \"" + goodHash + "\" }\n}"))
	f.Add([]byte("format = 2"))
	f.Fuzz(func(t *testing.T, src []byte) {
		file, diags := lock.Parse("x", src)
		if (file == nil) != diags.HasErrors() {
			t.Fatalf("a file: %v, with %v", file != nil, diags.Err())
		}
		if file == nil {
			return
		}
		written := file.Bytes()
		again, diags := lock.Parse("x", written)
		if again == nil || !reflect.DeepEqual(file, again) {
			t.Fatalf("%v: %s\nread as %+v\nwas %+v", diags.Err(), written, again, file)
		}
	})
}
