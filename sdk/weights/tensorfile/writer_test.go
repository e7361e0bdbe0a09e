package tensorfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/honeml/hone/sdk/weights/dtype"
)

// parts lays out n tensors of eight bytes, with eight bytes between them.
func parts(n int) []Part {
	var all []Part
	for i := range n {
		all = append(all, Part{Spec{string(rune('a' + i)), dtype.U8, []int{8}}, int64(8 + 16*i), 8})
	}
	return all
}

func TestWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	w, err := Create(path, []byte("header"), parts(3), 60, Options{Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var wg sync.WaitGroup
	for _, tensor := range w.Tensors() {
		wg.Go(func() {
			for range 8 {
				if _, err := tensor.Write([]byte(tensor.Spec().Name)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there before Commit: %v", err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	gap := strings.Repeat("\x00", 8)
	if want := "header\x00\x00aaaaaaaa" + gap + "bbbbbbbb" + gap + "cccccccc" + gap + "\x00\x00\x00\x00"; err != nil || string(data) != want {
		t.Errorf("%q, %v; want %q", data, err, want)
	}
	if err := w.Close(); err != nil {
		t.Errorf("Close after Commit: %v", err)
	}
}

func TestWriteRefusesTooMuch(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "x"), nil, parts(2), 40, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	a, err := w.Tensor("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		bytes int
		ok    bool
	}{{9, false}, {5, true}, {4, false}, {3, true}, {0, true}, {1, false}} {
		n, err := a.Write(make([]byte, tt.bytes))
		if (err == nil) != tt.ok || tt.ok && n != tt.bytes || !tt.ok && n != 0 {
			t.Errorf("%d bytes: %d were written, %v", tt.bytes, n, err)
		}
	}
	if _, err := w.Tensor("c"); err == nil || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("a tensor that was not declared: %v", err)
	}
}

func TestCloseAbandons(t *testing.T) {
	folder := t.TempDir()
	w, err := Create(filepath.Join(folder, "x"), nil, parts(1), 20, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("%v is left, %v", entries, err)
	}
}

// TestCommitOverFolder fails at the last step, the rename.
func TestCommitOverFolder(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "x")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := Create(path, nil, nil, 0, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Commit over a folder: %v", err)
	}
	if _, err := os.Stat(path + ".partial"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the partial file: %v", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	if _, err := Create(filepath.Join(t.TempDir(), "none", "x"), nil, nil, 0, Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a folder that is not there: %v", err)
	}
	twice := append(parts(1), parts(1)...)
	if _, err := Create(filepath.Join(t.TempDir(), "x"), nil, twice, 40, Options{}); err == nil || !strings.Contains(err.Error(), `tensor "a" is declared twice`) {
		t.Errorf("a tensor declared twice: %v", err)
	}
}
