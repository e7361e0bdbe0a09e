package gguf

import (
	"fmt"

	"github.com/honeml/hone/sdk/weights/internal/mapped"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// A File is an open file. Its methods may be called from several goroutines at
// once.
type File struct {
	content *mapped.File
	version uint32

	keys   []string // in the order of the file
	values map[string]value

	tensors []tensorfile.Info // in the order of the file
	index   map[string]int
}

// Open maps the file at path and reads its header. A file that is one of several
// splits is opened alone; see [OpenSplits].
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
		return nil, fmt.Errorf("reading GGUF file %s: %w", content.Path(), err)
	}
	return f, nil
}

// Path is the path that the file was opened by.
func (f *File) Path() string { return f.content.Path() }

// Version is the version of the format: 2 or 3.
func (f *File) Version() int { return int(f.version) }

// Keys are the file's keys in its order. The caller must not change them.
func (f *File) Keys() []string { return f.keys }

// Tensors are the file's tensors in its order. The caller must not change them.
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

// Close ends access to the tensors' data and to the values of keys.
func (f *File) Close() error { return f.content.Close() }
