//go:build unix

package pluginhost

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSearch(t *testing.T) {
	root := t.TempDir()
	program := filepath.Join(root, "opt", "hone")
	link := filepath.Join(root, "link")
	for _, err := range []error{
		os.Mkdir(filepath.Dir(program), 0o755), os.WriteFile(program, nil, 0o755), os.Symlink(program, link),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	lists := func(dirs ...string) string { return strings.Join(dirs, string(os.PathListSeparator)) }
	beside := []string{filepath.Join(root, "opt"), filepath.Join(root, "opt", "bin")}
	tests := []struct {
		name    string
		program string
		env     map[string]string
		want    []string
		asked   int // how many the user named
	}{
		{"nothing is known", "", nil, nil, 0},
		{"the program alone", program, nil, beside, 0},
		{"through a link", link, nil, beside, 0},
		{
			"all", program, map[string]string{"HONE_PLUGIN_DIR": lists("/a", "", "b"), "XDG_DATA_HOME": "/data", "HOME": "/home/x"},
			append(append([]string{"/a", filepath.Join(here, "b")}, beside...), "/data/hone/plugins"), 2,
		},
		{
			"one that stands twice", program, map[string]string{"HONE_PLUGIN_DIR": lists(beside[1], "/a", "/a")},
			[]string{beside[1], "/a", beside[0]}, 2,
		},
		{"a relative data folder counts as none", "", map[string]string{"XDG_DATA_HOME": "data"}, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			asked := 0
			for _, d := range Search(tt.program, func(name string) string { return tt.env[name] }) {
				got = append(got, d.Path)
				if d.Asked {
					asked++
				}
			}
			if !reflect.DeepEqual(got, tt.want) || asked != tt.asked {
				t.Errorf("got  %q, %d asked\nwant %q, %d asked", got, asked, tt.want, tt.asked)
			}
		})
	}
}

func TestDiscover(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	install(t, first, "logger-b", "cpu-kernels", "logger-shadowed")
	install(t, second, "logger-shadowed", "model-a", "logger-broken")
	at := func(dir, folder string) string { return filepath.Join(dir, Prefix+folder) }
	for _, err := range []error{
		os.WriteFile(at(first, "model-readonly"), []byte("x"), 0o644),
		os.Mkdir(at(first, "model-folder"), 0o755),
		os.Symlink("nowhere", at(first, "logger-broken")),
		os.Symlink(at(second, "model-a"), at(first, "model-linked")),
		os.WriteFile(at(first, "logger-b.sig"), []byte("x"), 0o755),
		os.WriteFile(filepath.Join(first, "hone"), []byte("x"), 0o755),
		unix.Mkfifo(at(first, "model-pipe"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	absent := filepath.Join(first, "absent")
	file := filepath.Join(first, "hone")
	got := Discover([]Directory{{Path: absent, Asked: true}, {Path: absent + "2"}, {Path: file}, {Path: first}, {Path: second}})

	var plugins []string
	for _, p := range got.Plugins {
		plugins = append(plugins, fmt.Sprint(p, " ", p.Path, " ", p.Directory))
	}
	want := []string{
		"cpu-kernels " + at(first, "cpu-kernels") + " 3",
		"logger-b " + at(first, "logger-b") + " 3",
		"logger-shadowed " + at(first, "logger-shadowed") + " 3",
		"model-linked " + at(first, "model-linked") + " 3",
		"logger-broken " + at(second, "logger-broken") + " 4",
		"model-a " + at(second, "model-a") + " 4",
	}
	if !slices.Equal(plugins, want) {
		t.Errorf("got  %q\nwant %q", plugins, want)
	}
	skipped := map[string]string{
		absent:                        "cannot be read: no such file or directory",
		file:                          "cannot be read: not a directory",
		at(first, "model-readonly"):   "not executable",
		at(first, "model-folder"):     "not a file but a folder",
		at(first, "model-pipe"):       "not a file but a pipe",
		at(first, "logger-broken"):    "a link to nowhere, which cannot be opened: no such file or directory",
		at(first, "logger-b.sig"):     "no name of a plugin, which is NAME-kernels, model-NAME or logger-NAME in lower-case letters, digits, - and _",
		at(second, "logger-shadowed"): "shadowed by " + at(first, "logger-shadowed"),
	}
	for _, s := range got.Skipped {
		if skipped[s.Path] != s.Reason {
			t.Errorf("skipped %v, want %q", s, skipped[s.Path])
		}
		delete(skipped, s.Path)
	}
	if len(skipped) > 0 {
		t.Errorf("not skipped: %v", skipped)
	}
}

func TestEnvironment(t *testing.T) {
	host := []string{
		"PATH=/bin", "HOME=/root", "HONE_PLUGIN_DIR=/x", "HONE_PLUGIN=started-by-hone", "HONE_VAR_token=secret", "HONE_CACHE_DIR=/c",
		"HF_TOKEN=secret", "PLUGIN_CLIENT_CERT=x", "LD_PRELOAD=x", "NCCL_DEBUG=INFO", "CUDA_VISIBLE_DEVICES=0", "https_proxy=p",
		"LC_ALL=C", "XDG_CACHE_HOME=/k", "PATHOLOGY=x", "=x", "junk",
	}
	want := []string{
		"PATH=/bin", "HOME=/root", "HONE_CACHE_DIR=/c", "NCCL_DEBUG=INFO", "CUDA_VISIBLE_DEVICES=0", "https_proxy=p", "LC_ALL=C",
		"XDG_CACHE_HOME=/k", "HF_TOKEN=granted",
	}
	if got := environment(host, []string{"HF_TOKEN=granted"}); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
