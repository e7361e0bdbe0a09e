package installer_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/host/distribution/installer"
	"github.com/honeml/hone/host/distribution/lock"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/distribution/source"
	"github.com/honeml/hone/host/distribution/store"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/plugin"
)

// The platforms of the tests' releases.
const (
	here  = release.Platform("linux_amd64")
	other = release.Platform("darwin_arm64")
)

// Keys of two authors.
var alice, bob = key(), key()

func key() release.Key {
	public, _, err := release.GenerateKey("")
	if err != nil {
		panic(err)
	}
	return public
}

// A shelf is a source.
type shelf struct {
	releases []*release.Release
	asked    int   // how often anything was wanted of it
	broken   error // what fetching ends with
}

// publish adds a release with builds whose content is name, version and platform.
func (s *shelf) publish(version string, key release.Key, platforms ...release.Platform) *release.Release {
	r := &release.Release{
		Name: "model-x", Version: version, Protocol: plugin.ProtocolVersion, Key: key, Builds: map[release.Platform]release.Build{},
	}
	for _, p := range platforms {
		r.Builds[p] = release.Build{BinarySHA256: sha256.Sum256(content(r, p))}
	}
	s.releases = append(s.releases, r)
	return r
}

func content(r *release.Release, p release.Platform) []byte {
	return fmt.Appendf(nil, "%s %s", r, p)
}

func (s *shelf) Versions(context.Context) ([]string, error) {
	s.asked++
	var out []string
	for _, r := range s.releases {
		out = append(out, r.Version)
	}
	return release.SortVersions(out), nil
}

func (s *shelf) Release(_ context.Context, version string) (*release.Release, error) {
	s.asked++
	for _, r := range s.releases {
		if r.Version == version {
			return r, nil
		}
	}
	return nil, &source.NotFoundError{Source: "the shelf", What: "version " + version}
}

func (s *shelf) Fetch(_ context.Context, r *release.Release, p release.Platform, into string) error {
	s.asked++
	if s.broken != nil {
		return s.broken
	}
	return os.WriteFile(filepath.Join(into, release.BinaryName(r.Name, p)), content(r, p), 0o755)
}

var _ source.Source = (*shelf)(nil)

// A bench is an installer with shelves by address, and what it said.
type bench struct {
	*installer.Installer
	shelves map[string]*shelf
	said    strings.Builder
}

func newBench(t *testing.T) *bench {
	b := &bench{shelves: map[string]*shelf{}}
	b.Installer = &installer.Installer{
		Store: &store.Store{Folder: t.TempDir()}, Platform: here,
		Open: func(a source.Address, _ source.Options) (source.Source, error) {
			s := b.shelves[a.String()]
			if s == nil {
				return nil, fmt.Errorf("%s: %w", a, fs.ErrNotExist)
			}
			return s, nil
		},
		Try: func(context.Context, string, string) error { return nil },
		Say: func(format string, args ...any) { fmt.Fprintf(&b.said, format+"\n", args...) },
	}
	return b
}

// shelf is a new source at an address.
func (b *bench) shelf(address string) *shelf {
	s := &shelf{}
	b.shelves[address] = s
	return s
}

func address(t *testing.T, text string) source.Address {
	t.Helper()
	a, err := source.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// fails holds an error to words.
func fails(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error is %q, without %q", err, w)
		}
	}
}

const home = "https://example.com/x"

func TestInstallAndUpdate(t *testing.T) {
	b := newBench(t)
	s := b.shelf(home)
	s.publish("1.0.0", alice, here)
	s.publish("1.1.0", alice, here, other)
	s.publish("2.0.0-rc.1", alice, here)
	e, err := b.Install(t.Context(), address(t, home), "", "")
	if err != nil || e.Version != "1.1.0" || e.Key != alice || e.Source != home {
		t.Fatalf("installed %+v, %v", e, err)
	}
	if said := b.said.String(); !strings.Contains(said, string(alice)) || !strings.Contains(said, "for the first time") {
		t.Errorf("it said %q, without the key", said)
	}
	if c := b.Store.Current("model-x", here); c == nil || c.Version != "1.1.0" {
		t.Errorf("current is %v", c)
	}
	if _, newer, err := b.Update(t.Context(), *e); newer || err != nil {
		t.Errorf("there was nothing newer: %v, %v", newer, err)
	}
	if e, err = b.Install(t.Context(), address(t, home), "", "1.0.0"); err != nil || e.Version != "1.0.0" {
		t.Fatalf("installed %+v, %v", e, err)
	}
	if strings.Count(b.said.String(), string(alice)) != 1 {
		t.Errorf("it showed a key that it knew: %s", &b.said)
	}
	if e, newer, err := b.Update(t.Context(), *e); !newer || err != nil || e.Version != "1.1.0" {
		t.Errorf("updated to %v, %v, %v", e, newer, err)
	}
	if _, err := b.Install(t.Context(), address(t, home), "", "9.0.0"); err == nil {
		t.Error("a version that is not there was installed")
	}

	// A second plugin of the name.
	b.shelf("https://example.com/fork").publish("1.2.0", bob, here)
	_, err = b.Install(t.Context(), address(t, "https://example.com/fork"), "", "")
	fails(t, err, home, "https://example.com/fork", "model-x 1.1.0", "model-x 1.2.0")
	if c := b.Store.Current("model-x", here); c.Version != "1.1.0" || c.Source != home {
		t.Errorf("current is %v", c)
	}
}

