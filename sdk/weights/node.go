package weights

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/weights/dtype"
)

// node is a part of an expression, bound to tensors.
type node interface {
	shape() []int
	// read gives the elements from offset on; the range is within the node and
	// not empty.
	read(dst []float32, offset int) error
	// contiguous reports the tensor whose elements from offset on are the node's.
	contiguous() (t *Tensor, offset int, ok bool)
}

// resolver binds an expression to a checkpoint.
type resolver struct {
	checkpoint *Checkpoint
	tensors    []*Tensor // those that are read, in order, each once
	types      []DType   // of what is moved about: the types that hold it without loss
	computes   bool      // values are changed, not only moved
}

func (r *resolver) node(s *graph.Source) (node, error) {
	switch s.Op {
	case graph.SourceTensor:
		return r.tensor(s)
	case graph.SourceElse:
		return r.firstHeld(s)
	}
	shape, err := r.shape(s)
	if err != nil {
		return nil, err
	}
	if s.Op == graph.SourceMXFP4 {
		return r.mxfp4(s, shape)
	}
	args := make([]node, len(s.Args))
	for i, a := range s.Args {
		if args[i], err = r.node(a); err != nil {
			return nil, err
		}
	}
	switch s.Op {
	case graph.SourceSlice:
		return newSlice(args[0], shape, s), nil
	case graph.SourceConcat, graph.SourceStack:
		return newConcat(args, shape, s.Dim), nil
	case graph.SourcePermute:
		return newPermute(args[0], shape, s.Dims), nil
	case graph.SourceReshape:
		return &reshapeNode{node: args[0], dims: shape}, nil
	case graph.SourceAdd:
		r.computes = true
		return &addNode{node: args[0], constant: s.Add}, nil
	case graph.SourceMean:
		return r.mean(args[0], shape, s), nil
	case graph.SourceScale:
		r.computes = true
		return newScale(args[0], args[1], s.Dims), nil
	default:
		return nil, fmt.Errorf("source %s: unknown operation %q", brief(s), s.Op)
	}
}

// shape is the shape of s, checked to be one.
func (r *resolver) shape(s *graph.Source) ([]int, error) {
	shape, err := s.Shape(func(name string) ([]int, bool) {
		t, ok := r.checkpoint.Lookup(name)
		if !ok {
			return nil, false
		}
		return t.Shape, true
	})
	if err != nil {
		return nil, err
	}
	if _, err := dtype.Elements(shape); err != nil {
		return nil, fmt.Errorf("source %s: %w", brief(s), err)
	}
	return shape, nil
}

func (r *resolver) tensor(s *graph.Source) (node, error) {
	for _, name := range s.Names {
		t, ok := r.checkpoint.Lookup(name)
		if !ok {
			continue
		}
		seen := false
		for _, other := range r.tensors {
			seen = seen || other == t
		}
		if !seen {
			r.tensors = append(r.tensors, t)
		}
		r.types = append(r.types, t.DType)
		return tensorNode{t}, nil
	}
	return nil, &graph.MissingTensorError{Names: s.Names}
}

// firstHeld is the first argument whose tensors the checkpoint holds.
func (r *resolver) firstHeld(s *graph.Source) (node, error) {
	var first error
	for _, a := range s.Args {
		trial := resolver{checkpoint: r.checkpoint, tensors: slices.Clip(r.tensors), types: slices.Clip(r.types), computes: r.computes}
		n, err := trial.node(a)
		if err == nil {
			*r = trial
			return n, nil
		}
		var missing *graph.MissingTensorError
		if !errors.As(err, &missing) {
			return nil, err
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// tensorNode is a tensor.
type tensorNode struct{ t *Tensor }

func (n tensorNode) shape() []int                         { return n.t.Shape }
func (n tensorNode) read(dst []float32, offset int) error { return n.t.Float32(dst, offset) }
func (n tensorNode) contiguous() (*Tensor, int, bool)     { return n.t, 0, true }

// reshapeNode has the elements of another node in another shape.
type reshapeNode struct {
	node
	dims []int
}

func (n *reshapeNode) shape() []int { return n.dims }

// addNode adds a constant to each element.
type addNode struct {
	node
	constant float32
}

func (n *addNode) read(dst []float32, offset int) error {
	if err := n.node.read(dst, offset); err != nil {
		return err
	}
	for i := range dst {
		dst[i] += n.constant
	}
	return nil
}

func (n *addNode) contiguous() (*Tensor, int, bool) { return nil, 0, false }

// concatNode joins its parts. For each index of the dimensions before the one
// along which they are joined, it has a run of elements from each part in turn.
// A stack is the same: a part's run is one index of the new dimension.
type concatNode struct {
	parts []node
	dims  []int
	runs  []int // elements in a run of each part
	ends  []int // sums of runs
}

func newConcat(parts []node, shape []int, dim int) node {
	n := &concatNode{parts: parts, dims: shape}
	end := 0
	for _, p := range parts {
		run := product(p.shape()[dim:])
		end += run
		n.runs = append(n.runs, run)
		n.ends = append(n.ends, end)
	}
	if len(parts) == 1 {
		return &reshapeNode{node: parts[0], dims: shape}
	}
	return n
}

func (n *concatNode) shape() []int { return n.dims }

func (n *concatNode) read(dst []float32, offset int) error {
	total := n.ends[len(n.ends)-1]
	for len(dst) > 0 {
		outer, rest := offset/total, offset%total
		i := sort.SearchInts(n.ends, rest+1) // the part that holds rest; empty ones are passed over
		within := rest - (n.ends[i] - n.runs[i])
		count := min(n.runs[i]-within, len(dst))
		if err := n.parts[i].read(dst[:count], outer*n.runs[i]+within); err != nil {
			return err
		}
		dst, offset = dst[count:], offset+count
	}
	return nil
}

func (n *concatNode) contiguous() (*Tensor, int, bool) { return nil, 0, false }
