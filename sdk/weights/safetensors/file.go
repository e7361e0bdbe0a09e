package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/internal/mapped"
	"github.com/honeml/hone/sdk/weights/internal/strictjson"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// maxHeader is the largest header that the reference implementation reads, in bytes.
const maxHeader = 100_000_000

// A File is an open file. Its methods may be called from several goroutines at
// once.
type File struct {
	content  *mapped.File
	metadata map[string]string
	tensors  []tensorfile.Info // in the order of their data
	index    map[string]int
}

// Open maps the file at path and reads its header.
func Open(path string) (*File, error) {
	content, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	return newFile(content)
}

// Parse reads a file that is in memory; name stands for its path in errors.
func Parse(name string, data []byte) (*File, error) {
	return newFile(mapped.FromBytes(name, data))
}

// newFile takes over content, and closes it where it fails.
func newFile(content *mapped.File) (*File, error) {
	f := &File{content: content}
	if err := content.Guard(f.readHeader); err != nil {
		content.Close()
		return nil, fmt.Errorf("reading safetensors file %s: %w", content.Path(), err)
	}
	return f, nil
}

// Path is the path that the file was opened by.
func (f *File) Path() string { return f.content.Path() }

// Metadata is the file's own key-values ("__metadata__"); nil where it has none.
func (f *File) Metadata() map[string]string { return f.metadata }

// Tensors are the file's tensors in the order of their data. The caller must not
// change them.
func (f *File) Tensors() []tensorfile.Info { return f.tensors }

// Lookup returns the tensor called name.
func (f *File) Lookup(name string) (tensorfile.Info, bool) {
	i, ok := f.index[name]
	if !ok {
		return tensorfile.Info{}, false
	}
	return f.tensors[i], true
}

// Guard calls read, which may use the tensors' Data until it returns. If the
// file was cut short since it was opened, Guard fails where reading would have
// ended the process. It fails with fs.ErrClosed after Close.
func (f *File) Guard(read func() error) error { return f.content.Guard(read) }

// Unchanged fails where the file was written to since it was opened.
func (f *File) Unchanged() error { return f.content.Unchanged() }

// Close ends access to the tensors' data.
func (f *File) Close() error { return f.content.Close() }

// entry is a tensor of the header, not yet checked against the data.
type entry struct {
	tensorfile.Info
	begin, end int
}

func (f *File) readHeader() error {
	header, data, err := split(f.content.Bytes())
	if err != nil {
		return err
	}
	entries, err := f.parseHeader(header)
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	return f.place(entries, data)
}

// split cuts a file into header and data.
func split(file []byte) (header, data []byte, err error) {
	if len(file) < 8 {
		return nil, nil, fmt.Errorf("the file has %d bytes, too few for a header", len(file))
	}
	n := binary.LittleEndian.Uint64(file)
	file = file[8:]
	if n > maxHeader {
		return nil, nil, fmt.Errorf("a header of %d bytes: it is no safetensors file, or its header is larger than the format allows", n)
	}
	if n > uint64(len(file)) {
		return nil, nil, fmt.Errorf("the header has %d bytes, only %d follow: the file is cut short", n, len(file))
	}
	header, data = file[:n], file[n:]
	if n == 0 || header[0] != '{' {
		return nil, nil, errors.New("the header does not start with {")
	}
	return header, data, nil
}

func (f *File) parseHeader(header []byte) ([]entry, error) {
	r, err := strictjson.NewReader(header)
	if err != nil {
		return nil, err
	}
	var entries []entry
	err = r.Object(func(name string) error {
		if name == "__metadata__" {
			return f.parseMetadata(r)
		}
		e, err := parseEntry(r)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		e.Name = name
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return entries, r.End()
}

func (f *File) parseMetadata(r *strictjson.Reader) error {
	f.metadata = map[string]string{}
	err := r.Object(func(key string) (err error) {
		f.metadata[key], err = r.String()
		return err
	})
	if err != nil {
		return fmt.Errorf("__metadata__: %w", err)
	}
	return nil
}

func parseEntry(r *strictjson.Reader) (entry, error) {
	var e entry
	var offsets []int
	err := r.Object(func(key string) (err error) {
		switch key {
		case "dtype":
			e.TypeName, err = r.String()
		case "shape":
			e.Shape, err = r.Uints()
		case "data_offsets":
			offsets, err = r.Uints()
		default:
			return r.Skip()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	switch {
	case err != nil:
		return e, err
	case e.TypeName == "" || e.Shape == nil || offsets == nil:
		return e, errors.New("dtype, shape or data_offsets is missing")
	case len(offsets) != 2:
		return e, fmt.Errorf("data_offsets has %d numbers, not 2", len(offsets))
	}
	if d, ok := dtype.Parse(e.TypeName); ok && d.Plain() {
		e.DType = d
	}
	e.begin, e.end = offsets[0], offsets[1]
	return e, nil
}

// place checks that the tensors cover data without gap or overlap, that each has
// as many bytes as its dtype and shape take, and gives each its bytes.
func (f *File) place(entries []entry, data []byte) error {
	slices.SortFunc(entries, func(a, b entry) int {
		if a.begin != b.begin {
			return a.begin - b.begin
		}
		return a.end - b.end
	})
	f.tensors = make([]tensorfile.Info, len(entries))
	f.index = make(map[string]int, len(entries))
	covered := 0
	for i, e := range entries {
		if err := e.check(covered, len(data)); err != nil {
			return fmt.Errorf("tensor %q: %w", e.Name, err)
		}
		e.Data = data[e.begin:e.end:e.end]
		f.tensors[i] = e.Info
		f.index[e.Name] = i
		covered = e.end
	}
	if covered != len(data) {
		return fmt.Errorf("%d bytes after the last tensor belong to none", len(data)-covered)
	}
	return nil
}

// check checks one entry, given where the tensor before it ends and the size of
// the data.
func (e *entry) check(covered, size int) error {
	switch {
	case e.end < e.begin:
		return fmt.Errorf("data_offsets [%d %d] end before they begin", e.begin, e.end)
	case e.begin < covered:
		return fmt.Errorf("data_offsets [%d %d] overlap the tensor before, which ends at %d", e.begin, e.end, covered)
	case e.begin > covered:
		return fmt.Errorf("data_offsets [%d %d] leave a gap after the tensor before, which ends at %d", e.begin, e.end, covered)
	case e.end > size:
		return fmt.Errorf("data_offsets [%d %d] reach beyond the file, which has %d bytes of data: it is cut short", e.begin, e.end, size)
	}
	if _, err := dtype.Elements(e.Shape); err != nil {
		return err
	}
	if !e.DType.Known() {
		return nil // its size cannot be known; it fails when it is used
	}
	n, err := e.DType.Bytes(e.Shape)
	if err != nil {
		return err
	}
	if n != e.end-e.begin {
		return fmt.Errorf("shape %v of %s takes %d bytes, data_offsets [%d %d] hold %d",
			e.Shape, e.DType, n, e.begin, e.end, e.end-e.begin)
	}
	return nil
}
