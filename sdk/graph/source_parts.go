package graph

import (
	"fmt"
	"slices"
)

// A StoredPart is a tensor of a checkpoint, as an expression over the parameter that a source
// makes of it and others.
type StoredPart struct {
	Name   string
	Shape  []int
	Source *Source
}

// Parts undoes a source that gives a parameter of that shape: it lists the checkpoint's
// tensors, each made of whole, the parameter. Of alternatives the first is listed, and
// what is joined is taken to have equal parts. It fails where the source keeps less
// than the checkpoint holds, such as a slice.
func (s *Source) Parts(shape []int, whole *Source) ([]StoredPart, error) {
	switch s.Op {
	case SourceTensor:
		return []StoredPart{{s.Names[0], shape, whole}}, nil
	case SourceElse:
		return s.Args[0].Parts(shape, whole)
	case SourceAdd:
		return s.Args[0].Parts(shape, whole.Plus(-s.Add))
	case SourcePermute:
		if len(s.Dims) != len(shape) {
			break
		}
		inverse, from := make([]int, len(shape)), make([]int, len(shape))
		for i, d := range s.Dims {
			inverse[d], from[d] = i, shape[i]
		}
		return s.Args[0].Parts(from, whole.Permute(inverse...))
	case SourceStack, SourceConcat:
		n := len(s.Args)
		if s.Dim >= len(shape) || shape[s.Dim]%n != 0 {
			break
		}
		size := shape[s.Dim] / n
		part := slices.Clone(shape)
		part[s.Dim] = size
		if s.Op == SourceStack {
			part = slices.Delete(part, s.Dim, s.Dim+1)
		}
		var out []StoredPart
		for i, arg := range s.Args {
			own := whole.Slice(s.Dim, i*size, (i+1)*size, 1)
			if s.Op == SourceStack {
				own = own.Reshape(part...)
			}
			parts, err := arg.Parts(part, own)
			if err != nil {
				return nil, err
			}
			out = append(out, parts...)
		}
		return out, nil
	}
	return nil, fmt.Errorf("source: %s of shape %v cannot be undone", s.Op, shape)
}
