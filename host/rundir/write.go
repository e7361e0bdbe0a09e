package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile puts data into the file path: written beside it, synced, renamed.
func WriteFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// WriteDir makes the folder path: fill writes it into an empty folder beside it,
// which is then synced, file by file, and renamed. A folder that is there is
// replaced.
func WriteDir(path string, fill func(dir string) error) error {
	path = filepath.Clean(path)
	parent, name := filepath.Dir(path), filepath.Base(path)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "."+name+".new-*")
	if err != nil {
		return err
	}
	err = fill(dir)
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		err = syncTree(dir)
	}
	if err == nil {
		err = replaceDir(dir, path)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	return nil
}

// replaceDir renames dir to path. What stands there steps aside first: a crash
// between the two renames leaves it under the name that Open puts back.
func replaceDir(dir, path string) error {
	parent, name := filepath.Dir(path), filepath.Base(path)
	aside := filepath.Join(parent, "."+name+".old")
	err := os.Rename(path, aside)
	replaced := err == nil
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(dir, path); err != nil {
		return err
	}
	if err := syncDir(parent); err != nil {
		return err
	}
	if replaced {
		return os.RemoveAll(aside)
	}
	return nil
}

// syncTree brings every file and folder below dir to the disk.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return syncDir(path)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}
