package datastore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// A File is a log that is being written. It is not safe for concurrent use.
type File struct {
	file   output
	log    *Appender
	size   int64 // of what was written whole
	num    int64 // of the last record
	broken error // what makes further writing impossible
}

// output is what a File needs of an *os.File.
type output interface {
	io.ReadWriteSeeker
	io.Closer
	Name() string
	Truncate(size int64) error
	Sync() error
}

// OpenFile opens a log to add to it; a file that does not exist is made. The
// records that are there go to visit, in their order. What is no whole record at
// the end is cut off, and so is an exit with all that follows it: a log that ends
// goes on. A file that is no log is an error that wraps [ErrForeign], and is left
// as it is.
func OpenFile(path string, visit func(Parsed)) (*File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("cannot open the W&B log: %w", err)
	}
	f := &File{file: file}
	if err := f.read(visit); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := f.cut(); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: cannot cut off its end: %w", path, err)
	}
	return f, nil
}

// read visits the records and finds where the log goes on.
func (f *File) read(visit func(Parsed)) error {
	r, err := NewReader(bufio.NewReaderSize(f.file, 1<<20))
	if errors.Is(err, ErrTorn) {
		return nil // killed before the first record: begin anew
	}
	if err != nil {
		return err
	}
	f.size = r.End()
	for {
		record, err := r.Next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, ErrTorn):
			return nil
		case err != nil:
			return err
		}
		parsed, err := Parse(record)
		if err != nil {
			return err
		}
		if parsed.Exit {
			return nil
		}
		visit(parsed)
		f.size, f.num = r.End(), parsed.Num
	}
}

// cut makes the file end behind what was written whole.
func (f *File) cut() error {
	if err := f.file.Truncate(f.size); err != nil {
		return err
	}
	_, err := f.file.Seek(f.size, io.SeekStart)
	f.log = NewAppender(f.size)
	return err
}

// Restart empties the log.
func (f *File) Restart() error {
	f.size, f.num = 0, 0
	if err := f.cut(); err != nil {
		return fmt.Errorf("cannot empty the W&B log: %w", err)
	}
	return nil
}

// An Entry is a record and the mark that it carries, if any.
type Entry struct {
	Record Record
	Mark   Mark
}

// Append adds records. They reach the operating system together before Append
// returns, so they outlive the process. A write that fails half-way is undone:
// readers would see nothing behind it.
func (f *File) Append(entries ...Entry) error {
	if f.broken != nil {
		return f.broken
	}
	for i, e := range entries {
		f.log.Add(Encode(f.num+int64(i)+1, e.Record, e.Mark))
	}
	n, err := f.file.Write(f.log.Take())
	if err == nil {
		f.size += int64(n)
		f.num += int64(len(entries))
		return nil
	}
	err = fmt.Errorf("cannot write to the W&B log: %w", err)
	if undo := f.cut(); undo != nil {
		f.broken = fmt.Errorf("%w; nor take back the part that was written: %w", err, undo)
		return f.broken
	}
	return err
}

// Close syncs and closes the log.
func (f *File) Close() error {
	err := errors.Join(f.file.Sync(), f.file.Close())
	if err != nil {
		return fmt.Errorf("cannot close the W&B log: %w", err)
	}
	return nil
}
