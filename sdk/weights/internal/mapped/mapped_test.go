package mapped

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func write(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weights.bin")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *File {
	t.Helper()
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestReadsTheFile(t *testing.T) {
	for _, size := range []int{0, 1, 5000, 1 << 20} {
		want := bytes.Repeat([]byte{7}, size)
		m := open(t, write(t, want))
		if err := m.Guard(func() error {
			if !bytes.Equal(m.Bytes(), want) {
				t.Errorf("%d bytes read differ", size)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if err := m.Unchanged(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := Open(os.DevNull); err == nil {
		t.Error("a device was opened")
	}
}

// TestTruncatedFile cuts the file under its mapping: without Guard, reading it
// would end the process with SIGBUS.
func TestTruncatedFile(t *testing.T) {
	path := write(t, make([]byte, 1<<20))
	m := open(t, path)
	if err := os.Truncate(path, 1); err != nil {
		t.Fatal(err)
	}
	var sum byte
	err := m.Guard(func() error {
		for _, b := range m.Bytes() {
			sum += b
		}
		return nil
	})
	if m.unmap == nil {
		t.Skip("files are not mapped on this system")
	}
	if !errors.Is(err, ErrTruncated) || !strings.Contains(err.Error(), path) {
		t.Errorf("reading a truncated file: %v", err)
	}
	if err := m.Unchanged(); !errors.Is(err, ErrChanged) {
		t.Errorf("Unchanged of a truncated file: %v", err)
	}
}

func TestOtherPanicsPass(t *testing.T) {
	m := open(t, write(t, []byte{1}))
	defer func() {
		if r := recover(); r != "mine" {
			t.Errorf("recovered %v", r)
		}
		if m.readers != 0 {
			t.Errorf("%d readers are left", m.readers)
		}
	}()
	_ = m.Guard(func() error { panic("mine") })
}

func TestUnchangedSeesAWrite(t *testing.T) {
	path := write(t, []byte{1, 2, 3})
	m := open(t, path)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if err := m.Unchanged(); !errors.Is(err, ErrChanged) {
		t.Errorf("Unchanged: %v", err)
	}
}

func TestClose(t *testing.T) {
	m := open(t, write(t, []byte{1, 2, 3}))
	// A reader that is inside keeps the mapping.
	if err := m.Guard(func() error {
		if err := m.Close(); err != nil {
			return err
		}
		if m.Bytes()[2] != 3 {
			t.Error("the mapping is gone")
		}
		return m.Guard(func() error { t.Error("a reader entered after Close"); return nil })
	}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Guard after Close: %v", err)
	}
	if m.Bytes() != nil {
		t.Error("the mapping outlived its last reader")
	}
	if err := m.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if err := m.Unchanged(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Unchanged after Close: %v", err)
	}
}

func TestManyReaders(t *testing.T) {
	m := open(t, write(t, bytes.Repeat([]byte{1}, 10000)))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				sum := 0
				err := m.Guard(func() error {
					for _, b := range m.Bytes() {
						sum += int(b)
					}
					return nil
				})
				if errors.Is(err, fs.ErrClosed) {
					return
				}
				if err != nil || sum != 10000 {
					t.Errorf("sum %d, %v", sum, err)
				}
			}
		})
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

func TestFromBytes(t *testing.T) {
	m := FromBytes("in memory", []byte{4})
	if err := m.Unchanged(); err != nil {
		t.Error(err)
	}
	if m.Path() != "in memory" || m.Bytes()[0] != 4 {
		t.Errorf("%q holds %v", m.Path(), m.Bytes())
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := m.Guard(func() error { return nil }); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Guard after Close: %v", err)
	}
}
