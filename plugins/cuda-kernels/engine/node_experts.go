package engine

import (
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/experts"
	"github.com/honeml/hone/plugins/cuda-kernels/optimizer"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// routeNode chooses experts. Behind the indices it leaves the slots sorted by expert,
// which all expert linears of the route read.
type routeNode struct {
	base
	op       *graph.Route
	kernel   *experts.Route
	grouping *experts.Grouping
}

func newRoute(b base, o *graph.Route) (*routeNode, error) {
	if err := experts.Check(o.Experts); err != nil {
		return nil, fmt.Errorf("node %q: %w", b.node.Name, err)
	}
	return &routeNode{
		base: b, op: o, kernel: experts.NewRoute(&b.e.set, *o, b.inType(0)),
		grouping: experts.NewGrouping(&b.e.set, o.Experts, o.TopK, b.e.act),
	}, nil
}

func (n *routeNode) auxBytes(rowCount int) int64 { return n.grouping.Bytes(rowCount) }

// scratchBytes: what sorting takes and, for a balancing loss, the shares of experts and
// the rows' losses.
func (n *routeNode) scratchBytes(rowCount int) int64 {
	total := need(n.grouping.Workspace(rowCount))
	if n.e.phases.Train && n.kernel.Balances() {
		total += need(n.kernel.ShareBytes(rowCount), 4*int64(rowCount))
	}
	return total
}

func (n *routeNode) forward(c *call) {
	n.kernel.Forward(c.q, c.rows, c.out[0], c.out[1], c.in[0], n.e.vector(n.op.Bias))
	n.grouping.Group(c.q, n.grouping.At(c.aux, c.rows), c.out[0], c.take(n.grouping.Workspace(c.rows)))
	if c.training && !c.again && n.kernel.Balances() {
		losses := c.take(4 * int64(c.rows))
		n.kernel.Losses(c.q, c.rows, losses, c.in[0], n.balance(c))
		n.e.loss.Total(c.q, c.rows, losses, n.e.balanceAt())
	}
}

// balance is what the balancing loss goes by, the shares of experts in scratch memory.
func (n *routeNode) balance(c *call) experts.Balance {
	b := experts.Balance{
		DocStart: c.batch.docStart, DocEnd: c.batch.docEnd, Share: c.batch.share,
		Scale: optimizer.LossScale(n.e.state()), F: c.take(n.kernel.ShareBytes(c.rows)),
	}
	n.kernel.Shares(c.q, c.rows, b, n.grouping.At(c.aux, c.rows))
	return b
}

func (n *routeNode) backward(c *call) {
	var b experts.Balance
	if n.kernel.Balances() {
		b = n.balance(c)
	}
	n.kernel.Backward(c.q, c.rows, c.dIn[0], c.in[0], c.out[0], c.dOut[1], c.accumulate[0], b)
}

// combineNode adds a token's slots up.
type combineNode struct {
	base
	kernel *experts.Combine
}

func newCombine(b base, o *graph.Combine) *combineNode {
	spec := experts.CombineSpec{
		Width: b.inWidth(0), Slots: b.inSlots(0), Plain: o.Plain, X: b.inType(0), Y: b.outType(), Weight: device.Float32,
	}
	if !o.Plain {
		spec.Weight = b.inType(1)
	}
	return &combineNode{base: b, kernel: experts.NewCombine(&b.e.set, spec)}
}

// weights are those of a call, 0 for none.
func (n *combineNode) weights(c *call) device.Pointer {
	if len(c.in) < 2 {
		return 0
	}
	return c.in[1]
}

func (n *combineNode) forward(c *call) {
	n.kernel.Forward(c.q, c.rows, c.out[0], c.in[0], n.weights(c), false)
}

func (n *combineNode) backward(c *call) {
	var dWeights experts.Gradient
	if len(c.dIn) > 1 {
		dWeights = experts.Gradient{To: c.dIn[1], Add: c.accumulate[1]}
	}
	n.kernel.Backward(c.q, c.rows, experts.Gradient{To: c.dIn[0], Add: c.accumulate[0]}, dWeights, c.dOut[0], c.in[0], n.weights(c))
}

// expertNode is the linear of each slot's expert, y = x·W[e]ᵀ + b[e], and its adapter's
// s·((dropout(x)·A[e]ᵀ)·B[e]ᵀ). Where weights multiply its input, x is w·x.
//
// All products are on slots in the order of their experts, as the route left it.
type expertNode struct {
	base
	op      *graph.ExpertLinear
	in, out int
	slots   int // of a token
	share   int // slots that share a row of x
	key     int // index of the dropout's key among a step's; −1 without dropout

	grouping   *experts.Grouping
	main, back *experts.Product
	weight     *experts.Outer    // nil: W is frozen
	bias       *experts.BiasSums // nil: b is frozen, or there is none
	widen      *rows.Scale       // of W to the activations' type; nil where it has it
	weigh      *experts.Combine  // of x by w; nil without weights
	sum        *experts.Combine  // of slots' gradients to those of x; nil where they are the same
	adapter    *expertAdapter    // nil: none
}

// expertAdapter is the kernels of an adapter on experts.
type expertAdapter struct {
	pack *experts.Pack
	down *experts.Product // h = s·input·A[e]ᵀ
	up   *experts.Product // dh = s·dy·B[e]
	back *experts.Product // dh·A[e], by itself where dropout comes after it; or nil
	drop *rows.Dropout    // of the input, and its gradient; nil without dropout
	a, b *experts.Outer   // gradients
}

func newExpertLinear(b base, o *graph.ExpertLinear) (*expertNode, error) {
	if err := experts.Check(o.Experts); err != nil {
		return nil, fmt.Errorf("node %q: %w", b.node.Name, err)
	}
	shape := b.e.g.Params[o.Weight].Shape
	n := &expertNode{base: b, op: o, in: shape[2], out: shape[1], slots: b.inWidth(1), share: 1, key: -1}
	set, act := &b.e.set, b.e.act
	n.grouping = experts.NewGrouping(set, o.Experts, n.slots, act)
	shared := n.slots / b.inSlots(0)
	if o.WeighInput {
		n.weigh = experts.NewCombine(set, experts.CombineSpec{Width: n.in, Slots: shared, X: act, Y: act, Weight: b.inType(2)})
		n.sum = n.weigh
	} else if n.share = shared; shared > 1 {
		n.sum = experts.NewCombine(set, experts.CombineSpec{Width: n.in, Slots: shared, Plain: true, X: act, Y: act, Weight: device.Float32})
	}
	rank := 0
	if a := o.Adapter; a != nil {
		rank = a.Rank
		n.adapter = n.newAdapter(a)
	}
	n.main = experts.NewProduct(set, experts.ProductSpec{Depth: n.in, Width: n.out, Depth2: rank, Share: n.share, Transposed: true, Type: act})
	if n.step != nil {
		n.back = experts.NewProduct(set, experts.ProductSpec{Depth: n.out, Width: n.in, Depth2: rank, Share: 1, Type: act})
	}
	if n.trained(o.Weight) {
		n.weight = experts.NewOuter(set, experts.OuterSpec{
			Experts: o.Experts, Height: n.out, Width: n.in, HeightShare: 1, WidthShare: n.share,
			Expert: n.out * n.in, Row: n.in, Column: 1, Type: act,
		})
	}
	if n.trained(o.Bias) {
		n.bias = experts.NewBiasSums(set, o.Experts, n.out, act)
	}
	if held := b.e.matrixType(o.Weight); held != act {
		n.widen = rows.NewScale(set, held, act)
	}
	return n, nil
}

// newAdapter makes an adapter's kernels. A is [experts, rank, in]; the experts of B
// [out, rank, experts] stand side by side.
func (n *expertNode) newAdapter(a *graph.Adapter) *expertAdapter {
	set, act, count := &n.e.set, n.e.act, n.op.Experts
	k := &expertAdapter{
		pack: experts.NewPack(set, count, n.out, a.Rank, act),
		down: experts.NewProduct(set, experts.ProductSpec{Depth: n.in, Width: a.Rank, Share: n.share, Transposed: true, Type: act}),
	}
	if a.Dropout > 0 && n.e.phases.Train {
		k.drop = rows.NewDropout(set, n.in, n.inSlots(0), act, act)
		k.back = experts.NewProduct(set, experts.ProductSpec{Depth: a.Rank, Width: n.in, Share: 1, Type: act})
		n.key = n.e.addKey(n.op.Module)
	}
	if n.step == nil {
		return k
	}
	k.up = experts.NewProduct(set, experts.ProductSpec{Depth: n.out, Width: a.Rank, Share: 1, Type: act})
	k.a = experts.NewOuter(set, experts.OuterSpec{
		Experts: count, Height: n.in, Width: a.Rank, HeightShare: n.share, WidthShare: 1,
		Expert: a.Rank * n.in, Row: 1, Column: n.in, Type: act,
	})
	k.b = experts.NewOuter(set, experts.OuterSpec{
		Experts: count, Height: n.out, Width: a.Rank, HeightShare: 1, WidthShare: 1,
		Expert: 1, Row: a.Rank * count, Column: count, Type: act,
	})
	return k
}

// The bytes of rows of the input as it comes, and of slots.
func (n *expertNode) inputBytes(rowCount int) int64 {
	return int64(rowCount*n.inSlots(0)) * int64(n.in) * n.e.act.Size()
}

func (n *expertNode) slotBytes(rowCount, width int) int64 {
	return int64(rowCount*n.slots) * int64(width) * n.e.act.Size()
}

func (n *expertNode) weightElements() int64 {
	return int64(n.op.Experts) * int64(n.out) * int64(n.in)
}

// packedBytes are those of an adapter's B.
func (n *expertNode) packedBytes(a *graph.Adapter) int64 {
	return int64(n.op.Experts) * int64(n.out) * int64(a.Rank) * n.e.act.Size()
}

// direct reports whether a slot's gradient is that of a row of x.
func (n *expertNode) direct() bool { return n.sum == nil }

// scratchBytes: W in the activations' type; w·x, and that of the adapter; the adapter's
// B, its input, its product and the gradient of that; the gradients of slots, and of
// rows before dropout.
func (n *expertNode) scratchBytes(rowCount int) int64 {
	total, x, slots := int64(0), need(n.inputBytes(rowCount)), need(n.slotBytes(rowCount, n.in))
	if n.widen != nil {
		total += need(n.weightElements() * n.e.act.Size())
	}
	if n.weigh != nil {
		total += slots
	}
	drops := false
	if a := n.op.Adapter; a != nil {
		product := need(n.slotBytes(rowCount, a.Rank))
		total += need(n.packedBytes(a)) + 2*product
		if drops = n.adapter.drop != nil; drops {
			total += x
			if n.weigh != nil {
				total += slots
			}
		}
	}
	if n.step != nil && (drops || !n.direct()) {
		total += slots
		if drops && !n.direct() {
			total += x
		}
	}
	return total
}

// keptBytes: the adapter's product, which the gradient of B reads.
func (n *expertNode) keptBytes(rowCount int) int64 {
	if a := n.op.Adapter; a != nil && n.trained(a.B) {
		return n.slotBytes(rowCount, a.Rank)
	}
	return 0
}

// groups are the slots by expert, as the route left them behind its indices.
func (n *expertNode) groups(c *call) experts.Groups { return n.grouping.At(c.inAux[1], c.rows) }

// matrix is W in the activations' type.
func (n *expertNode) matrix(c *call) device.Pointer {
	at := n.e.matrix(n.op.Weight)
	if n.widen == nil {
		return at
	}
	wide := c.take(n.weightElements() * n.e.act.Size())
	n.widen.Write(c.q, n.weightElements(), wide, at, 1)
	return wide
}

// weighed is w·x by slots, or x itself.
func (n *expertNode) weighed(c *call, x device.Pointer) device.Pointer {
	if n.weigh == nil {
		return x
	}
	y := c.take(n.slotBytes(c.rows, n.in))
	n.weigh.Backward(c.q, n.rowsOf(c), experts.Gradient{To: y}, experts.Gradient{}, x, 0, c.in[2])
	return y
}

// drops reports whether dropout is on.
func (n *expertNode) drops(c *call) bool { return c.training && n.adapter.drop != nil }

// drop is y = dropout(x), or adds that to y, on rows of the input.
func (n *expertNode) drop(c *call, y, x device.Pointer, add bool) {
	n.adapter.drop.Apply(c.q, c.rows, y, x, c.batch.sample, c.batch.position, n.e.keyAt(n.key), n.op.Adapter.Dropout, add)
}

// packed is the adapter's B as products read it.
func (n *expertNode) packed(c *call, a *graph.Adapter) device.Pointer {
	to := c.take(n.packedBytes(a))
	n.adapter.pack.Run(c.q, to, n.e.matrix(a.B))
	return to
}

// down is h = s·input·Aᵀ [slots, rank], where it is kept or in scratch memory.
func (n *expertNode) down(c *call, g experts.Groups, a *graph.Adapter, input device.Pointer) device.Pointer {
	h := c.kept
	if h == 0 {
		h = c.take(n.slotBytes(c.rows, a.Rank))
	}
	n.adapter.down.Run(c.q, g, experts.Operands{Y: h, X: input, W: n.e.matrix(a.A), Factor: float32(a.Scaling())})
	return h
}

func (n *expertNode) forward(c *call) {
	g := n.groups(c)
	x := n.weighed(c, c.in[0])
	o := experts.Operands{Y: c.out[0], X: x, W: n.matrix(c), Bias: n.e.vector(n.op.Bias), Factor: 1}
	if a := diff.Active(n.op, c.adapter); a != nil {
		o.X2, o.W2 = n.down(c, g, a, n.adapterInput(c, x)), n.packed(c, a)
		n.e.clock.lap(familyAdapter)
	}
	n.main.Run(c.q, g, o)
}

// adapterInput is what A is multiplied by: x, or dropout(x), by w.
func (n *expertNode) adapterInput(c *call, x device.Pointer) device.Pointer {
	if !n.drops(c) {
		return x
	}
	dropped := c.take(n.inputBytes(c.rows))
	n.drop(c, dropped, c.in[0], false)
	return n.weighed(c, dropped)
}

// backward: dX = dY·W[e] + dropout(dh·A[e]), where dh = s·dY·B[e]; dW[e] = Σ dY·X over the
// slots of e; db[e] = Σ dY; dB[e] = Σ dY·h; dA[e] = Σ dh·dropout(x).
func (n *expertNode) backward(c *call) {
	g, dy := n.groups(c), c.dOut[0]
	a := diff.Active(n.op, c.adapter)
	if n.bias != nil {
		n.bias.Add(c.q, g, n.e.gradient(n.op.Bias), dy)
	}
	x := c.in[0]
	if n.weight != nil || n.readsInput(c, a) && !n.drops(c) {
		x = n.weighed(c, x)
	}
	if n.weight != nil {
		n.weight.Add(c.q, g, n.e.gradient(n.op.Weight), dy, x, 1)
	}
	back := experts.Operands{X: dy, Factor: 1}
	if a != nil {
		back.X2, back.W2 = n.adapterBackward(c, g, a, x), n.e.matrix(a.A)
		n.e.clock.lap(familyAdapter + familyBackward)
	}
	if c.dIn[0] != 0 || n.dWeights(c).To != 0 {
		n.inputBackward(c, g, back)
	}
}

// readsInput reports whether the gradients of an adapter take its input.
func (n *expertNode) readsInput(c *call, a *graph.Adapter) bool {
	return a != nil && (n.trained(a.A) || n.trained(a.B) && c.kept == 0)
}

// adapterBackward gives the gradients of A and B, and dh in scratch memory.
func (n *expertNode) adapterBackward(c *call, g experts.Groups, a *graph.Adapter, x device.Pointer) (dh device.Pointer) {
	dy, k := c.dOut[0], n.adapter
	input := x
	if n.readsInput(c, a) {
		input = n.adapterInput(c, x)
	}
	if n.trained(a.B) {
		h := c.kept
		if h == 0 {
			h = n.down(c, g, a, input)
		}
		k.b.Add(c.q, g, n.e.gradient(a.B), dy, h, 1)
	}
	dh = c.take(n.slotBytes(c.rows, a.Rank))
	k.up.Run(c.q, g, experts.Operands{Y: dh, X: dy, W: n.packed(c, a), Factor: float32(a.Scaling())})
	if n.trained(a.A) {
		k.a.Add(c.q, g, n.e.gradient(a.A), input, dh, 1)
	}
	return dh
}

// dWeights is where the gradient of the weights goes.
func (n *expertNode) dWeights(c *call) experts.Gradient {
	if n.weigh == nil {
		return experts.Gradient{}
	}
	return experts.Gradient{To: c.dIn[2], Add: c.accumulate[2]}
}

// inputBackward gives the gradients of x and the weights. Where dropout is on, the
// adapter's share of them goes through it, by itself.
func (n *expertNode) inputBackward(c *call, g experts.Groups, back experts.Operands) {
	share := experts.Operands{X: back.X2, W: back.W2, Factor: 1}
	apart := share.X != 0 && n.drops(c)
	if apart {
		back.X2, back.W2 = 0, 0
	}
	if apart || !n.direct() {
		share.Y = c.take(n.slotBytes(c.rows, n.in))
	}
	back.W = n.matrix(c)
	dx, dWeights := experts.Gradient{To: c.dIn[0], Add: c.accumulate[0]}, n.dWeights(c)
	if n.direct() {
		back.Y, back.Add = dx.To, dx.Add
		n.back.Run(c.q, g, back)
	} else {
		back.Y = share.Y
		n.back.Run(c.q, g, back)
		n.gather(c, dx, dWeights, share.Y, c.in[0])
	}
	if apart {
		n.adapter.back.Run(c.q, g, share)
		dWeights.Add = true
		n.throughDropout(c, dx.To, dWeights, share.Y)
	}
}

// throughDropout adds the adapter's share of the gradients of slots to those of x and
// the weights.
func (n *expertNode) throughDropout(c *call, dx device.Pointer, dWeights experts.Gradient, slots device.Pointer) {
	before := slots
	if !n.direct() {
		before = c.take(n.inputBytes(c.rows))
	}
	if dWeights.To != 0 {
		n.drop(c, before, c.in[0], false)
		n.gather(c, experts.Gradient{}, dWeights, slots, before)
	}
	if dx == 0 {
		return
	}
	if !n.direct() {
		n.gather(c, experts.Gradient{To: before}, experts.Gradient{}, slots, 0)
	}
	n.drop(c, dx, before, true)
}

// gather takes the gradients of slots to x, whose rows they share, and to the weights.
func (n *expertNode) gather(c *call, dx, dWeights experts.Gradient, slots, x device.Pointer) {
	weights := device.Pointer(0)
	if n.weigh != nil {
		weights = c.in[2]
	}
	if dx.To != 0 {
		n.sum.Forward(c.q, n.rowsOf(c), dx.To, slots, weights, dx.Add)
	}
	if dWeights.To != 0 {
		n.weigh.Backward(c.q, n.rowsOf(c), experts.Gradient{}, dWeights, x, slots, 0)
	}
}
