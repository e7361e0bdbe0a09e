package installer_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/host/distribution/installer"
	"github.com/honeml/hone/host/distribution/lock"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/sdk/plugin"
)

func TestPins(t *testing.T) {
	b := newBench(t)
	s := b.shelf(home)
	r := s.publish("1.0.0", "", here)
	q := runfile.Requirement{Name: "model-x", Source: home, Version: "~> 1.0"}
	sound, err := b.Require(t.Context(), q, nil, installer.RequireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	installed := b.Store.Find("model-x", here, r.Builds[here].BinarySHA256).Path
	change := func(edit func(*lock.Plugin)) *lock.File {
		p := *sound
		edit(&p)
		return &lock.File{Plugins: []lock.Plugin{p}}
	}
	binaries := func(p release.Platform, content string) map[release.Platform]release.SHA256 {
		return map[release.Platform]release.SHA256{p: sha256.Sum256([]byte(content))}
	}
	beside := filepath.Join(t.TempDir(), "hone-plugin-model-x")
	if err := os.WriteFile(beside, []byte("beside"), 0o755); err != nil {
		t.Fatal(err)
	}
	found := []pluginhost.Plugin{{Kind: plugin.Model, Name: "x", Path: beside}}
	tests := []struct {
		name     string
		lock     *lock.File
		required []runfile.Requirement
		dev      []string
		path     string // of what is started; "": nothing may be
		want     []string
	}{
		{"as locked", change(func(*lock.Plugin) {}), []runfile.Requirement{q}, nil, installed, nil},
		{"locked for another run file", change(func(*lock.Plugin) {}), nil, nil, installed, nil},
		{
			"locked for another run file, and not there", change(func(p *lock.Plugin) { p.Binaries = binaries(here, "gone") }), nil, nil,
			"", nil,
		},
		{
			"what is locked came with hone", change(func(p *lock.Plugin) { p.Binaries = binaries(here, "beside") }),
			[]runfile.Requirement{q}, nil, beside, nil,
		},
		{
			"not there, and another is", change(func(p *lock.Plugin) { p.Binaries = binaries(here, "gone") }), []runfile.Requirement{q}, nil,
			"", []string{"model-x 1.0.0, which the lock names, is not installed", beside, "-dev model-x=", "hone init r installs it"},
		},
		{
			"another platform", change(func(p *lock.Plugin) { p.Binaries = binaries(other, "mac") }), []runfile.Requirement{q}, nil,
			"", []string{"darwin_arm64", "linux_amd64", "adds the platform"},
		},
		{"no lock file", nil, []runfile.Requirement{q}, nil, "", []string{"no the lock beside", "model-x", "hone init r"}},
		{"not locked", &lock.File{}, []runfile.Requirement{q}, nil, "", []string{"does not name it", "hone init r"}},
		{
			"another version", change(func(p *lock.Plugin) { p.Version = "2.0.0" }), []runfile.Requirement{q}, nil,
			installed, []string{"has version 2.0.0", "wants ~> 1.0"},
		},
		{
			"another source", change(func(p *lock.Plugin) { p.Source = "./x" }), []runfile.Requirement{q}, nil,
			installed, []string{"from ./x", home},
		},
		{"-dev, without a lock file", nil, []runfile.Requirement{q}, []string{"model-x"}, "", nil},
		{"-dev, whatever is locked", &lock.File{}, []runfile.Requirement{q}, []string{"model-x"}, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := installer.Pinning{
				Lock: tt.lock, Authority: "the lock", Init: "hone init r", Store: b.Store, Platform: here, Found: found, Dev: tt.dev,
			}
			overrides, problems := p.Pins(tt.required)
			path := ""
			for _, o := range overrides {
				path = o.Plugin.Path
				hash := tt.lock.Plugins[0].Binaries[here]
				if o.Plugin.String() != "model-x" || o.Reason == "" || path != "" && !bytes.Equal(o.Plugin.Checksum, hash[:]) {
					t.Errorf("override %+v", o)
				}
			}
			if path != tt.path || tt.lock != nil && len(tt.dev) == 0 && len(overrides) != len(tt.lock.Plugins) {
				t.Errorf("it starts %q of %v, want %q", path, overrides, tt.path)
			}
			if (len(problems) > 0) != (tt.want != nil) {
				t.Fatalf("it finds wrong: %v", problems)
			}
			for _, w := range tt.want {
				if text := problems["model-x"].Summary + problems["model-x"].Detail; !strings.Contains(text, w) {
					t.Errorf("it says %q, without %q", text, w)
				}
			}
		})
	}
}
