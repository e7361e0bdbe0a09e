// Package store keeps installed plugins: several versions of each side by side, those
// of other sources too, told apart by the hash of the binary. It knows what is there
// and brings things in and out whole; where they come from, and who may use which, is
// the business of package installer and of the lock file.
//
//	hone/plugins/                              pluginhost.UserFolder
//	  .lock                                    held while something is changed
//	  model-apertus/
//	    1.2.0_linux_amd64_1f0c4be2a9d3/        an [Entry]
//	      hone-plugin-model-apertus
//	      LICENSE, README.md
//	      installed.json                       where it came from
//	    current                                names the entry of runs without a lock
//
// Files called hone-plugin-NAME beside these folders are the user's own, and none of
// the store's business.
//
// An entry appears by a rename, synced, and is never written again. So who reads needs
// no lock, and a program that runs does not notice when its entry is removed.
package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/honeml/hone/host/distribution/release"
)

// A Store is a folder of installed plugins. It need not exist.
type Store struct{ Folder string }

// An Entry is an installed plugin.
type Entry struct {
	Name     string // its full name
	Version  string
	Platform release.Platform
	Source   string // the address that it was installed from; no relative path
	Key      release.Key
	SHA256   release.SHA256 // of the binary
	// Current says that it is what runs without a lock file use.
	Current bool
	// Path is the binary's.
	Path string
}

// String is the plugin's name and version.
func (e Entry) String() string { return e.Name + " " + e.Version }

// Signer is who signed the release, as people read it.
func (e Entry) Signer() string {
	if e.Key == "" {
		return "not signed"
	}
	return "key " + e.Key.ID()
}

const (
	lockFile    = ".lock"
	recordFile  = "installed.json"
	currentFile = "current"
	// recordFormat is the version of recordFile.
	recordFormat = 1
	// maxRecord bounds the files that the store reads whole.
	maxRecord = 64 << 10
)

// A record is installed.json.
type record struct {
	Format   int            `json:"format"`
	Name     string         `json:"name"`
	Version  string         `json:"version"`
	Platform string         `json:"platform"`
	Source   string         `json:"source"`
	Key      string         `json:"key,omitempty"`
	SHA256   release.SHA256 `json:"sha256"`
}

// hashDigits is how much of the hash stands in a folder's name.
const hashDigits = 12

var entryPattern = regexp.MustCompile(`^([0-9][0-9A-Za-z.-]*)_([a-z0-9]+_[a-z0-9]+)_([0-9a-f]{12})$`)

func (e Entry) folder() string {
	return fmt.Sprintf("%s_%s_%s", e.Version, e.Platform, e.SHA256.String()[:hashDigits])
}

// List are the entries for a platform, by name, the newest version first. The error
// joins what is wrong with others; the list is good nonetheless.
func (s *Store) List(platform release.Platform) ([]Entry, error) {
	names, err := readDir(s.Folder)
	if err != nil {
		return nil, err
	}
	var out []Entry
	var errs []error
	for _, name := range names {
		if release.CheckName(name) != nil {
			continue
		}
		entries, err := s.versions(name, platform)
		out, errs = append(out, entries...), append(errs, err)
	}
	return out, errors.Join(errs...)
}

// Find is the entry for a platform whose binary has a hash; nil for none.
func (s *Store) Find(name string, platform release.Platform, hash release.SHA256) *Entry {
	entries, _ := s.versions(name, platform) // what cannot be read is not there
	for i := range entries {
		if entries[i].SHA256 == hash {
			return &entries[i]
		}
	}
	return nil
}

// versions are the entries of a plugin for a platform, newest first.
func (s *Store) versions(name string, platform release.Platform) ([]Entry, error) {
	folders, err := readDir(filepath.Join(s.Folder, name))
	if err != nil {
		return nil, err
	}
	current := s.current(name)
	var out []Entry
	var errs []error
	for _, folder := range folders {
		m := entryPattern.FindStringSubmatch(folder)
		if m == nil || m[2] != string(platform) {
			continue
		}
		e, err := s.read(name, folder)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", filepath.Join(s.Folder, name, folder), err))
			continue
		}
		e.Current = folder == current
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int {
		return cmp.Or(release.CompareVersions(b.Version, a.Version), bytes.Compare(a.SHA256[:], b.SHA256[:]))
	})
	return out, errors.Join(errs...)
}

// readDir lists a folder; one that is not there is empty.
func readDir(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// read reads what an entry's folder says of itself; that has to be what its place says.
func (s *Store) read(name, folder string) (Entry, error) {
	dir := filepath.Join(s.Folder, name, folder)
	data, err := readSmall(filepath.Join(dir, recordFile))
	if err != nil {
		return Entry{}, err
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return Entry{}, fmt.Errorf("%s: %w", recordFile, err)
	}
	if r.Format != recordFormat {
		return Entry{}, fmt.Errorf("%s has format %d, and this hone reads %d", recordFile, r.Format, recordFormat)
	}
	e := Entry{Name: r.Name, Version: r.Version, Platform: release.Platform(r.Platform), Source: r.Source, SHA256: r.SHA256}
	if r.Key != "" {
		if e.Key, err = release.ParseKey(r.Key); err != nil {
			return Entry{}, fmt.Errorf("%s: %w", recordFile, err)
		}
	}
	if e.Name != name || release.CheckVersion(e.Version) != nil || e.folder() != folder {
		return Entry{}, fmt.Errorf("%s is that of %.200q", recordFile, e.String())
	}
	e.Path = filepath.Join(dir, release.BinaryName(e.Name, e.Platform))
	return e, nil
}

// readSmall reads a whole file that ought to be small.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxRecord))
}

// current is the folder of a plugin's current entry, "" for none.
func (s *Store) current(name string) string {
	data, err := readSmall(filepath.Join(s.Folder, name, currentFile))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// Current is what runs without a lock file use of a plugin; nil for none.
func (s *Store) Current(name string, platform release.Platform) *Entry {
	entries, _ := s.versions(name, platform) // what cannot be read is not there
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Current })
	if i < 0 {
		return nil
	}
	return &entries[i]
}

// Verify hashes an entry's binary. The error is a [*ChangedError] where it is not what
// was installed.
func (s *Store) Verify(e Entry) error {
	_, got, err := release.HashFile(e.Path)
	if err != nil {
		return err
	}
	if got != e.SHA256 {
		return &ChangedError{Path: e.Path, Installed: e.SHA256, Found: got}
	}
	return nil
}

// A ChangedError says that a binary is not what was installed.
type ChangedError struct {
	Path             string
	Installed, Found release.SHA256
}

// Error names both hashes.
func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s was changed after it was installed: its SHA-256 was %s and is %s", e.Path, e.Installed, e.Found)
}