func TestNothingHalfInstalled(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(*bench, *shelf)
		want    []string
	}{
		{"no build for this machine", func(_ *bench, s *shelf) { s.publish("1.0.0", "", other) }, []string{"darwin_arm64", "linux_amd64", home}},
		{"the line breaks", func(_ *bench, s *shelf) { s.publish("1.0.0", "", here); s.broken = errors.New("cut") }, []string{"model-x 1.0.0 is not installed", "cut"}},
		{
			"it does not start", func(b *bench, s *shelf) {
				s.publish("1.0.0", "", here)
				b.Try = func(context.Context, string, string) error { return errors.New("segmentation fault") }
			},
			[]string{"does not work here", "segmentation fault"},
		},
		{"a later protocol", func(_ *bench, s *shelf) { s.publish("1.0.0", "", here).Protocol = 99 }, []string{"model-x 1.0.0", "version 99", "version 1"}},
		{"not the key that was named", func(b *bench, s *shelf) { s.publish("1.0.0", bob, here); b.Trusted = []release.Key{alice} }, []string{bob.ID(), "-trust"}},
		{"no key, and one was named", func(b *bench, s *shelf) { s.publish("1.0.0", "", here); b.Trusted = []release.Key{alice} }, []string{"not signed", "-trust"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			tt.prepare(b, b.shelf(home))
			_, err := b.Install(t.Context(), address(t, home), "", "")
			fails(t, err, tt.want...)
			_, err = b.Require(t.Context(), runfile.Requirement{Name: "model-x", Source: home}, nil, installer.RequireOptions{})
			fails(t, err, append(tt.want, "model-x: ")...)
			if entries, err := b.Store.List(here); len(entries) > 0 || err != nil {
				t.Errorf("there are %v, %v", entries, err)
			}
			if files, err := filepath.Glob(filepath.Join(b.Store.Folder, "*", "*")); len(files) > 0 || err != nil {
				t.Errorf("there are %v, %v", files, err)
			}
		})
	}
}

func TestLaterProtocolIsPassedOver(t *testing.T) {
	b := newBench(t)
	s := b.shelf(home)
	s.publish("1.0.0", "", here)
	s.publish("1.1.0", "", here)
	s.publish("2.0.0", "", here).Protocol = plugin.ProtocolVersion + 1
	e, err := b.Install(t.Context(), address(t, home), "", "")
	if err != nil || e.Version != "1.1.0" || !strings.Contains(b.said.String(), "taking model-x 1.1.0") {
		t.Errorf("installed %v, %v; it said %s", e, err, &b.said)
	}
	_, err = b.Install(t.Context(), address(t, home), "", "2.0.0")
	fails(t, err, "2.0.0", "protocol")
	if hint := fault.HintOf(err); !strings.Contains(hint, "version of hone") {
		t.Errorf("the hint is %q", hint)
	}
}

