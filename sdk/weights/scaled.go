package weights

import (
	"fmt"
	"math"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/weights/dtype"
)

// scaleNode multiplies each block of a matrix by a number of its own.
type scaleNode struct {
	node
	scales     node
	rows, cols int // of a block
}

func newScale(values, scales node, block []int) node {
	return &scaleNode{node: values, scales: scales, rows: block[0], cols: block[1]}
}

func (n *scaleNode) contiguous() (*Tensor, int, bool) { return nil, 0, false }

func (n *scaleNode) read(dst []float32, offset int) error {
	if err := n.node.read(dst, offset); err != nil {
		return err
	}
	width := n.shape()[1]
	scales := make([]float32, n.scales.shape()[1]) // of the rows of blocks held
	held := -1
	for len(dst) > 0 {
		row, first := offset/width, offset%width
		if block := row / n.rows; block != held {
			if err := n.scales.read(scales, block*len(scales)); err != nil {
				return err
			}
			held = block
		}
		count := min(width-first, len(dst))
		for i := range dst[:count] {
			dst[i] *= scales[(first+i)/n.cols]
		}
		dst, offset = dst[count:], offset+count
	}
	return nil
}

// mxfp4Node unpacks e2m1 numbers that share exponents.
type mxfp4Node struct {
	dims              []int
	blocks, exponents *Tensor
}

// mxfp4 binds the expression, whose operands are tensors of bytes.
func (r *resolver) mxfp4(s *graph.Source, shape []int) (node, error) {
	operands := make([]*Tensor, len(s.Args))
	for i, arg := range s.Args {
		n := resolver{checkpoint: r.checkpoint}
		bound, err := n.node(arg)
		if err != nil {
			return nil, err
		}
		t, whole := bound.(tensorNode)
		if !whole || t.t.DType != dtype.U8 {
			return nil, fmt.Errorf("source %s: %s is no tensor of U8", brief(s), brief(arg))
		}
		operands[i] = t.t
	}
	r.tensors = append(r.tensors, operands...)
	r.types = append(r.types, dtype.BF16)
	return &mxfp4Node{dims: shape, blocks: operands[0], exponents: operands[1]}, nil
}

func (n *mxfp4Node) shape() []int { return n.dims }

func (n *mxfp4Node) contiguous() (*Tensor, int, bool) { return nil, 0, false }

func (n *mxfp4Node) read(dst []float32, offset int) error {
	return n.blocks.View(func(blocks []byte) error {
		return n.exponents.View(func(exponents []byte) error {
			for len(dst) > 0 {
				block, first := offset/32, offset%32
				count := min(32-first, len(dst))
				unpackE2M1(dst[:count], blocks[16*block:][:16], first, exponents[block])
				dst, offset = dst[count:], offset+count
			}
			return nil
		})
	})
}

// unpackE2M1 gives the numbers of a block from the first on.
func unpackE2M1(dst []float32, block []byte, first int, exponent byte) {
	scale := float32(math.Ldexp(1, int(exponent)-127))
	for i := range dst {
		q := block[(first+i)/2] >> (4 * ((first + i) % 2)) & 15
		dst[i] = e2m1[q] * scale
	}
}

// e2m1 are the numbers of 4 bits, by their bits.
var e2m1 = [16]float32{0, 0.5, 1, 1.5, 2, 3, 4, 6, float32(math.Copysign(0, -1)), -0.5, -1, -1.5, -2, -3, -4, -6}
