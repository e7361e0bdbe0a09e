package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/sdk/fault"
)

// Add brings an entry in. fill writes the binary and what belongs to it into a folder,
// where it may also try it. An entry that is there already, and sound, is left as it
// is; one that was changed is replaced. wait is told, once, that another process
// changes the store; nil: nobody.
func (s *Store) Add(ctx context.Context, e Entry, wait func(), fill func(dir string) error) (*Entry, error) {
	unlock, err := s.lock(ctx, wait)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if there := s.Find(e.Name, e.Platform, e.SHA256); there != nil && there.folder() == e.folder() && s.Verify(*there) == nil {
		return there, nil
	}
	parent := filepath.Join(s.Folder, e.Name)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	if err := clean(parent); err != nil {
		return nil, err
	}
	path := filepath.Join(parent, e.folder())
	e.Path = filepath.Join(path, release.BinaryName(e.Name, e.Platform))
	err = rundir.WriteDir(path, func(dir string) error {
		if err := fill(dir); err != nil {
			return err
		}
		filled := e
		filled.Path = filepath.Join(dir, release.BinaryName(e.Name, e.Platform))
		if err := s.Verify(filled); err != nil {
			return err
		}
		data, err := json.MarshalIndent(record{
			recordFormat, e.Name, e.Version, string(e.Platform), e.Source, string(e.Key), e.SHA256,
		}, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, recordFile), append(data, '\n'), 0o644)
	})
	if err != nil {
		os.Remove(parent) // where nothing else is in it
		return nil, err
	}
	return &e, nil
}

// SetCurrent makes an entry what runs without a lock file use.
func (s *Store) SetCurrent(ctx context.Context, e Entry, wait func()) error {
	unlock, err := s.lock(ctx, wait)
	if err != nil {
		return err
	}
	defer unlock()
	if s.Find(e.Name, e.Platform, e.SHA256) == nil {
		return fmt.Errorf("%s is not installed any more", e)
	}
	return rundir.WriteFile(filepath.Join(s.Folder, e.Name, currentFile), []byte(e.folder()+"\n"))
}

// Remove removes entries of one plugin. A plugin whose current one is among them has
// none after that.
func (s *Store) Remove(ctx context.Context, entries []Entry, wait func()) error {
	unlock, err := s.lock(ctx, wait)
	if err != nil {
		return err
	}
	defer unlock()
	for _, e := range entries {
		parent := filepath.Join(s.Folder, e.Name)
		path := filepath.Join(parent, e.folder())
		if s.current(e.Name) == e.folder() {
			if err := os.Remove(filepath.Join(parent, currentFile)); err != nil {
				return err
			}
		}
		aside := filepath.Join(parent, "."+e.folder()+".removed")
		if err := os.Rename(path, aside); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := clean(parent); err != nil {
			return err
		}
		os.Remove(parent) // where nothing else is in it
	}
	return nil
}

// clean removes what interrupted processes left: only the holder of the lock has
// hidden files and folders.
func clean(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			errs = append(errs, os.RemoveAll(filepath.Join(parent, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// lock waits until no other process changes the store.
func (s *Store) lock(ctx context.Context, wait func()) (unlock func(), err error) {
	if s.Folder == "" {
		return nil, fault.New(fault.Storage, "there is no place for installed plugins: neither XDG_DATA_HOME nor HOME is set")
	}
	if err := os.MkdirAll(s.Folder, 0o755); err != nil {
		return nil, err
	}
	for waited := false; ; waited = true {
		lock, err := rundir.Lock(filepath.Join(s.Folder, lockFile))
		if err == nil {
			return func() { lock.Close() }, nil
		}
		if !errors.Is(err, rundir.ErrLocked) {
			return nil, fmt.Errorf("installed plugins: %w", err)
		}
		if !waited && wait != nil {
			wait()
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