func TestRequire(t *testing.T) {
	b := newBench(t)
	s := b.shelf(home)
	s.publish("1.0.0", alice, here, other)
	s.publish("1.2.0", alice, here, other)
	s.publish("2.0.0", alice, here)
	q := runfile.Requirement{Name: "model-x", Source: home, Version: "~> 1.0"}
	require := func(q runfile.Requirement, locked *lock.Plugin, o installer.RequireOptions) (*lock.Plugin, error) {
		t.Helper()
		return b.Require(t.Context(), q, locked, o)
	}
	got, err := require(q, nil, installer.RequireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != "1.2.0" || got.Key != alice || got.Source != home || got.Constraints != "~> 1.0" || len(got.Binaries) != 2 {
		t.Fatalf("locked %+v", got)
	}
	if c := b.Store.Current("model-x", here); c == nil || c.Version != "1.2.0" {
		t.Errorf("current is %v", c)
	}

	// What is locked stays, and nobody is asked.
	s.publish("1.3.0", alice, here)
	s.asked = 0
	for _, o := range []installer.RequireOptions{{}, {Locked: true}} {
		if kept, err := require(q, got, o); err != nil || kept.Version != "1.2.0" || s.asked > 0 {
			t.Errorf("%+v: locked %v, %v; the source was asked %d times", o, kept, err, s.asked)
		}
	}
	// Other constraints that it meets are noted.
	wider := q
	wider.Version = ">= 1"
	if kept, err := require(wider, got, installer.RequireOptions{}); err != nil || kept.Version != "1.2.0" || kept.Constraints != ">= 1" || got.Constraints != "~> 1.0" {
		t.Errorf("locked %v, %v", kept, err)
	}
	// Those that it does not, or an upgrade, lead to another version.
	if newer, err := require(q, got, installer.RequireOptions{Upgrade: true}); err != nil || newer.Version != "1.3.0" {
		t.Errorf("locked %v, %v", newer, err)
	}
	narrow := q
	narrow.Version = ">= 2"
	_, err = require(narrow, got, installer.RequireOptions{Locked: true})
	fails(t, err, "has version 1.2.0", "wants >= 2")
	if newer, err := require(narrow, got, installer.RequireOptions{}); err != nil || newer.Version != "2.0.0" {
		t.Errorf("locked %v, %v", newer, err)
	}
	narrow.Version = ">= 3"
	_, err = require(narrow, got, installer.RequireOptions{})
	fails(t, err, home, ">= 3", "2.0.0, 1.3.0, 1.2.0, 1.0.0")
}

// A machine of another platform installs what was locked elsewhere.
func TestRequireElsewhere(t *testing.T) {
	b := newBench(t)
	s := b.shelf(home)
	r := s.publish("1.0.0", alice, here, other)
	q := runfile.Requirement{Name: "model-x", Source: home}
	locked := &lock.Plugin{
		Name: "model-x", Version: "1.0.0", Source: home, Key: alice,
		Binaries: map[release.Platform]release.SHA256{other: r.Builds[other].BinarySHA256},
	}
	_, err := b.Require(t.Context(), q, locked, installer.RequireOptions{Locked: true})
	fails(t, err, "linux_amd64", "darwin_arm64")
	got, err := b.Require(t.Context(), q, locked, installer.RequireOptions{})
	if err != nil || got.Binaries[here] != r.Builds[here].BinarySHA256 || len(got.Binaries) != 2 {
		t.Fatalf("locked %+v, %v", got, err)
	}

	// The release was changed since.
	for name, change := range map[string]func(map[release.Platform]release.Build){
		"another binary":   func(builds map[release.Platform]release.Build) { builds[other] = builds[here] },
		"a binary is gone": func(builds map[release.Platform]release.Build) { delete(builds, other) },
	} {
		fresh := newBench(t)
		changed := fresh.shelf(home).publish("1.0.0", alice, here, other)
		change(changed.Builds)
		_, err := fresh.Require(t.Context(), q, got, installer.RequireOptions{})
		if err == nil || !strings.Contains(err.Error(), "not what it was when it was locked") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeys(t *testing.T) {
	tests := []struct {
		name    string
		first   release.Key // that signed what is installed or locked
		then    release.Key
		trusted []release.Key
		want    string // of the error; "": none
	}{
		{"the same", alice, alice, nil, ""},
		{"signed from now on", "", alice, nil, ""},
		{"never signed", "", "", nil, ""},
		{"another's", alice, bob, nil, bob.ID()},
		{"another's, which is trusted", alice, bob, []release.Key{bob}, ""},
		{"another's, and a third is trusted", alice, bob, []release.Key{key()}, bob.ID()},
		{"no longer signed", alice, "", nil, "not signed"},
		{"no longer signed, and the old key is trusted", alice, "", []release.Key{alice}, "not signed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check := func(who string, err error) {
				t.Helper()
				if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s: got %v, want %q", who, err, tt.want)
				}
			}
			q := runfile.Requirement{Name: "model-x", Source: home}
			b := newBench(t)
			s := b.shelf(home)
			s.publish("1.0.0", tt.first, here)
			locked, err := b.Require(t.Context(), q, nil, installer.RequireOptions{})
			if err != nil {
				t.Fatal(err)
			}
			s.publish("1.1.0", tt.then, here)
			b.Trusted = tt.trusted
			_, err = b.Require(t.Context(), q, locked, installer.RequireOptions{Upgrade: true})
			check("the lock file's", err)

			// Elsewhere nothing is installed: the lock file alone knows the key.
			fresh := newBench(t)
			fresh.shelves, fresh.Trusted = b.shelves, tt.trusted
			_, err = fresh.Require(t.Context(), q, locked, installer.RequireOptions{Upgrade: true})
			check("the lock file's, on another machine", err)

			// Another folder has no lock file: the store knows the key.
			b.Store = &store.Store{Folder: t.TempDir()}
			b.Trusted = nil
			old, err := b.Install(t.Context(), address(t, home), "", "1.0.0")
			if err != nil {
				t.Fatal(err)
			}
			b.Trusted = tt.trusted
			_, err = b.Require(t.Context(), q, nil, installer.RequireOptions{})
			check("the store's", err)
			_, _, err = b.Update(t.Context(), *old)
			check("the installed plugin's", err)
		})
	}
}
