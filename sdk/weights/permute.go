package weights

import "sync"

// permuteNode reorders dimensions. Trailing dimensions that stay in place make
// runs of elements that stay together. Leading ones that stay in place make blocks
// that are permuted apart from each other.
type permuteNode struct {
	arg     node
	dims    []int
	strides []int // for each dimension of the result, in elements of the argument
	run     int   // elements that stay together
	outer   int   // dimensions before them
	block   int   // elements of a block

	// Where runs are short, the block that was read last.
	mu     sync.Mutex
	held   int // its index
	values []float32
}

func newPermute(arg node, shape []int, dims []int) node {
	in := arg.shape()
	n := &permuteNode{arg: arg, dims: shape, strides: make([]int, len(dims)), run: 1, outer: len(dims)}
	for i, d := range dims {
		n.strides[i] = product(in[d+1:])
	}
	for n.outer > 0 && dims[n.outer-1] == n.outer-1 {
		n.outer--
		n.run *= shape[n.outer]
	}
	if n.outer == 0 {
		return arg // nothing moves
	}
	leading := 0
	for dims[leading] == leading {
		leading++
	}
	n.block = product(in[leading:])
	return n
}

func (n *permuteNode) shape() []int { return n.dims }

func (n *permuteNode) contiguous() (*Tensor, int, bool) { return nil, 0, false }

func (n *permuteNode) read(dst []float32, offset int) error {
	if n.run >= shortRun {
		return n.gather(dst, offset, n.readRuns)
	}
	for len(dst) > 0 {
		// A block of the result is made of the same block of the argument.
		index := offset / n.block
		start := index * n.block
		values, err := n.blockAt(index)
		if err != nil {
			return err
		}
		count := min(start+n.block-offset, len(dst))
		err = n.gather(dst[:count], offset, func(dst []float32, from, within int) error {
			n.copyRuns(dst, values[from-start:], within)
			return nil
		})
		if err != nil {
			return err
		}
		dst, offset = dst[count:], offset+count
	}
	return nil
}

// readRuns fills dst with runs, one after another along the innermost dimension
// that moves. The first begins at element from of the argument; within elements of
// it are left out.
func (n *permuteNode) readRuns(dst []float32, from, within int) error {
	for len(dst) > 0 {
		count := min(n.run-within, len(dst))
		if err := n.arg.read(dst[:count], from+within); err != nil {
			return err
		}
		dst, within = dst[count:], 0
		from += n.strides[n.outer-1]
	}
	return nil
}

// copyRuns is readRuns from memory: the first run begins values.
func (n *permuteNode) copyRuns(dst, values []float32, within int) {
	stride := n.strides[n.outer-1]
	if n.run == 1 {
		for i := range dst {
			dst[i] = values[i*stride]
		}
		return
	}
	for from := 0; len(dst) > 0; from += stride {
		count := copy(dst, values[from+within:from+n.run])
		dst, within = dst[count:], 0
	}
}

// blockAt is the values of a block of the argument, which are not changed again.
func (n *permuteNode) blockAt(index int) ([]float32, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.values != nil && n.held == index {
		return n.values, nil
	}
	n.values = nil
	values := make([]float32, n.block)
	if err := n.arg.read(values, index*n.block); err != nil {
		return nil, err
	}
	n.values, n.held = values, index
	return values, nil
}

// gather fills dst by calling runs for each index of the outer dimensions but the
// innermost of them, with the elements that fall on it, and where in the argument
// its first run begins.
func (n *permuteNode) gather(dst []float32, offset int, runs func(dst []float32, from, within int) error) error {
	inner := n.outer - 1
	at := make([]int, n.outer) // the run at hand: its index in each outer dimension
	from, rest := 0, offset/n.run
	for d := inner; d >= 0; d-- {
		at[d] = rest % n.dims[d]
		rest /= n.dims[d]
		from += at[d] * n.strides[d]
	}
	within := offset % n.run
	for len(dst) > 0 {
		count := min((n.dims[inner]-at[inner])*n.run-within, len(dst))
		if err := runs(dst[:count], from, within); err != nil {
			return err
		}
		dst, within = dst[count:], 0
		// On to index 0 of the innermost dimension, at the next index of the others.
		from -= at[inner] * n.strides[inner]
		at[inner] = 0
		for d := inner - 1; d >= 0; d-- {
			at[d]++
			from += n.strides[d]
			if at[d] < n.dims[d] {
				break
			}
			from -= at[d] * n.strides[d]
			at[d] = 0
		}
	}
	return nil
}
