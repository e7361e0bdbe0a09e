package weights

import (
	"errors"
	"fmt"
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/weights/dtype"
)

// An Array is what a [graph.Source] gives for the tensors of a checkpoint. Nothing
// of it is read before it is asked for. Its methods may be called from several
// goroutines at once, and several that read parts of one Array do not wait for
// each other, but where a part has to be transposed first.
type Array struct {
	source  *graph.Source
	shape   []int
	dtype   DType
	root    node
	tensors []*Tensor
}

// Resolve binds a source to the tensors of a checkpoint: it chooses among
// alternatives and checks the expression's shapes. A missing tensor is a
// [*graph.MissingTensorError].
func Resolve(c *Checkpoint, s *graph.Source) (*Array, error) {
	if err := complete(s); err != nil {
		return nil, err
	}
	r := resolver{checkpoint: c}
	root, err := r.node(s)
	if err != nil {
		return nil, err
	}
	return &Array{source: s, shape: root.shape(), dtype: r.naturalDType(root), root: root, tensors: r.tensors}, nil
}

// complete fails where part of the expression is missing.
func complete(s *graph.Source) error {
	if s == nil {
		return errors.New("a source is missing")
	}
	if s.Op != graph.SourceTensor && len(s.Args) == 0 {
		return fmt.Errorf("source %s: %s of nothing", s, s.Op)
	}
	for _, a := range s.Args {
		if err := complete(a); err != nil {
			return err
		}
	}
	return nil
}

// Source is the expression.
func (a *Array) Source() *graph.Source { return a.source }

// Shape is the shape, row-major.
func (a *Array) Shape() []int { return slices.Clone(a.shape) }

// Elements is the number of elements.
func (a *Array) Elements() int { return product(a.shape) }

// Rows is the size of the first dimension; 1 for a scalar.
func (a *Array) Rows() int {
	if len(a.shape) == 0 {
		return 1
	}
	return a.shape[0]
}

// Cols is the number of elements for each index of the first dimension: seen as a
// matrix, an Array is [Rows, Cols]. It is 1 for a vector.
func (a *Array) Cols() int {
	if len(a.shape) == 0 {
		return 1
	}
	return product(a.shape[1:])
}

// DType is the type in which the elements can be kept without loss and without
// waste: the tensors' own where all have the same and Raw gives the bytes, or
// where it is F16 or BF16, as which MXFP4 counts, and values are only moved about; else
// F32.
func (a *Array) DType() DType { return a.dtype }

// Tensors are the tensors that are read, in the order in which the source
// mentions them.
func (a *Array) Tensors() []*Tensor { return slices.Clone(a.tensors) }

// Readable fails where a tensor is of a type that cannot be converted to float32.
func (a *Array) Readable() error {
	for _, t := range a.tensors {
		if err := t.Readable(); err != nil {
			return err
		}
	}
	return nil
}

// Float32 gives the elements [offset, offset+len(dst)), counted in row-major
// order, as float32. Only what they are made of is read, except where dimensions
// are permuted and rows come out shorter than [shortRun] elements: then the
// smallest part of the argument that is permuted as a whole is kept in memory, as
// float32, for the next calls.
func (a *Array) Float32(dst []float32, offset int) error {
	if err := a.Readable(); err != nil {
		return err
	}
	if n := a.Elements(); offset < 0 || offset > n || len(dst) > n-offset {
		return fmt.Errorf("source %s: elements %d to %d of %d", brief(a.source), offset, offset+len(dst), n)
	}
	if len(dst) == 0 {
		return nil
	}
	return a.root.read(dst, offset)
}

// ReadRows gives len(dst)/Cols whole rows from row first on, as float32.
func (a *Array) ReadRows(dst []float32, first int) error {
	cols := a.Cols()
	if cols == 0 && len(dst) == 0 {
		return nil
	}
	if cols == 0 || len(dst)%cols != 0 || first < 0 || first > a.Rows() {
		return fmt.Errorf("source %s: %d elements from row %d on are no rows of %d by %d",
			brief(a.source), len(dst), first, a.Rows(), cols)
	}
	return a.Float32(dst, first*cols)
}

// Raw gives the elements as the file holds them, without a copy, where they are a
// contiguous part of one tensor: the tensor itself, rows of it, or either in
// another shape. The result has the Array's shape and the tensor's name, type and
// file; quantised blocks are never cut. It stays usable, as any [Tensor].
func (a *Array) Raw() (*Tensor, bool) { return raw(a.root) }

func raw(n node) (*Tensor, bool) {
	t, offset, ok := n.contiguous()
	if !ok {
		return nil, false
	}
	shape := n.shape()
	if slices.Equal(shape, t.Shape) {
		return t, true
	}
	size, err := t.DType.Bytes(shape)
	if err != nil || offset%t.DType.BlockSize() != 0 {
		return nil, false
	}
	start := offset / t.DType.BlockSize() * t.DType.BlockBytes()
	part := *t
	part.Shape = shape
	part.Data = t.Data[start : start+size : start+size]
	return &part, true
}

// A ShapeError reports that a source has another shape than the Graph expects.
type ShapeError struct {
	Source      *graph.Source
	Shape, Want []int
}

// Error names the tensor, or the expression where it is more than a tensor.
func (e *ShapeError) Error() string {
	what := "source " + brief(e.Source)
	if e.Source.Op == graph.SourceTensor && len(e.Source.Names) == 1 {
		what = fmt.Sprintf("tensor %q", e.Source.Names[0])
	}
	return fmt.Sprintf("%s: shape %v, the graph expects %v", what, e.Shape, e.Want)
}

// Check fails where the checkpoint lacks a tensor that s needs, where s has
// another shape than want (a [*ShapeError]), or where a type cannot be read.
// Nothing is read.
func Check(c *Checkpoint, s *graph.Source, want []int) error {
	a, err := Resolve(c, s)
	if err != nil {
		return err
	}
	if !slices.Equal(a.shape, want) {
		named := s
		if len(a.tensors) == 1 && s.Op == graph.SourceTensor {
			named = graph.FromTensor(a.tensors[0].Name) // the alternative that was found
		}
		return &ShapeError{Source: named, Shape: a.Shape(), Want: want}
	}
	return a.Readable()
}

// brief is the text of a source, cut where it is long: a stack of experts names
// hundreds of tensors.
func brief(s *graph.Source) string {
	const most = 200
	text := s.String()
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}

// naturalDType is the type that [Array.DType] documents.
func (r *resolver) naturalDType(root node) DType {
	if t, ok := raw(root); ok {
		return t.DType
	}
	d := r.types[0]
	for _, t := range r.types {
		if t != d {
			return dtype.F32
		}
	}
	if r.computes || d != dtype.F16 && d != dtype.BF16 {
		return dtype.F32
	}
	return d
}
