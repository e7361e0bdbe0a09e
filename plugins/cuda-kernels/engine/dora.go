package engine

import (
	"slices"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/gemm"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// A dora is what a linear's adapter has beside matrices: a length m for each row of the
// result, n = m / ‖W + s·B·A‖ being the factor that gives it to the row.
type dora struct {
	n      *linearNode
	kernel *rows.DoRA
	norms  *rows.RowNorms // from products that tensor cores make; nil: kernel's
	span   span           // norms, ratios, and the squares of W's rows where norms begins with them

	forth *gemm.Product // n∘(x·Wᵀ + h·Bᵀ); nil where a pass over y scales it

	scale *rows.Scaled // of gradients, in the activations' type
	out   *rows.Scaled // from that type into y
	of    *rows.Scaled // within y
}

// newDoRA asks for the kernels of a linear whose adapter has magnitudes.
func newDoRA(n *linearNode) *dora {
	set, act, y := &n.e.set, n.e.act, n.outType()
	spec := rows.DoRASpec{Type: act, Weight: n.e.matrixType(n.op.Weight), In: n.in, Out: n.out, Rank: n.op.Adapter.Rank}
	d := &dora{
		n: n, kernel: rows.NewDoRA(set, spec),
		scale: rows.NewScaled(set, n.out, act, act), out: rows.NewScaled(set, n.out, act, y), of: rows.NewScaled(set, n.out, y, y),
	}
	if n.forth != nil {
		d.forth = gemm.New(set, gemm.Spec{Type: act, Rank: spec.Rank, Scaled: true}, n.e.options.Processors)
	}
	if n.input != nil && spec.Weight == act && !n.e.g.Params[n.op.Weight].Trainable {
		d.norms = rows.NewRowNorms(set, spec)
	}
	n.e.doras = append(n.e.doras, d)
	return d
}

// matrices are where the kernels find what they read.
func (d *dora) matrices() rows.DoRAMatrices {
	e, a := d.n.e, d.n.op.Adapter
	return rows.DoRAMatrices{
		W: e.matrix(d.n.op.Weight), A: e.matrix(a.A), B: e.matrix(a.B), M: e.vector(a.Magnitude),
		Norm: d.vector(0), Ratio: d.vector(1), Scale: float32(a.Scaling()),
	}
}

// vector is where a vector [out] of those in its span lies.
func (d *dora) vector(i int) device.Pointer {
	return d.n.e.at(d.span).Offset(int64(i) * need(4*int64(d.n.out)))
}

// squares is where those of W's rows lie.
func (d *dora) squares() device.Pointer { return d.vector(2) }

// layOutDoRA takes the memory of norms, ratios and squares.
func (e *Engine) layOutDoRA(a *arena) {
	for _, d := range e.doras {
		count := int64(2)
		if d.norms != nil {
			count++
		}
		d.span = a.take("adapters", count*need(4*int64(d.n.out)))
	}
}

// takeSquares takes the squares of the rows of frozen weights, once they are loaded.
func (e *Engine) takeSquares() {
	for _, d := range e.doras {
		if d.norms != nil {
			e.q.At(d.n.name() + ", the squares of its rows")
			d.norms.Squares(e.q, d.squares(), e.matrix(d.n.op.Weight))
		}
	}
}

// takeNorms takes the norms for the parameters as they are. What changes these sets
// normsTaken to false.
func (e *Engine) takeNorms() {
	if e.normsTaken {
		return
	}
	e.normsTaken = true
	for _, d := range e.doras {
		e.q.At(d.n.name() + ", the norms of its rows")
		d.take()
	}
	e.clock.lap(familyAdapter)
}

// take takes the norms of one linear. No node is at work then: the scratch memory is free.
func (d *dora) take() {
	e, m, in := d.n.e, d.matrices(), d.n.input
	if d.norms == nil {
		d.kernel.Norms(e.q, m)
		return
	}
	c := call{q: e.q, scratch: e.workspace()}
	p := rows.NormProducts{Squares: d.squares(), ProductShares: in.ProductShares(d.n.out), GramShares: in.GramShares()}
	p.Products, p.Gram = c.take(in.ShareBytes(d.n.out, p.ProductShares)), c.take(in.ShareBytes(d.n.op.Adapter.Rank, p.GramShares))
	in.Products(e.q, d.n.out, p.Products, m.W, m.A)
	in.Gram(e.q, p.Gram, m.A)
	d.norms.Norms(e.q, m, p)
}

// normBytes is what take takes of the scratch memory.
func (d *dora) normBytes() int64 {
	if d.norms == nil {
		return 0
	}
	in := d.n.input
	return need(in.ShareBytes(d.n.out, in.ProductShares(d.n.out)), in.ShareBytes(d.n.op.Adapter.Rank, in.GramShares()))
}

// beginMagnitudes gives those that no checkpoint holds their first values, the norms.
func (e *Engine) beginMagnitudes() {
	e.normsTaken = false
	e.takeNorms()
	for _, d := range e.doras {
		if m := d.n.op.Adapter.Magnitude; e.g.Params[m].Init == graph.InitRowNorms {
			e.q.Copy(e.vector(m), d.matrices().Norm, 4*int64(d.n.out))
		}
	}
	e.normsTaken = false
}

// readsOutput adds the outputs of linears with magnitudes to what the backward pass of a
// schedule of the trunk reads: the gradients of these are taken from them.
func (e *Engine) readsOutput(s *diff.Schedule) {
	for i := range s.Steps {
		step := &s.Steps[i]
		if step.Kind != diff.Backward {
			continue
		}
		if n := linearOf(e.nodes[e.head.TrunkNodes[step.Node]]); n != nil && n.dora != nil && n.dora.keepsOutput() {
			step.Reads = append(step.Reads, s.Graph.Nodes[step.Node].Outputs[0])
		}
	}
}

// keepsOutput reports whether y is kept for the gradient of the magnitudes. In a head the
// gradient of y may take its place, and a bias, as large as some are, leaves little of the
// product in 16 bits.
func (d *dora) keepsOutput() bool {
	n := d.n
	inHead := slices.ContainsFunc(n.e.head.Nodes, func(i int) bool { return n.e.g.Nodes[i] == n.node })
	return !inHead && n.trained(n.op.Adapter.Magnitude) && n.drop == nil && n.outType() == n.e.act && n.op.Bias == graph.NoParam
}

// scratchBytes: what x·Wᵀ + h·Bᵀ is made in again where y is not kept, or goes to with
// dropout, and a gradient of that shape; W in the activations' type once more.
func (d *dora) scratchBytes(rowCount int) int64 {
	n := d.n
	y := need(int64(rowCount) * int64(n.out) * n.e.act.Size())
	total := need(d.kernel.Workspace(rowCount))
	switch {
	case n.drop != nil:
		total += 2 * y
	case !d.keepsOutput():
		total += y
	}
	if n.widen != nil {
		total += need(int64(n.in) * int64(n.out) * n.e.act.Size())
	}
	return total
}

// work is how often a pass goes over a matrix of y's shape, and how many products there
// are of W, beside those of LoRA, on so many rows.
func (d *dora) work(rowCount int, backward bool) (passes, products float64) {
	switch {
	case d.n.drop != nil && backward:
		return 7, 2
	case d.n.drop != nil:
		return 6, 1
	case !backward && d.forth.Wins(rowCount, d.n.out):
		return 0, 0
	case !backward, !d.n.trained(d.n.op.Adapter.Magnitude):
		return 2, 0
	case d.keepsOutput():
		return 3, 0
	}
	return 3, 1
}

// pairs are what u = x·Wᵀ + h·Bᵀ is of, h being s·x·Aᵀ.
func (d *dora) pairs(c *call, x, h operand) (large, small pair) {
	return pair{x, d.n.weight(c).T()}, pair{h, d.n.parameter(d.n.op.Adapter.B).T()}
}

// whole is u.
func (d *dora) whole(c *call, u, x, h operand) {
	large, small := d.pairs(c, x, h)
	d.n.combined(c, d.n.forth, u, large, small, pair{}, false)
}

// scaled is y = n∘u.
func (d *dora) scaled(c *call, y, x, h operand) {
	ratio := d.matrices().Ratio
	if !d.forth.Wins(y.rows, y.cols) {
		d.whole(c, y, x, h)
		d.of.Write(c.q, c.rows, y.at, y.at, ratio, 0)
		return
	}
	large, small := d.pairs(c, x, h)
	d.forth.Multiply(c.q, y.rows, y.cols, gemm.Operands{Terms: []gemm.Term{large.term()}, Small: small.term(), D: y.at, Factor: ratio})
}

// scratch is a matrix of y's shape.
func (d *dora) scratch(c *call) operand {
	return d.n.activations(c, c.take(int64(c.rows)*int64(d.n.out)*d.n.e.act.Size()), d.n.e.act, d.n.out)
}

// forward is y = n∘(x·Wᵀ + h·Bᵀ), or with x' = dropout(x)
//
//	y = x·Wᵀ − x'·Wᵀ + n∘(x'·Wᵀ + h·Bᵀ)
//
// with h of x'.
func (d *dora) forward(c *call, a *graph.Adapter, y, x operand) {
	n := d.n
	if !n.drops(c) {
		h := n.adapted(c, a, x)
		n.e.clock.lap(familyAdapter)
		d.scaled(c, y, x, h)
		return
	}
	dropped := n.dropped(c, x)
	h := n.down(c, a, dropped)
	none, w, u := pair{}, n.weight(c).T(), d.scratch(c)
	n.combined(c, n.forth, y, pair{x, w}, none, none, false)
	n.combined(c, n.forth, u, pair{dropped, w}, none, none, false)
	d.out.Add(c.q, c.rows, y.at, u.at, 0, -1)
	n.e.multiply(c.q, u, h, n.parameter(a.B).T(), 1, true)
	d.out.Add(c.q, c.rows, y.at, u.at, d.matrices().Ratio, 0)
}

// backward is what comes before that of the linear without magnitudes, dy being the
// gradient of y: the gradient of m, and dz = n∘dy in the place of dy. There is no gradient
// through the norms.
func (d *dora) backward(c *call, a *graph.Adapter, x, dy operand) {
	m := d.matrices()
	if d.n.trained(a.Magnitude) {
		d.magnitude(c, a, x, dy, m)
	} else {
		d.scale.Write(c.q, c.rows, dy.at, dy.at, m.Ratio, 0)
	}
	d.n.e.clock.lap(familyAdapter + familyBackward)
}

// droppedBackward is the whole of it with dropout, x' = dropout(x):
//
//	dm = Σ dy∘(x'·Wᵀ + h·Bᵀ) / ‖W + s·B·A‖;  the adapter's of dz
//	dx = dy·W + dropout((dz − dy)·W + d·A);  dW = dyᵀ·x + (dz − dy)ᵀ·x'
func (d *dora) droppedBackward(c *call, a *graph.Adapter, x, dy operand) {
	n, e := d.n, d.n.e
	m := d.matrices()
	dropped := n.dropped(c, x)
	h := n.keptOrAgain(c, a, dropped)
	dz, more := d.scratch(c), d.scratch(c)
	if n.trained(a.Magnitude) {
		d.whole(c, dz, dropped, h)
		g := rows.DoRAGradient{DY: dy.at, Y: dz.at, By: m.Norm, DM: e.gradient(a.Magnitude), DZ: dz.at}
		d.kernel.Gradient(c.q, c.rows, g, m, c.lend(d.kernel.Workspace(c.rows)))
	} else {
		d.scale.Write(c.q, c.rows, dz.at, dy.at, m.Ratio, 0)
	}
	d.scale.Write(c.q, c.rows, more.at, dy.at, m.Ratio, -1)
	grad := n.activations(c, c.take(int64(c.rows)*int64(a.Rank)*e.act.Size()), e.act, a.Rank)
	n.ofOutput(c, a, grad, dz, h)
	if n.trained(a.A) {
		n.ofInput(c, a, dropped, grad)
	}
	if n.trained(n.op.Weight) {
		e.multiply(c.q, n.gradientOperand(n.op.Weight), dy.T(), x, 1, true)
		e.multiply(c.q, n.gradientOperand(n.op.Weight), more.T(), dropped, 1, true)
	}
	e.clock.lap(familyAdapter + familyBackward)
	if c.dIn[0] == 0 {
		return
	}
	dx, none, w := n.activations(c, c.dIn[0], e.act, n.in), pair{}, n.weight(c)
	n.combined(c, n.back, dx, pair{dy, w}, none, none, c.accumulate[0])
	n.combined(c, n.back, dropped, pair{more, w}, pair{grad, n.parameter(a.A)}, none, false) // in the place of dropout(x)
	n.drop.Apply(c.q, c.rows, dx.at, dropped.at, c.batch.sample, c.batch.position, e.keyAt(n.key), a.Dropout, true)
}

// magnitude adds to the gradient of m, without dropout, and puts dz in the place of dy in
// the same pass. y is m times the product over the norm, so that dm = Σ dy∘y / m; where y
// is not kept, the product is made again.
func (d *dora) magnitude(c *call, a *graph.Adapter, x, dy operand, m rows.DoRAMatrices) {
	g := rows.DoRAGradient{DY: dy.at, DM: d.n.e.gradient(a.Magnitude), DZ: dy.at}
	if d.keepsOutput() {
		g.Y, g.By = c.out[0], m.M
		d.kernel.Missing(c.q, c.rows, g.DM, dy.at, x.at, m)
	} else {
		h, u := d.n.keptOrAgain(c, a, x), d.scratch(c)
		d.whole(c, u, x, h)
		g.Y, g.By = u.at, m.Norm
	}
	d.kernel.Gradient(c.q, c.rows, g, m, c.lend(d.kernel.Workspace(c.rows)))
}
