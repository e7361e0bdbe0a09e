package engine

import (
	"github.com/honeml/hone/plugins/cuda-kernels/adapter"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/gemm"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// linearNode is y = x·Wᵀ + b, and the adapter's h·Bᵀ + s·b', h = s·dropout(x)·Aᵀ.
type linearNode struct {
	base
	op      *graph.Linear
	in, out int
	key     int // index of the dropout's key among a step's; −1 without dropout

	forth, back *gemm.Product     // x·Wᵀ and dy·W with the adapter's; nil where cuBLASLt has them
	input       *adapter.Input    // what the adapter takes from x; nil likewise
	masked      *adapter.Input    // the same with dropout, alone in training; nil likewise
	thin        *adapter.Backward // what it takes from dy; nil likewise

	group  *group // that it belongs to in training, or nil
	rankAt int    // where its adapter's part begins there

	wide   *rows.Scale      // of W to float32, for the start of its adapter; nil: none
	dora   *dora            // of the adapter's magnitudes; nil: none
	own    *ownRows         // of the weight; nil: none
	bias   *rows.Bias       // nil: neither the linear nor its adapter has one
	sums   *rows.ColumnSums // of dy, for the gradients of biases; or nil
	drop   *rows.Dropout    // of the adapter's input, and its gradient
	widen  *rows.Scale      // of W to the activations' type; nil where it has it
	narrow *rows.Scale      // of dy to the activations' type; nil where it has it
}

func newLinear(b base, o *graph.Linear) *linearNode {
	shape := b.e.g.Params[o.Weight].Shape
	n := &linearNode{base: b, op: o, in: shape[1], out: shape[0], key: -1}
	set, act := &b.e.set, b.e.act
	a := o.Adapter
	if o.Bias != graph.NoParam || a != nil && a.Bias != graph.NoParam {
		n.bias = rows.NewBias(set, n.out, n.outType())
	}
	if n.trained(o.Bias) || a != nil && n.trained(a.Bias) {
		n.sums = rows.NewColumnSums(set, n.out, n.outType())
	}
	if a != nil && a.Dropout > 0 && b.e.phases.Train {
		n.drop = rows.NewDropout(set, n.in, 1, act, act)
		n.key = b.e.addKey(o.Module)
	}
	if n.outType() == act {
		n.forth = n.product(false, n.out, n.in)
	}
	n.back = n.product(true, n.in, n.out)
	if a != nil {
		n.input = b.e.adapterInput(n.in, a.Rank, 0)
	}
	if a != nil && a.Magnitude != graph.NoParam {
		n.dora = newDoRA(n)
	}
	if a != nil && a.Start != nil {
		n.wide = rows.NewScale(set, b.e.matrixType(o.Weight), device.Float32)
	}
	if o.Rows != nil {
		n.own = newOwnRows(b, o.Rows, n.in, n.out)
	}
	if held := b.e.matrixType(o.Weight); held != act {
		n.widen = rows.NewScale(set, held, act)
	}
	if n.outType() != act {
		n.narrow = rows.NewScale(set, n.outType(), act)
	}
	return n
}

// product is the kernel of a product [rows, k] by [k, columns] with W, and of the
// adapter's, where there is one for the GPU.
func (n *linearNode) product(down bool, columns, k int) *gemm.Product {
	o, s := n.e.options, gemm.Spec{Type: n.e.act, Down: down}
	if n.op.Adapter != nil {
		s.Rank = n.op.Adapter.Rank
	}
	if o.Library || down && n.step == nil || !gemm.Runs(o.Arch, s, columns, k) {
		return nil
	}
	return gemm.New(&n.e.set, s, o.Processors)
}

// adapterInput is the kernels for what adapters of so much rank together take from an
// input of that width, some of them with dropout each, or 0; nil where there are none.
func (e *Engine) adapterInput(width, rank, dropped int) *adapter.Input {
	s := adapter.InputSpec{Type: e.act, Width: width, Rank: rank, Dropped: dropped, Shared: e.options.SharedBytes, Processors: e.options.Processors}
	if e.options.Library || !adapter.RunsInput(s) {
		return nil
	}
	return adapter.NewInput(&e.set, s)
}

// adapterOutput is the kernels for what adapters of a rank, each on an output of one of the
// widths, take from the gradients of these; nil where there are none.
func (e *Engine) adapterOutput(widths []int, rank int) *adapter.Backward {
	s := adapter.Spec{Type: e.act, Widths: widths, Rank: rank, Shared: e.options.SharedBytes, Processors: e.options.Processors}
	if e.options.Library || !adapter.Runs(s) {
		return nil
	}
	return adapter.New(&e.set, s)
}

// linearOf is the linear that a node is, or nil.
func linearOf(n node) *linearNode {
	l, _ := withoutCast(n).(*linearNode)
	return l
}

// fallsBack is why products of so many rows are cuBLASLt's, or "".
func (n *linearNode) fallsBack(rowCount int) string {
	o, s := n.e.options, gemm.Spec{Type: n.e.act}
	switch {
	case n.forth.Wins(rowCount, n.out):
		return ""
	case n.forth != nil:
		return "there is too little to do for each multiprocessor"
	case !gemm.Runs(o.Arch, s, 8, 8):
		return "there are no others for " + n.e.act.String()
	case !gemm.Runs(o.Arch, s, n.out, n.in):
		return "a width is no multiple of 8"
	case n.outType() != n.e.act:
		return "what it gives is " + n.outType().String()
	}
	return "its adapter's rank is no multiple of 8"
}

// A pair is two matrices whose product is part of a sum; its zero value is none.
type pair struct{ left, right operand }

func (p pair) term() gemm.Term {
	return gemm.Term{P: p.left.at, Q: p.right.at, K: p.left.cols, Stride: p.left.stride}
}

// combined is the sum of products, added to d where add: of a large one, and of those that
// there are of the adapter's and of what it began with.
func (n *linearNode) combined(c *call, kernel *gemm.Product, d operand, large, small, start pair, add bool) {
	if kernel.Wins(d.rows, d.cols) {
		o := gemm.Operands{Terms: []gemm.Term{large.term()}, Small: small.term(), D: d.at, Add: add}
		if start.left.at != 0 {
			o.Terms = append(o.Terms, start.term())
		}
		kernel.Multiply(c.q, d.rows, d.cols, o)
		return
	}
	// The large one last: what it adds to passes beside its arithmetic.
	for _, p := range []pair{start, small, large} {
		if p.left.at != 0 {
			n.e.multiply(c.q, d, p.left, p.right, 1, add)
			add = true
		}
	}
}

// scratchBytes: W in the activations' type; dy, the adapter's input or its gradient,
// and the product in between.
func (n *linearNode) scratchBytes(rowCount int) int64 {
	size, total := n.e.act.Size(), int64(0)
	if n.widen != nil {
		total += need(int64(n.in) * int64(n.out) * size)
	}
	if n.narrow != nil {
		total += need(int64(rowCount) * int64(n.out) * size)
	}
	if a := n.op.Adapter; a != nil {
		total += 2 * need(int64(rowCount)*int64(a.Rank)*size)
		if a.Start != nil {
			total += need(int64(rowCount) * int64(a.Rank) * size)
		}
		if n.drop != nil && !n.masks() {
			total += need(int64(rowCount) * int64(n.in) * size)
		}
		lent := int64(0)
		if n.thin != nil { // which may be for smaller batches alone
			lent = n.thin.Most(rowCount)
		}
		if n.input != nil {
			lent = max(lent, n.input.Workspace(rowCount))
		}
		if n.masked != nil {
			lent = max(lent, n.masked.Workspace(rowCount))
		}
		if n.group != nil && n.group.thin != nil {
			lent = max(lent, n.group.thin.Most(rowCount))
		}
		if n.group != nil && n.group.input != nil {
			lent = max(lent, n.group.input.Workspace(rowCount))
		}
		total += need(lent)
	}
	if n.sums != nil {
		total += need(n.sums.Workspace(int64(rowCount)))
	}
	if n.dora != nil {
		total += n.dora.scratchBytes(rowCount)
	}
	return total + n.own.scratchBytes(rowCount)
}

// weight is W [out, in] in the activations' type.
func (n *linearNode) weight(c *call) operand {
	at := n.e.matrix(n.op.Weight)
	if n.widen != nil {
		count := int64(n.in) * int64(n.out)
		wide := c.take(count * n.e.act.Size())
		n.widen.Write(c.q, count, wide, at, 1)
		at = wide
	}
	return operand{at: at, t: n.e.act, rows: n.out, cols: n.in}
}

// parameter is a matrix of the adapter.
func (n *linearNode) parameter(id graph.ParamID) operand {
	shape := n.e.g.Params[id].Shape
	return operand{at: n.e.matrix(id), t: n.e.act, rows: shape[0], cols: shape[1]}
}

// gradientOperand is where the gradient of a matrix is summed.
func (n *linearNode) gradientOperand(id graph.ParamID) operand {
	shape := n.e.g.Params[id].Shape
	return operand{at: n.e.gradient(id), t: device.Float32, rows: shape[0], cols: shape[1]}
}

// activations is a matrix of c's rows.
func (n *linearNode) activations(c *call, at device.Pointer, t device.Type, width int) operand {
	return operand{at: at, t: t, rows: c.rows, cols: width}
}

// keptBytes: what comes of the adapter's input and A, which the gradient of B reads; in a
// group the first linear keeps it for all.
func (n *linearNode) keptBytes(rowCount int) int64 {
	a := n.op.Adapter
	if g := n.group; g != nil {
		if !g.leads(n) {
			return 0
		}
		return int64(rowCount) * int64(g.rank) * n.e.act.Size()
	}
	if a == nil || !n.trained(a.B) {
		return 0
	}
	return int64(rowCount) * int64(a.Rank) * n.e.act.Size()
}

func (n *linearNode) forward(c *call) {
	e := n.e
	x := n.activations(c, c.in[0], e.act, n.in)
	y := n.activations(c, c.out[0], n.outType(), n.out)
	a := diff.Active(n.op, c.adapter)
	if a != nil && n.dora != nil {
		n.dora.forward(c, a, y, x)
		n.addBias(c, y)
		return
	}
	large := pair{x, n.weight(c).T()}
	var small, start pair
	if a != nil {
		small, start = pair{n.adapted(c, a, x), n.parameter(a.B).T()}, n.startForward(c, a, x)
		e.clock.lap(familyAdapter)
	}
	if own := n.ownOn(c); own == nil {
		n.combined(c, n.forth, y, large, small, start, false)
	} else {
		n.combined(c, n.forth, y, large, pair{}, pair{}, false)
		own.forward(c, y, x)
		n.combined(c, nil, y, pair{}, small, start, true) // the adapter's update is of all rows
	}
	n.addBias(c, y)
	if a != nil && a.Bias != graph.NoParam {
		n.bias.Add(c.q, c.rows, y.at, e.vector(a.Bias), float32(a.Scaling()))
	}
}

// addBias adds the linear's own bias to y.
func (n *linearNode) addBias(c *call, y operand) {
	if n.op.Bias != graph.NoParam {
		n.bias.Add(c.q, c.rows, y.at, n.e.vector(n.op.Bias), 1)
	}
}

// ownOn is the rows of the weight that are an adapter's own, if that is on.
func (n *linearNode) ownOn(c *call) *ownRows {
	if diff.ActiveRows(n.op, c.adapter) == nil {
		return nil
	}
	return n.own
}

// backward: dX = dY·W + dropout(s·dY·B·A); dW = dYᵀ·X; db = Σ dY;
// dB = dYᵀ·h; dA = (s·dY·B)ᵀ·dropout(x); db' = s·Σ dY.
func (n *linearNode) backward(c *call) {
	e := n.e
	n.biases(c)
	dy := n.activations(c, c.dOut[0], e.act, n.out)
	if n.narrow != nil {
		dy.at = c.take(int64(c.rows) * int64(n.out) * e.act.Size())
		n.narrow.Write(c.q, int64(c.rows)*int64(n.out), dy.at, c.dOut[0], 1)
	}
	x := n.activations(c, c.in[0], e.act, n.in)
	if a := diff.Active(n.op, c.adapter); a != nil && n.dora != nil {
		if n.drops(c) {
			n.dora.droppedBackward(c, a, x, dy)
			return
		}
		n.dora.backward(c, a, x, dy)
	}
	if n.joined(c) {
		n.joinedBackward(c, x, dy)
	} else {
		n.aloneBackward(c, x, dy)
	}
	if n.trained(n.op.Weight) {
		e.multiply(c.q, n.gradientOperand(n.op.Weight), dy.T(), x, 1, true)
	}
}

// aloneBackward is the gradients of x and of the adapter's matrices.
func (n *linearNode) aloneBackward(c *call, x, dy operand) {
	a, adds := diff.Active(n.op, c.adapter), c.accumulate[0]
	var d operand
	var small, start pair
	if a != nil {
		if d, adds = n.adapter(c, a, x, dy); !n.masks() {
			small = pair{d, n.parameter(a.A)}
		}
		if c.dIn[0] != 0 {
			start = n.startBackward(c, a, dy)
		}
		n.e.clock.lap(familyAdapter + familyBackward)
	}
	own := n.ownOn(c)
	var columns operand
	if own != nil {
		columns = own.taken(c, dy)
	}
	dx := n.activations(c, c.dIn[0], n.e.act, n.in)
	if dx.at != 0 {
		n.combined(c, n.back, dx, pair{dy, n.weight(c)}, small, start, adds)
	}
	if a != nil && n.masks() {
		n.e.clock.lap(n.family() + familyBackward)
		n.masked.DroppedGradient(c.q, c.rows, n.e.gradient(a.A), dx.at, x.at, n.parameter(a.A).at, d.at, n.mask(c), c.lend(n.masked.Workspace(c.rows)))
		n.e.clock.lap(familyAdapter + familyBackward)
	}
	if own != nil {
		own.backward(c, columns, x, dx)
	}
}

// biases sums the gradients of biases.
func (n *linearNode) biases(c *call) {
	if n.sums == nil {
		return
	}
	workspace := c.take(n.sums.Workspace(int64(c.rows)))
	if n.trained(n.op.Bias) {
		n.sums.Add(c.q, int64(c.rows), n.e.gradient(n.op.Bias), c.dOut[0], 1, workspace)
	}
	if a := diff.Active(n.op, c.adapter); a != nil && n.trained(a.Bias) {
		n.sums.Add(c.q, int64(c.rows), n.e.gradient(a.Bias), c.dOut[0], float32(a.Scaling()), workspace)
	}
}
