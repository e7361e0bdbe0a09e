package tensorfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/halffloat"
)

// Options say how a file is written.
type Options struct {
	// Sync waits, in Commit, until the system has the data on its disk. Without
	// it a file may be lost or incomplete after a loss of power.
	Sync bool
}

// A Writer writes one file whose layout is known. Data may come tensor by tensor
// in any order, and for several tensors at once from several goroutines; nothing
// is held in memory. Bytes between the parts are zero.
//
// The file stands under its name only after [Writer.Commit]; until then it is
// called "NAME.partial". [Writer.Close] without Commit removes it.
type Writer struct {
	path    string
	file    *os.File
	tensors []*TensorWriter
	byName  map[string]*TensorWriter
	sync    bool
	done    bool
}

// Create begins the file at path, which has size bytes in all and starts with
// header.
func Create(path string, header []byte, parts []Part, size int64, options Options) (*Writer, error) {
	w := &Writer{path: path, byName: make(map[string]*TensorWriter, len(parts)), sync: options.Sync}
	for _, p := range parts {
		if w.byName[p.Name] != nil {
			return nil, fmt.Errorf("%s: tensor %q is declared twice", path, p.Name)
		}
		t := &TensorWriter{part: p}
		w.tensors = append(w.tensors, t)
		w.byName[p.Name] = t
	}
	f, err := os.OpenFile(w.partial(), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	w.file = f
	for _, t := range w.tensors {
		t.file = f
	}
	if err := w.begin(header, size); err != nil {
		w.Close()
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return w, nil
}

func (w *Writer) begin(header []byte, size int64) error {
	if err := w.file.Truncate(size); err != nil {
		return err
	}
	_, err := w.file.WriteAt(header, 0)
	return err
}

func (w *Writer) partial() string { return w.path + ".partial" }

// Path is the name that the file will have.
func (w *Writer) Path() string { return w.path }

// Tensors are the file's tensors in the order of their data: the order in which
// writing is fastest.
func (w *Writer) Tensors() []*TensorWriter { return w.tensors }

// Tensor is what takes the data of the tensor called name.
func (w *Writer) Tensor(name string) (*TensorWriter, error) {
	if t := w.byName[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%s: tensor %q was not declared", w.path, name)
}

// Commit checks that every tensor is whole and gives the file its name. If it
// fails, the file that had that name before is as it was.
func (w *Writer) Commit() error {
	if w.done {
		return fmt.Errorf("%s: %w", w.path, fs.ErrClosed)
	}
	defer w.Close()
	for _, t := range w.tensors {
		if t.written != t.part.Size {
			return fmt.Errorf("%s: tensor %q: %d of its %d bytes were written", w.path, t.part.Name, t.written, t.part.Size)
		}
	}
	if w.sync {
		if err := w.file.Sync(); err != nil {
			return fmt.Errorf("writing %s: %w", w.path, err)
		}
	}
	w.done = true
	if err := errors.Join(w.file.Close(), os.Rename(w.partial(), w.path)); err != nil {
		os.Remove(w.partial())
		return fmt.Errorf("writing %s: %w", w.path, err)
	}
	if w.sync {
		return syncFolder(filepath.Dir(w.path))
	}
	return nil
}

// Close abandons the file, unless it was committed; then it does nothing.
func (w *Writer) Close() error {
	if w.done {
		return nil
	}
	w.done = true
	return errors.Join(w.file.Close(), os.Remove(w.partial()))
}

// syncFolder makes a rename in the folder last.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	// Not every system can sync a folder; those that cannot need not.
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, os.ErrInvalid) {
		return fmt.Errorf("syncing %s: %w", path, err)
	}
	return nil
}

// A TensorWriter takes the data of one tensor, from its first element to its
// last. It is for one goroutine at a time.
type TensorWriter struct {
	file    *os.File
	part    Part
	written int64
}

// Spec is the tensor as it was declared.
func (t *TensorWriter) Spec() Spec { return t.part.Spec }

// Write appends to the tensor's bytes, little-endian. More bytes than the tensor
// has are an error, and then none is written.
func (t *TensorWriter) Write(p []byte) (int, error) {
	if left := t.part.Size - t.written; int64(len(p)) > left {
		return 0, fmt.Errorf("tensor %q: %d bytes are too many, %d of %d are left", t.part.Name, len(p), left, t.part.Size)
	}
	n, err := t.file.WriteAt(p, t.part.Offset+t.written)
	t.written += int64(n)
	if err != nil {
		return n, fmt.Errorf("tensor %q: %w", t.part.Name, err)
	}
	return n, nil
}

// WriteFloat32 appends values, converted to the tensor's type: F32, F16 or BF16,
// rounded to nearest even.
func (t *TensorWriter) WriteFloat32(values []float32) error {
	const most = 1 << 16 // elements at a time: enough to make the writes long
	buffer := make([]byte, 4*min(len(values), most))
	for len(values) > 0 {
		n := min(len(values), most)
		data := buffer[:4*n]
		switch t.part.DType {
		case dtype.F32:
			halffloat.EncodeFloat32(data, values[:n])
		case dtype.F16:
			data = data[:2*n]
			halffloat.EncodeFloat16(data, values[:n])
		case dtype.BF16:
			data = data[:2*n]
			halffloat.EncodeBFloat16(data, values[:n])
		default:
			return fmt.Errorf("tensor %q: float32 values cannot be written as %s", t.part.Name, t.part.DType)
		}
		if _, err := t.Write(data); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}
