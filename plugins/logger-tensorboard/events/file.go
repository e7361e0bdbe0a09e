package events

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// namePrefix begins the name of every event file; readers take any file whose
// name contains "tfevents". The creation time in seconds follows it.
const namePrefix = "events.out.tfevents."

// A File is an event file that is being written. It is not safe for concurrent
// use.
type File struct {
	file   output
	size   int64 // of what was written whole
	frame  []byte
	broken error // what makes further writing impossible
}

// output is what a File needs of an *os.File.
type output interface {
	io.WriteCloser
	Name() string
	Truncate(size int64) error
	Sync() error
}

// Create makes a new event file in the folder dir, which is made as well where
// it is missing, and writes the version to it. Readers take a folder's files in
// the order of their names, so the new one's name sorts after all that are
// there; suffix, which may be empty, ends it.
func Create(dir string, now time.Time, suffix string) (*File, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("cannot make the folder of the event files: %w", err)
	}
	second, err := nextSecond(dir, now)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s%010d.%s.%d.0%s", namePrefix, second, hostname(), os.Getpid(), suffix)
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o666)
	if err != nil {
		return nil, fmt.Errorf("cannot make an event file: %w", err)
	}
	f := &File{file: file}
	if err := f.Write(Event{Time: now, Version: FileVersion}); err != nil {
		file.Close()
		return nil, err
	}
	return f, nil
}

// nextSecond is now in seconds, or the second after the newest file of dir where
// that is later.
func nextSecond(dir string, now time.Time) (int64, error) {
	names, err := fileNames(dir)
	if err != nil {
		return 0, err
	}
	second := now.Unix()
	for _, name := range names {
		if created, ok := creationSecond(name); ok && created >= second {
			second = created + 1
		}
	}
	return second, nil
}

// creationSecond is the time that an event file's name gives.
func creationSecond(name string) (int64, bool) {
	_, rest, _ := strings.Cut(name, namePrefix)
	digits, _, ok := strings.Cut(rest, ".")
	second, err := strconv.ParseInt(digits, 10, 64)
	// A name may claim any number; ten digits are what the format has.
	return second, ok && err == nil && second >= 0 && second < 9_999_999_999
}

// fileNames are the names of dir's event files, sorted. A folder that does not
// exist has none.
func fileNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the event files: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), namePrefix) && entry.Type().IsRegular() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// hostname is the machine's name as a part of a file's.
func hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return strings.Map(func(r rune) rune {
		if r == '/' || r == os.PathSeparator {
			return '_'
		}
		return r
	}, name)
}

// Path is where the file is.
func (f *File) Path() string { return f.file.Name() }

// Write appends an event. It reaches the operating system before Write returns,
// so it outlives the process. A write that fails half-way is undone: readers
// would see nothing behind it.
func (f *File) Write(e Event) error {
	if f.broken != nil {
		return f.broken
	}
	f.frame = AppendFrame(f.frame[:0], e.Append(nil))
	n, err := f.file.Write(f.frame)
	if err == nil {
		f.size += int64(n)
		return nil
	}
	err = fmt.Errorf("cannot write to an event file: %w", err)
	if n > 0 {
		if undo := f.file.Truncate(f.size); undo != nil {
			f.broken = fmt.Errorf("%w; nor take back the part that was written: %w", err, undo)
			return f.broken
		}
	}
	return err
}

// Sync waits until what was written is on the disk.
func (f *File) Sync() error {
	if err := f.file.Sync(); err != nil {
		return fmt.Errorf("cannot sync an event file: %w", err)
	}
	return nil
}

// Close syncs and closes the file.
func (f *File) Close() error { return errors.Join(f.Sync(), f.file.Close()) }
