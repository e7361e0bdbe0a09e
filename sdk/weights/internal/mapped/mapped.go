// Package mapped gives a file's bytes without copying them, by mapping it into
// memory where the system can, and keeps reading it from killing the process.
//
// Two things make a mapping dangerous: it may be unmapped while it is read, and
// the file under it may be cut short, so that reading what is gone raises SIGBUS.
// Every access therefore goes through [File.Guard], which holds the mapping open
// and turns such a fault into an error that names the file.
package mapped

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"runtime/debug"
	"sync"
	"time"
	"unsafe"
)

// ErrTruncated is in the error of a read that met bytes which the file no longer
// has.
var ErrTruncated = errors.New("the file was cut short while it was read")

// ErrChanged is in the error of [File.Unchanged].
var ErrChanged = errors.New("the file was changed while it was in use")

// A File is the content of a file, fixed at the length that it had when it was
// opened. Its methods may be called from several goroutines at once.
type File struct {
	path  string
	data  []byte
	unmap func([]byte) error // nil where data is ordinary memory

	file     *os.File // nil for FromBytes
	modified time.Time

	mu      sync.Mutex
	readers int
	closed  bool
}

// Open maps the regular file at path, or, where the system has no mapping that
// hone knows, reads it into memory.
func Open(path string) (*File, error) {
	// Before opening: a named pipe would block.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	m, err := mapFile(f, path)
	if err != nil {
		f.Close()
		return nil, err
	}
	return m, nil
}

func mapFile(f *os.File, path string) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > math.MaxInt {
		return nil, fmt.Errorf("%s has %d bytes, too many for this machine's addresses", path, info.Size())
	}
	m := &File{path: path, file: f, modified: info.ModTime()}
	if info.Size() == 0 {
		return m, nil
	}
	m.data, m.unmap, err = mapping(f, int(info.Size()))
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	return m, nil
}

// FromBytes makes a File of data in memory; name stands for it in errors.
func FromBytes(name string, data []byte) *File {
	return &File{path: name, data: data}
}

// Path is the path that the file was opened by.
func (m *File) Path() string { return m.path }

// Bytes is the whole content. It is valid until Close, and to be read inside
// [File.Guard] alone.
func (m *File) Bytes() []byte { return m.data }

// Guard calls read, keeping the mapping for as long as it runs, and returns its
// error. A fault inside the mapping, in the calling goroutine, becomes an error
// that wraps [ErrTruncated]. After Close it fails with [fs.ErrClosed] without
// calling read.
func (m *File) Guard(read func() error) (err error) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return fmt.Errorf("%s: %w", m.path, fs.ErrClosed)
	}
	m.readers++
	m.mu.Unlock()
	defer m.release()

	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			fault, ok := r.(interface{ Addr() uintptr })
			if !ok || !m.holds(fault.Addr()) {
				panic(r)
			}
			err = fmt.Errorf("%s: %w", m.path, ErrTruncated)
		}
	}()
	return read()
}

// holds reports whether address lies in the mapping.
func (m *File) holds(address uintptr) bool {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(m.data)))
	return address >= start && address-start < uintptr(len(m.data))
}

func (m *File) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.readers--
	if m.closed && m.readers == 0 {
		// Close has returned already; there is nobody to tell.
		_ = m.free()
	}
}

// Unchanged fails, wrapping [ErrChanged], where the file's length or time of
// modification is no longer what it was at Open: what was read may be a mixture.
// A file that another took the place of, by a rename, is still the old one.
func (m *File) Unchanged() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return fmt.Errorf("%s: %w", m.path, fs.ErrClosed)
	}
	if m.file == nil {
		return nil
	}
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != int64(len(m.data)) {
		return fmt.Errorf("%s: %w: it had %d bytes and has %d", m.path, ErrChanged, len(m.data), info.Size())
	}
	if !info.ModTime().Equal(m.modified) {
		return fmt.Errorf("%s: %w: it was written at %s", m.path, ErrChanged, info.ModTime().Format(time.DateTime))
	}
	return nil
}

// Close ends access to the file: at once, or when the last running Guard
// returns. Closing twice is no error.
func (m *File) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	if m.readers > 0 {
		return nil
	}
	return m.free()
}

func (m *File) free() error {
	var errs []error
	if m.unmap != nil && m.data != nil {
		errs = append(errs, m.unmap(m.data))
	}
	m.data = nil
	if m.file != nil {
		errs = append(errs, m.file.Close())
	}
	return errors.Join(errs...)
}

// readAll is what stands in for a mapping where there is none.
func readAll(f *os.File, size int) ([]byte, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, int64(size)), data); err != nil {
		return nil, err
	}
	return data, nil
}
