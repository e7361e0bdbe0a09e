package graph

import (
	"fmt"
	"slices"
)

// Shape returns the shape of s, given those of the tensors it reads. lookup
// reports the shape of the tensor called name and whether it exists. An
// expression that does not fit its operands, or a tensor that is not there, is
// an error that names it.
func (s *Source) Shape(lookup func(name string) ([]int, bool)) ([]int, error) {
	switch s.Op {
	case SourceTensor:
		for _, n := range s.Names {
			if shape, ok := lookup(n); ok {
				return shape, nil
			}
		}
		return nil, &MissingTensorError{Names: s.Names}
	case SourceElse:
		var first error
		for _, a := range s.Args {
			shape, err := a.Shape(lookup)
			if err == nil {
				return shape, nil
			}
			if first == nil {
				first = err
			}
		}
		return nil, first
	}
	shapes := make([][]int, len(s.Args))
	for i, a := range s.Args {
		shape, err := a.Shape(lookup)
		if err != nil {
			return nil, err
		}
		shapes[i] = shape
	}
	shape, err := s.resultShape(shapes)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", s, err)
	}
	return shape, nil
}

func (s *Source) resultShape(args [][]int) ([]int, error) {
	switch s.Op {
	case SourceScale, SourceMXFP4:
		return s.scaledShape(args)
	}
	if len(args) == 0 || (len(args) != 1 && s.Op != SourceConcat && s.Op != SourceStack) {
		return nil, fmt.Errorf("%s of %d operands", s.Op, len(args))
	}
	in := args[0]
	inDim := func(n int) error {
		if s.Dim < 0 || s.Dim >= n {
			return fmt.Errorf("dimension %d of a tensor with %d", s.Dim, n)
		}
		return nil
	}
	switch s.Op {
	case SourceSlice:
		if err := inDim(len(in)); err != nil {
			return nil, err
		}
		if s.Step <= 0 || s.Start < 0 || s.Stop > in[s.Dim] || s.Start > s.Stop {
			return nil, fmt.Errorf("slice %d:%d:%d of %d", s.Start, s.Stop, s.Step, in[s.Dim])
		}
		out := slices.Clone(in)
		out[s.Dim] = (s.Stop - s.Start) / s.Step
		if (s.Stop-s.Start)%s.Step != 0 {
			out[s.Dim]++
		}
		return out, nil
	case SourceConcat:
		if err := inDim(len(in)); err != nil {
			return nil, err
		}
		out := slices.Clone(in)
		for _, a := range args[1:] {
			if len(a) != len(in) {
				return nil, fmt.Errorf("concat of shapes %v and %v", in, a)
			}
			for d := range a {
				if d != s.Dim && a[d] != in[d] {
					return nil, fmt.Errorf("concat of shapes %v and %v along %d", in, a, s.Dim)
				}
			}
			out[s.Dim] += a[s.Dim]
		}
		return out, nil
	case SourceStack:
		if err := inDim(len(in) + 1); err != nil {
			return nil, err
		}
		for _, a := range args[1:] {
			if !slices.Equal(a, in) {
				return nil, fmt.Errorf("stack of shapes %v and %v", in, a)
			}
		}
		return slices.Insert(slices.Clone(in), s.Dim, len(args)), nil
	case SourcePermute:
		if len(s.Dims) != len(in) {
			return nil, fmt.Errorf("permute %v of a tensor with %d dimensions", s.Dims, len(in))
		}
		out := make([]int, len(in))
		seen := make([]bool, len(in))
		for i, d := range s.Dims {
			if d < 0 || d >= len(in) || seen[d] {
				return nil, fmt.Errorf("permute %v is no permutation", s.Dims)
			}
			seen[d] = true
			out[i] = in[d]
		}
		return out, nil
	case SourceReshape:
		if n := elements(s.Dims); n < 0 || n != elements(in) {
			return nil, fmt.Errorf("reshape of %v to %v", in, s.Dims)
		}
		return slices.Clone(s.Dims), nil
	case SourceAdd:
		return in, nil
	case SourceMean:
		if len(in) == 0 || in[0] < 1 || s.Rows < 1 {
			return nil, fmt.Errorf("%d rows of the mean of a tensor of shape %v", s.Rows, in)
		}
		out := slices.Clone(in)
		out[0] = s.Rows
		return out, nil
	}
	return nil, fmt.Errorf("unknown operation %q", s.Op)
}

// scaledShape is the shape of what has scales of its own.
func (s *Source) scaledShape(args [][]int) ([]int, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("%s of %d operands", s.Op, len(args))
	}
	values, scales := args[0], args[1]
	if s.Op == SourceMXFP4 {
		n := len(values) - 1
		if n < 1 || values[n] != 16 || !slices.Equal(values[:n], scales) {
			return nil, fmt.Errorf("mxfp4 of blocks %v and exponents %v", values, scales)
		}
		out := slices.Clone(scales)
		if out[n-1] > maxScaled/32 {
			return nil, fmt.Errorf("mxfp4 of %d blocks a row", out[n-1])
		}
		out[n-1] *= 32
		return out, nil
	}
	if len(values) != 2 || len(scales) != 2 || len(s.Dims) != 2 {
		return nil, fmt.Errorf("scale of shapes %v and %v by blocks of %v", values, scales, s.Dims)
	}
	for d, size := range s.Dims {
		if size < 1 || values[d] < 0 || values[d] > maxScaled || size > maxScaled || scales[d] != (values[d]+size-1)/size {
			return nil, fmt.Errorf("scale of shapes %v and %v by blocks of %v", values, scales, s.Dims)
		}
	}
	return slices.Clone(values), nil
}

// maxScaled bounds the dimensions of what has scales, so that sums and products of
// them are numbers.
const maxScaled = 1 << 40

// elements is the number of elements of a shape, or -1 where a dimension is
// negative or the product does not fit 62 bits.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 || (d > 0 && n > (1<<62)/d) {
			return -1
		}
		n *= d
	}
	return n
}
