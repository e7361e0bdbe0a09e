package weights

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/honeml/hone/sdk/weights/gguf"
	"github.com/honeml/hone/sdk/weights/safetensors"
)

// A Checkpoint is the tensors of one or more files. Its methods may be called
// from several goroutines at once.
type Checkpoint struct {
	containers []container
	files      []string
	gguf       *gguf.File
	tensors    map[string]*Tensor
	names      []string
}

// Lookup returns the tensor called name.
func (c *Checkpoint) Lookup(name string) (*Tensor, bool) {
	t, ok := c.tensors[name]
	return t, ok
}

// Names are the names of all tensors, sorted. The caller must not change them.
func (c *Checkpoint) Names() []string { return c.names }

// Tensors yields all tensors in the order of their names.
func (c *Checkpoint) Tensors() iter.Seq[*Tensor] {
	return func(yield func(*Tensor) bool) {
		for _, name := range c.names {
			if !yield(c.tensors[name]) {
				return
			}
		}
	}
}

// Files are the paths of all files that were opened, indexes included, in the
// order in which they were: what to hash to know the weights again.
func (c *Checkpoint) Files() []string { return slices.Clone(c.files) }

// GGUF is the GGUF file whose key-values describe the model: the first split, the
// first where several were opened. It is nil where none was.
func (c *Checkpoint) GGUF() *gguf.File { return c.gguf }

// Unchanged fails where a file was written to since it was opened. Called after
// reading, it tells that what was read is of one piece.
func (c *Checkpoint) Unchanged() error {
	for _, f := range c.containers {
		if err := f.Unchanged(); err != nil {
			return err
		}
	}
	return nil
}

// Close unmaps the files. Reads that are under way end normally; later ones fail
// with fs.ErrClosed. Data that was taken from tensors must no longer be used.
func (c *Checkpoint) Close() error {
	var errs []error
	for _, f := range c.containers {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// addGGUF adds splits, the first with the key-values.
func (c *Checkpoint) addGGUF(files []*gguf.File) {
	if c.gguf == nil && len(files) > 0 {
		c.gguf = files[0]
	}
	for _, f := range files {
		c.containers = append(c.containers, f)
		c.files = append(c.files, f.Path())
	}
}

func (c *Checkpoint) addSafetensors(files []*safetensors.File) {
	for _, f := range files {
		c.containers = append(c.containers, f)
		c.files = append(c.files, f.Path())
	}
}

// gather lists the tensors of all files.
func (c *Checkpoint) gather() error {
	c.tensors = map[string]*Tensor{}
	for _, f := range c.containers {
		for _, info := range f.Tensors() {
			if other := c.tensors[info.Name]; other != nil {
				return fmt.Errorf("tensor %q stands in %s and in %s: leave one of the files out", info.Name, other.File, f.Path())
			}
			c.tensors[info.Name] = &Tensor{
				Name: info.Name, DType: info.DType, Shape: info.Shape, Data: info.Data,
				File: f.Path(), typeName: info.TypeName, file: f,
			}
		}
	}
	c.names = slices.Sorted(maps.Keys(c.tensors))
	return nil
}

var (
	_ container = (*gguf.File)(nil)
	_ container = (*safetensors.File)(nil)
)
