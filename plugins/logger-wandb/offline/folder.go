package offline

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// NewID is a new run's ID: eight random characters of [a-z0-9].
func NewID() string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	id := make([]byte, 0, 8)
	for len(id) < cap(id) {
		var random [16]byte
		_, _ = rand.Read(random[:]) // never fails
		for _, b := range random {
			// Bytes from the last, incomplete multiple of 36 on would favour some letters.
			if int(b) < 256/len(letters)*len(letters) && len(id) < cap(id) {
				id = append(id, letters[int(b)%len(letters)])
			}
		}
	}
	return string(id)
}

// Folder is the path of a new run's folder below parent: in the folder .wandb
// where parent has one, as W&B does, in wandb otherwise.
func Folder(parent, id string, start time.Time) string {
	root := filepath.Join(parent, "wandb")
	if info, err := os.Stat(filepath.Join(parent, ".wandb")); err == nil && info.IsDir() {
		root = filepath.Join(parent, ".wandb")
	}
	return filepath.Join(root, fmt.Sprintf("offline-run-%s-%s", start.Format("20060102_150405"), id))
}

// linkLatest points latest-run, beside the run's folder, at it.
func linkLatest(folder string) error {
	link := filepath.Join(filepath.Dir(folder), "latest-run")
	fresh := link + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(filepath.Base(folder), fresh); err != nil {
		return err
	}
	return os.Rename(fresh, link)
}

// replaceFile writes a file as a whole: readers see the old one or the new one.
func replaceFile(path string, data []byte) error {
	if err := os.WriteFile(path+".new", data, 0o666); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
