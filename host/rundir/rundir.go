// Package rundir is the folder that a run leaves: its names, and how files come
// into it so that a crash at any moment leaves it whole.
//
//	runs/NAME/
//	  run.json             what ran
//	  metrics.jsonl        every record (package metrics)
//	  checkpoints/step-N/  what a resumed run needs
//	  adapter/ or model/   the result
//	  lock                 held while a host works on the run
//
// A checkpoint, and the result, is written into a folder beside its place, synced
// and renamed: it is there whole, or not at all.
package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// The names in a run's folder.
const (
	RunFile         = "run.json"
	MetricsFile     = "metrics.jsonl"
	CheckpointsName = "checkpoints"
	AdapterName     = "adapter"
	ModelName       = "model"
	lockFile        = "lock"
)

// A Dir is the folder of a run, locked by this process.
type Dir struct {
	Path string
	lock *os.File
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// ValidName reports whether name can name a run: letters, digits, points,
// underscores and hyphens, the first a letter or digit.
func ValidName(name string) bool { return len(name) <= 100 && namePattern.MatchString(name) }

// Create makes the folder for a new run below parent: parent/name or, where that
// exists, parent/name-2, and so on.
func Create(parent, name string) (*Dir, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	}
	for n := 1; n <= 100000; n++ {
		path := filepath.Join(parent, name)
		if n > 1 {
			path = fmt.Sprintf("%s-%d", path, n)
		}
		err := os.Mkdir(path, 0o755)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("run folder: %w", err)
		}
		return Open(path)
	}
	return nil, fmt.Errorf("run folder: %s has too many runs called %s", parent, name)
}

// CreateAt makes the folder path for a new run. It may exist, but not hold a run.
func CreateAt(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	}
	if _, err := os.Stat(filepath.Join(path, RunFile)); err == nil {
		return nil, fmt.Errorf("run folder: %s already holds a run; to go on with it: -resume %s", path, path)
	}
	return Open(path)
}

// ErrLocked says that another process holds a lock.
var ErrLocked = errors.New("another hone process works on it")

// Lock takes the lock on the file at path, which it makes if need be. The lock ends
// when the file is closed, or with the process. Where another has it the error is
// ErrLocked.
func Lock(path string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := tryLock(lock); err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// Open locks an existing folder and removes what a crash left half-written.
func Open(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	}
	lock, err := Lock(filepath.Join(path, lockFile))
	if err != nil {
		return nil, fmt.Errorf("run folder %s: %w", path, err)
	}
	d := &Dir{Path: path, lock: lock}
	if err := d.clean(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Close gives the lock back.
func (d *Dir) Close() error { return d.lock.Close() }

// Join is a path in the folder.
func (d *Dir) Join(names ...string) string {
	return filepath.Join(append([]string{d.Path}, names...)...)
}

// clean removes folders that were being written when a host died, and puts back
// one that was being replaced.
func (d *Dir) clean() error {
	for _, parent := range []string{d.Path, d.Join(CheckpointsName)} {
		entries, err := os.ReadDir(parent)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("run folder: %w", err)
		}
		for _, e := range entries {
			if err := cleanEntry(parent, e.Name()); err != nil {
				return fmt.Errorf("run folder: %w", err)
			}
		}
	}
	return nil
}

// Hidden names of what is on its way in or out.
var (
	newPattern = regexp.MustCompile(`^\.(.+)\.new-[0-9]+$`)
	oldPattern = regexp.MustCompile(`^\.(.+)\.old$`)
)

func cleanEntry(parent, name string) error {
	path := filepath.Join(parent, name)
	if newPattern.MatchString(name) {
		return os.RemoveAll(path)
	}
	m := oldPattern.FindStringSubmatch(name)
	if m == nil {
		return nil
	}
	target := filepath.Join(parent, m[1])
	if _, err := os.Stat(target); errors.Is(err, os.ErrNotExist) {
		return os.Rename(path, target)
	}
	return os.RemoveAll(path)
}
