package events

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Recovered is where the writer of a folder's event files got to.
type Recovered struct {
	Mark Mark  // of the last record that is there; zero: none
	Step int64 // of that record
}

// Recover reads the event files of a folder from the newest to the oldest until
// one has a mark. A frame that a killed writer left incomplete ends its file, as
// it does for readers. A folder that does not exist holds nothing.
func Recover(dir string) (Recovered, error) {
	names, err := fileNames(dir)
	if err != nil {
		return Recovered{}, err
	}
	for i := len(names) - 1; i >= 0; i-- {
		found, err := recoverFile(filepath.Join(dir, names[i]))
		if err != nil {
			return Recovered{}, err
		}
		if found.Mark != (Mark{}) {
			return found, nil
		}
	}
	return Recovered{}, nil
}

func recoverFile(path string) (Recovered, error) {
	file, err := os.Open(path)
	if err != nil {
		return Recovered{}, fmt.Errorf("cannot read an event file: %w", err)
	}
	defer file.Close()
	frames := NewFrameReader(bufio.NewReaderSize(file, 1<<20))
	var found Recovered
	for {
		payload, err := frames.Next()
		var notRead *fs.PathError
		switch {
		case errors.Is(err, io.EOF):
			return found, nil
		case errors.As(err, &notRead):
			return Recovered{}, fmt.Errorf("cannot read an event file: %w", err)
		case err != nil: // torn or damaged: what follows is lost to every reader
			return found, nil
		}
		head, err := ParseHead(payload)
		if err == nil && head.Mark != (Mark{}) {
			found = Recovered{Mark: head.Mark, Step: head.Step}
		}
	}
}

// RemoveSuffixed removes the event files of a folder whose names end in suffix.
func RemoveSuffixed(dir, suffix string) error {
	names, err := fileNames(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, suffix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove an event file: %w", err)
		}
	}
	return nil
}
