package weights

import "github.com/honeml/hone/sdk/graph"

// shortRun is how many elements, read at a time, are too few to be worth a call of
// their own: below it a node reads a larger part of its argument and picks.
const shortRun = 64

// mostPicked bounds, in elements, the part of an argument that a slice reads to
// pick from.
const mostPicked = 1 << 14

// sliceNode keeps the indices start, start+step, … of one dimension.
type sliceNode struct {
	arg         node
	dims        []int
	start, step int
	kept        int // how many indices
	inner       int // elements for each index of the dimension
	from        int // elements of the argument for each index of the dimensions before
}

func newSlice(arg node, shape []int, s *graph.Source) node {
	in := arg.shape()
	n := &sliceNode{
		arg: arg, dims: shape, start: s.Start, step: s.Step, kept: shape[s.Dim],
		inner: product(in[s.Dim+1:]), from: product(in[s.Dim:]),
	}
	if n.kept <= 1 {
		n.step = 1
	}
	return n
}

func (n *sliceNode) shape() []int { return n.dims }

func (n *sliceNode) read(dst []float32, offset int) error {
	// For each outer index, total elements are kept.
	total := n.kept * n.inner
	for len(dst) > 0 {
		outer, rest := offset/total, offset%total
		var count int
		var err error
		switch index, within := rest/n.inner, rest%n.inner; {
		case n.step == 1:
			count = min(total-rest, len(dst))
			err = n.arg.read(dst[:count], outer*n.from+n.start*n.inner+rest)
		case n.inner >= shortRun || n.step > mostPicked/n.inner:
			count = min(n.inner-within, len(dst))
			err = n.arg.read(dst[:count], outer*n.from+(n.start+index*n.step)*n.inner+within)
		default:
			count, err = n.pick(dst[:min(total-rest, len(dst))], outer, index, within)
		}
		if err != nil {
			return err
		}
		dst, offset = dst[count:], offset+count
	}
	return nil
}

// pick reads a part of the argument that holds as many of dst's elements as
// mostPicked allows, and picks them. It returns how many.
func (n *sliceNode) pick(dst []float32, outer, index, within int) (int, error) {
	indices := min((within+len(dst)+n.inner-1)/n.inner, max(1, mostPicked/(n.step*n.inner)))
	buffer := make([]float32, ((indices-1)*n.step+1)*n.inner)
	if err := n.arg.read(buffer, outer*n.from+(n.start+index*n.step)*n.inner); err != nil {
		return 0, err
	}
	if n.inner == 1 {
		for i := range indices {
			dst[i] = buffer[i*n.step]
		}
		return indices, nil
	}
	count := 0
	for i := range indices {
		count += copy(dst[count:], buffer[i*n.step*n.inner+within:][:n.inner-within])
		within = 0
	}
	return count, nil
}

func (n *sliceNode) contiguous() (*Tensor, int, bool) {
	t, offset, ok := n.arg.contiguous()
	whole := n.from == product(n.arg.shape()) // one outer index
	if !ok || !whole || n.step != 1 {
		return nil, 0, false
	}
	return t, offset + n.start*n.inner, true
}
