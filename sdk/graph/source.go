package graph

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SourceOp names what a Source does.
type SourceOp string

// The operations of a Source.
const (
	// SourceTensor reads a checkpoint tensor: the first of Names that the
	// checkpoint holds.
	SourceTensor SourceOp = "tensor"
	// SourceSlice keeps the indices Start, Start+Step, … below Stop along Dim.
	SourceSlice SourceOp = "slice"
	// SourceConcat joins Args along Dim.
	SourceConcat SourceOp = "concat"
	// SourceStack joins Args along a new dimension Dim.
	SourceStack SourceOp = "stack"
	// SourcePermute reorders dimensions: dimension i of the result is
	// dimension Dims[i] of the argument.
	SourcePermute SourceOp = "permute"
	// SourceReshape gives the row-major elements the shape Dims.
	SourceReshape SourceOp = "reshape"
	// SourceAdd adds the constant Add to every element, in float32.
	SourceAdd SourceOp = "add"
	// SourceMean is Rows equal rows, each the mean over the argument's first
	// dimension, rounded to the type of the tensor that it is made of.
	SourceMean SourceOp = "mean"
	// SourceScale multiplies each block of a matrix, of Dims rows and columns, by a
	// number of its own: Args are the matrix and the matrix of these numbers. At the
	// lower and right edges blocks may be smaller.
	SourceScale SourceOp = "scale"
	// SourceMXFP4 unpacks numbers of 4 bits, e2m1, of which 32 neighbours share a power of
	// two, e8m0 (Open Compute Project, 2023): Args are their blocks, bytes [… n 16] with
	// two numbers each, the lower bits first, and the exponents, bytes [… n]; the result is
	// [… 32·n].
	SourceMXFP4 SourceOp = "mxfp4"
	// SourceElse is the first of Args whose tensors the checkpoint holds.
	SourceElse SourceOp = "else"
)

// A Source says where a parameter's values come from: an expression over the
// tensors of a checkpoint. Ties, fused and stacked layouts, permutations and
// renamed tensors are all sources, so that no loader knows an architecture.
//
// Build one with [FromTensor], [Source.Slice], [ConcatSources], [StackSources], [Source.Permute],
// [Source.Reshape], [Source.Plus], [Source.Mean], [Source.Scaled], [MXFP4] and [Source.Else]. Shapes are row-major, as in
// safetensors: a linear's weight is [out, in]. Quantised and half-precision
// tensors are dequantised by the tensor itself, unless their scales are a tensor of
// their own.
type Source struct {
	Op    SourceOp
	Names []string  // SourceTensor
	Args  []*Source // operands; one for the unary operations
	Dim   int       // SourceSlice, SourceConcat, SourceStack

	Start, Stop, Step int // SourceSlice

	Dims []int   // SourcePermute, SourceReshape, SourceScale
	Add  float32 // SourceAdd
	Rows int     // SourceMean
}

// FromTensor is the checkpoint tensor called name or, where the checkpoint lacks
// it, the first of the alternatives that it holds.
func FromTensor(name string, alternatives ...string) *Source {
	return &Source{Op: SourceTensor, Names: append([]string{name}, alternatives...)}
}

// ConcatSources joins sources along dim.
func ConcatSources(dim int, args ...*Source) *Source {
	return &Source{Op: SourceConcat, Dim: dim, Args: args}
}

// StackSources joins sources along a new dimension dim.
func StackSources(dim int, args ...*Source) *Source {
	return &Source{Op: SourceStack, Dim: dim, Args: args}
}

// Slice keeps the indices start, start+step, … below stop along dim.
func (s *Source) Slice(dim, start, stop, step int) *Source {
	return &Source{Op: SourceSlice, Args: []*Source{s}, Dim: dim, Start: start, Stop: stop, Step: step}
}

// Permute reorders dimensions: dimension i of the result is dims[i] of s.
func (s *Source) Permute(dims ...int) *Source {
	return &Source{Op: SourcePermute, Args: []*Source{s}, Dims: dims}
}

// Reshape gives the elements of s, in row-major order, another shape.
func (s *Source) Reshape(dims ...int) *Source {
	return &Source{Op: SourceReshape, Args: []*Source{s}, Dims: dims}
}

// Plus adds the constant c to every element of s.
func (s *Source) Plus(c float32) *Source {
	return &Source{Op: SourceAdd, Args: []*Source{s}, Add: c}
}

// Mean is so many equal rows, each the mean over the first dimension of s.
func (s *Source) Mean(rows int) *Source {
	return &Source{Op: SourceMean, Args: []*Source{s}, Rows: rows}
}

// Scaled multiplies each block of rows by cols elements of s by a number of its own.
func (s *Source) Scaled(by *Source, rows, cols int) *Source {
	return &Source{Op: SourceScale, Args: []*Source{s, by}, Dims: []int{rows, cols}}
}

