package engine

import "github.com/honeml/hone/sdk/graph"

// splitKernel cuts groups of columns apart.
type splitKernel struct {
	base
	op *graph.Split
}

func (k *splitKernel) forward(c *call) {
	k.e.eachRow(k.rowsOf(c), func(from, to int) {
		at := from * k.inWidth(0)
		for g := from * k.op.Groups; g < to*k.op.Groups; g++ {
			for i, size := range k.op.Sizes {
				copy(c.out[i][g*size:(g+1)*size], c.in[0][at:at+size])
				at += size
			}
		}
	})
}

func (k *splitKernel) backward(c *call) {
	k.e.eachRow(k.rowsOf(c), func(from, to int) {
		at := from * k.inWidth(0)
		for g := from * k.op.Groups; g < to*k.op.Groups; g++ {
			for i, size := range k.op.Sizes {
				dst := c.dIn[0][at : at+size]
				switch {
				case c.dOut[i] != nil:
					store(dst, c.dOut[i][g*size:(g+1)*size], c.accumulate[0])
				case !c.accumulate[0]:
					clear(dst)
				}
				at += size
			}
		}
	})
}

// concatKernel joins groups of columns; some inputs are the same in all groups.
type concatKernel struct {
	base
	op *graph.Concat
}

// place is where input i's part of group g of row t stands in the input.
func (k *concatKernel) place(i, t, g int) (from, to int) {
	size := k.op.Widths[i]
	if k.op.Repeat[i] {
		return t * size, (t + 1) * size
	}
	at := (t*k.op.Groups + g) * size
	return at, at + size
}

func (k *concatKernel) forward(c *call) {
	k.e.eachRow(k.rowsOf(c), func(from, to int) {
		at := from * k.outWidth()
		for t := from; t < to; t++ {
			for g := range k.op.Groups {
				for i, size := range k.op.Widths {
					a, b := k.place(i, t, g)
					copy(c.out[0][at:at+size], c.in[i][a:b])
					at += size
				}
			}
		}
	})
}

// backward takes one input after the other: where a value is several of them, the first
// writes all of its gradient before the others add to it.
func (k *concatKernel) backward(c *call) {
	group := k.outWidth() / k.op.Groups
	k.e.eachRow(k.rowsOf(c), func(from, to int) {
		for t := from; t < to; t++ {
			begin := t * k.outWidth()
			for i, size := range k.op.Widths {
				for g := 0; g < k.op.Groups && c.dIn[i] != nil; g++ {
					a, b := k.place(i, t, g)
					at := begin + g*group
					// The groups of a repeated input add up.
					store(c.dIn[i][a:b], c.dOut[0][at:at+size], c.accumulate[i] || k.op.Repeat[i] && g > 0)
				}
				begin += size
			}
		}
	})
}
