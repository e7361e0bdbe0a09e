package weights

import (
	"sync"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/halffloat"
)

// meanNode has equal rows, each the mean over its argument's first dimension. The
// argument is read once, when the first of them is asked for.
type meanNode struct {
	arg  node
	dims []int
	held DType // that the mean is rounded to

	once sync.Once
	row  []float32
	err  error
}

// mean is the node of a mean. Rounded to the type of 16 bits that its tensors have,
// it can be kept in that, as they are.
func (r *resolver) mean(arg node, shape []int, s *graph.Source) node {
	n := &meanNode{arg: arg, dims: shape, held: dtype.Unknown}
	for _, name := range s.Tensors() {
		t, ok := r.checkpoint.Lookup(name)
		switch {
		case !ok: // an alternative
		case n.held == dtype.Unknown:
			n.held = t.DType
		case n.held != t.DType:
			n.held = dtype.F32
		}
	}
	r.computes = r.computes || n.held != dtype.F16 && n.held != dtype.BF16
	return n
}

func (n *meanNode) shape() []int { return n.dims }

func (n *meanNode) contiguous() (*Tensor, int, bool) { return nil, 0, false }

func (n *meanNode) read(dst []float32, offset int) error {
	n.once.Do(func() { n.row, n.err = n.compute() })
	if n.err != nil {
		return n.err
	}
	for at := offset % len(n.row); len(dst) > 0; at = 0 {
		dst = dst[copy(dst, n.row[at:]):]
	}
	return nil
}

// meanElements is how many elements of the argument are read at a time.
const meanElements = 1 << 18

func (n *meanNode) compute() ([]float32, error) {
	in := n.arg.shape()
	rows, cols := in[0], product(in[1:])
	sums := make([]float64, cols)
	atATime := max(1, meanElements/max(1, cols))
	buffer := make([]float32, min(rows, atATime)*cols)
	for first := 0; first < rows && cols > 0; first += atATime {
		part := buffer[:min(atATime, rows-first)*cols]
		if err := n.arg.read(part, first*cols); err != nil {
			return nil, err
		}
		for i := 0; i < len(part); i += cols {
			for c, v := range part[i : i+cols] {
				sums[c] += float64(v)
			}
		}
	}
	out := make([]float32, cols)
	for c, sum := range sums {
		out[c] = float32(sum / float64(rows))
	}
	return rounded(out, n.held), nil
}

// rounded rounds x to a type of 16 bits, or leaves it.
func rounded(x []float32, t DType) []float32 {
	bits := make([]uint16, len(x))
	switch t {
	case dtype.F16:
		halffloat.NarrowFloat16(bits, x)
		halffloat.WidenFloat16(x, bits)
	case dtype.BF16:
		halffloat.NarrowBFloat16(bits, x)
		halffloat.WidenBFloat16(x, bits)
	}
	return x
}