// MXFP4 unpacks numbers of 4 bits that share exponents; see [SourceMXFP4].
func MXFP4(blocks, exponents *Source) *Source {
	return &Source{Op: SourceMXFP4, Args: []*Source{blocks, exponents}}
}

// Else is s where the checkpoint holds the tensors of s, other where it does not.
func (s *Source) Else(other *Source) *Source {
	return &Source{Op: SourceElse, Args: []*Source{s, other}}
}

// Tensors lists every checkpoint name that s may read, alternatives included,
// in order of first mention.
func (s *Source) Tensors() []string {
	var names []string
	s.walk(func(t *Source) {
		for _, n := range t.Names {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	})
	return names
}

// MapTensors returns s with every tensor replaced by what rename gives for it.
// rename is called with a SourceTensor and may return it as it is.
func (s *Source) MapTensors(rename func(*Source) *Source) *Source {
	if s == nil {
		return nil
	}
	if s.Op == SourceTensor {
		return rename(s)
	}
	out := *s
	out.Args = make([]*Source, len(s.Args))
	for i, a := range s.Args {
		out.Args[i] = a.MapTensors(rename)
	}
	return &out
}

func (s *Source) walk(f func(*Source)) {
	if s == nil {
		return
	}
	f(s)
	for _, a := range s.Args {
		a.walk(f)
	}
}

// maxSourceDepth is how deep expressions may nest: real ones are below ten.
const maxSourceDepth = 64

// Validate reports whether s is a source: known operations, each with operands,
// and tensors with names. Whether shapes fit is known with a checkpoint alone; see
// [Source.Shape].
func (s *Source) Validate() error { return s.validate(0) }

func (s *Source) validate(depth int) error {
	switch {
	case s == nil:
		return errors.New("source: an operand is missing")
	case depth > maxSourceDepth:
		return fmt.Errorf("source: nested more than %d deep", maxSourceDepth)
	}
	switch s.Op {
	case SourceTensor:
		if len(s.Names) == 0 || slices.Contains(s.Names, "") || len(s.Args) > 0 {
			return errors.New("source: a tensor without a name, or with operands")
		}
	case SourceSlice, SourcePermute, SourceReshape, SourceAdd, SourceMean:
		if len(s.Args) != 1 {
			return fmt.Errorf("source: %s of %d operands", s.Op, len(s.Args))
		}
	case SourceScale, SourceMXFP4:
		if len(s.Args) != 2 {
			return fmt.Errorf("source: %s of %d operands", s.Op, len(s.Args))
		}
	case SourceConcat, SourceStack, SourceElse:
		if len(s.Args) == 0 {
			return fmt.Errorf("source: %s of no operands", s.Op)
		}
	default:
		return fmt.Errorf("source: unknown operation %q", s.Op)
	}
	for _, a := range s.Args {
		if err := a.validate(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

// String is the text form of s: tensors by name, alternatives joined by "|",
// the rest as calls, such as reshape(permute(q_proj.weight, 0 2 1), 64 32).
func (s *Source) String() string {
	if s == nil {
		return "none"
	}
	args := make([]string, len(s.Args))
	for i, a := range s.Args {
		args[i] = a.String()
	}
	joined := strings.Join(args, ", ")
	switch s.Op {
	case SourceTensor:
		return strings.Join(s.Names, "|")
	case SourceSlice:
		return fmt.Sprintf("slice(%s, %d, %d:%d:%d)", joined, s.Dim, s.Start, s.Stop, s.Step)
	case SourceConcat, SourceStack:
		return fmt.Sprintf("%s(%d, %s)", s.Op, s.Dim, joined)
	case SourcePermute, SourceReshape, SourceScale:
		dims := make([]string, len(s.Dims))
		for i, d := range s.Dims {
			dims[i] = strconv.Itoa(d)
		}
		return fmt.Sprintf("%s(%s, %s)", s.Op, joined, strings.Join(dims, " "))
	case SourceAdd:
		return fmt.Sprintf("add(%s, %g)", joined, s.Add)
	case SourceMean:
		return fmt.Sprintf("mean(%s, %d)", joined, s.Rows)
	default:
		return fmt.Sprintf("%s(%s)", s.Op, joined)
	}
}

// A MissingTensorError reports that a checkpoint holds none of the tensors that
// would do for a parameter.
type MissingTensorError struct {
	Names []string // in the order in which they were looked for
}

// Error names the tensors that were looked for.
func (e *MissingTensorError) Error() string {
	if len(e.Names) == 1 {
		return fmt.Sprintf("the checkpoint has no tensor %q", e.Names[0])
	}
	return fmt.Sprintf("the checkpoint has none of the tensors %q", e.Names)
}
