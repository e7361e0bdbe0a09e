package engine

import (
	"slices"

	"github.com/honeml/hone/plugins/cuda-kernels/adapter"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/gemm"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// A group is linears of one input x, such as queries, keys and values, in training. Their
// matrices A lie one behind the other, so that what they have in common is computed at
// once and x read once:
//
//	h [rows, rank] = s·x·Aᵀ     dA += dᵀ·x     dx = Σ dy·W + d·A
//
// With dropout x is dropout(x) for each adapter by its own key, in registers, and what goes
// to dx through it is added there.
//
// The first linear computes h and keeps it for all; its backward step, which is the last
// of theirs, has the rest. By then those with magnitudes have put dz in the place of dy.
type group struct {
	e       *Engine
	members []*linearNode // the first leads; it has an adapter
	nodes   []int         // of the Graph
	rank    int           // of all adapters together
	scale   float32       // of each
	dropped int           // adapters, where each has dropout of its own

	input *adapter.Input    // h and dA; nil where cuBLASLt has them
	thin  *adapter.Backward // d and the gradients of B; nil where each linear's own step has them
	back  *gemm.Product     // dx; nil where cuBLASLt has it
}

// rankStep is what ranks in a group are a multiple of: each adapter's part of h and d is
// then aligned as products want it.
const rankStep = 8

// join finds the groups of the trunk's linears. steps are the backward steps of the
// Graph's nodes.
func (e *Engine) join(steps []*diff.Step) {
	if e.options.Library {
		return
	}
	uses := make([]int, len(e.g.Params))
	readers := make([][]int, len(e.g.Values)) // nodes that may give a value a gradient
	for i, n := range e.g.Nodes {
		for _, id := range graph.ParamsOf(n.Op) {
			uses[id]++
		}
		for k, v := range n.Inputs {
			if steps[i] != nil && !slices.Contains(n.Inputs[:k], v) {
				readers[v] = append(readers[v], i)
			}
		}
	}
	for i := 0; i < len(e.g.Nodes); i++ {
		if steps[i] == nil || len(e.g.Nodes[i].Inputs) != 1 {
			continue
		}
		of := readers[e.g.Nodes[i].Inputs[0]]
		if g := e.groupOf(of[slices.Index(of, i):], uses); g != nil {
			e.groups = append(e.groups, g)
			i = g.nodes[len(g.nodes)-1] // d is one memory for all groups: the next begins after this one
		}
	}
	for _, n := range e.nodes {
		if l := linearOf(n); l != nil && l.op.Adapter != nil {
			l.alone()
		}
	}
}

// groupOf is the group that the first of some nodes leads, or nil. The nodes are all that
// read its input from there on.
func (e *Engine) groupOf(nodes []int, uses []int) *group {
	g := &group{e: e}
	for _, i := range nodes {
		n, ok := e.nodes[i].(*linearNode)
		if !ok || !slices.Contains(e.head.TrunkNodes, i) || !g.takes(n, uses) {
			break
		}
		n.rankAt = g.rank
		if a := n.op.Adapter; a != nil {
			g.rank += a.Rank
			g.scale = float32(a.Scaling())
			if n.drop != nil {
				g.dropped++
			}
		}
		g.members, g.nodes = append(g.members, n), append(g.nodes, i)
	}
	if len(g.members) < 2 {
		return nil
	}
	lead, o := g.members[0], e.options
	if g.input = e.adapterInput(lead.in, g.rank, g.dropped); g.input == nil && g.dropped > 0 {
		return nil
	}
	for _, n := range g.members {
		n.group = g
	}
	if widths, rank := g.outputs(); rank > 0 {
		g.thin = e.adapterOutput(widths, rank)
	}
	product := gemm.Spec{Type: e.act, Down: true, Rank: g.rank}
	if !slices.ContainsFunc(g.members, func(n *linearNode) bool { return !gemm.Runs(o.Arch, product, n.in, n.out) }) {
		g.back = gemm.New(&e.set, product, o.Processors)
	}
	return g
}

// takes reports whether a linear can be the group's next.
func (g *group) takes(n *linearNode, uses []int) bool {
	if len(g.members) == gemm.MostTerms || n.own != nil || n.dora != nil && n.drop != nil || n.widen != nil || n.narrow != nil || n.outType() != g.e.act {
		return false
	}
	a := n.op.Adapter
	if a == nil {
		return len(g.members) > 0
	}
	if len(g.members) > 0 && !g.dropsAs(n) {
		return false
	}
	return (n.drop == nil || adapter.Masks(a.Dropout)) && diff.Active(n.op, g.e.settings.Adapter) != nil && a.Start == nil && n.trained(a.A) && n.trained(a.B) && uses[a.A] == 1 &&
		a.Rank%rankStep == 0 && (g.rank == 0 || float32(a.Scaling()) == g.scale)
}

// outputs are the widths of what the linears with adapters give, and these adapters' rank; 0
// where they have several.
func (g *group) outputs() (widths []int, rank int) {
	for _, n := range g.members {
		a := n.op.Adapter
		if a == nil {
			continue
		}
		if rank > 0 && a.Rank != rank {
			return nil, 0
		}
		widths, rank = append(widths, n.out), a.Rank
	}
	return widths, rank
}

// dropsAs reports whether a linear has dropout as the group has: with the same probability
// and rank, by the key that follows, or none.
func (g *group) dropsAs(n *linearNode) bool {
	if g.dropped == 0 {
		return n.drop == nil
	}
	lead, a := g.members[0], n.op.Adapter
	return n.drop != nil && g.dropped < adapter.MostDropped && a.Dropout == lead.op.Adapter.Dropout && a.Rank == lead.op.Adapter.Rank && n.key == lead.key+g.dropped
}

// parameters are the matrices A, in the order in which they have to lie.
func (g *group) parameters() []graph.ParamID {
	var out []graph.ParamID
	for _, n := range g.members {
		if a := n.op.Adapter; a != nil {
			out = append(out, a.A)
		}
	}
	return out
}

// leads reports whether a linear leads its group.
func (g *group) leads(n *linearNode) bool { return g.members[0] == n }

// a is the matrices A, one behind the other.
func (g *group) a() operand {
	lead := g.members[0]
	a := lead.parameter(lead.op.Adapter.A)
	a.rows = g.rank
	return a
}

// gradient is where their gradients are summed.
func (g *group) gradient() operand {
	lead := g.members[0]
	a := lead.gradientOperand(lead.op.Adapter.A)
	a.rows = g.rank
	return a
}

// whole is a matrix [rows, rank] of all adapters, h or d.
func (g *group) whole(c *call, at device.Pointer) operand {
	return operand{at: at, t: g.e.act, rows: c.rows, cols: g.rank}
}

// part is a linear's part of such a matrix.
func (g *group) part(n *linearNode, of operand) operand {
	if n.op.Adapter == nil {
		return operand{}
	}
	of.at, of.stride, of.cols = of.at.Offset(int64(n.rankAt)*of.t.Size()), of.cols, n.op.Adapter.Rank
	return of
}

// h is what is kept for all members.
func (g *group) h(c *call) operand { return g.whole(c, c.kept) }

// d is the gradient of x·Aᵀ, scaled: it lives from the first backward step of the group
// to the last.
func (g *group) d(c *call) operand { return g.whole(c, g.e.at(g.e.groupSpan)) }

// down computes h.
func (g *group) down(c *call, x operand) {
	h := g.h(c)
	if g.input.Wins(c.rows) {
		g.input.Down(c.q, c.rows, h.at, x.at, g.a().at, g.scale, g.members[0].mask(c), c.lend(g.input.Workspace(c.rows)))
		return
	}
	g.e.multiply(c.q, h, x, g.a().T(), g.scale, false)
}

// finish is the end of the group's backward pass: dA, and dx where it is wanted.
func (g *group) finish(c *call, x, dy operand) {
	dx := x
	dx.at = c.dIn[0]
	if g.thin.Wins(c.rows) {
		g.allOutputs(c, dy)
	}
	if g.dropped > 0 {
		if dx.at != 0 {
			g.ofOutputs(c, dx, dy)
			g.e.clock.lap(g.members[0].family() + familyBackward)
		}
		g.input.DroppedGradient(c.q, c.rows, g.gradient().at, dx.at, x.at, g.a().at, g.d(c).at, g.members[0].mask(c), c.lend(g.input.Workspace(c.rows)))
		g.e.clock.lap(familyAdapter + familyBackward)
		return
	}
	if g.input.Wins(c.rows) {
		g.input.Gradient(c.q, c.rows, g.gradient().at, x.at, g.d(c).at, c.lend(g.input.Workspace(c.rows)))
	} else {
		g.e.multiply(c.q, g.gradient(), g.d(c).T(), x, 1, true)
	}
	g.e.clock.lap(familyAdapter + familyBackward)
	if dx.at != 0 {
		g.ofOutputs(c, dx, dy)
	}
}

// allOutputs is d and the gradients of B.
func (g *group) allOutputs(c *call, dy operand) {
	var of []adapter.Output
	for i, n := range g.members {
		if a := n.op.Adapter; a != nil {
			of = append(of, adapter.Output{DY: g.gradientOf(c, i, dy), B: n.parameter(a.B).at, DB: g.e.gradient(a.B)})
		}
	}
	g.thin.Run(c.q, c.rows, g.d(c).rowsOf(), g.h(c).rowsOf(), of, g.scale, c.lend(g.thin.Workspace(c.rows)))
	g.e.clock.lap(familyAdapter + familyBackward)
}

// gradientOf is where the gradient of a linear's output lies, dy being the first one's.
func (g *group) gradientOf(c *call, member int, dy operand) device.Pointer {
	if member == 0 {
		return dy.at
	}
	return c.led[member-1]
}

// ofOutputs is dx, with dropout what comes to it through the weights alone.
func (g *group) ofOutputs(c *call, dx, dy operand) {
	e, d := g.e, g.d(c)
	if g.back.Wins(dx.rows, dx.cols) {
		o := gemm.Operands{D: dx.at, Add: c.accumulate[0]}
		if g.dropped == 0 {
			o.Small = gemm.Term{P: d.at, Q: g.a().at, K: g.rank}
		}
		for i, n := range g.members {
			o.Terms = append(o.Terms, gemm.Term{P: g.gradientOf(c, i, dy), Q: e.matrix(n.op.Weight), K: n.out})
		}
		g.back.Multiply(c.q, dx.rows, dx.cols, o)
		return
	}
	add := c.accumulate[0]
	if g.dropped == 0 {
		e.multiply(c.q, dx, d, g.a(), 1, add)
		add = true
	}
	for i, n := range g.members {
		e.multiply(c.q, dx, n.activations(c, g.gradientOf(c, i, dy), e.act, n.out), n.weight(c), 1, add)
		add = true
	}
}

// trunkGroups are the groups as a schedule of the trunk has them.
func (e *Engine) trunkGroups() [][]int {
	var out [][]int
	for _, g := range e.groups {
		var of []int
		for _, n := range g.nodes {
			of = append(of, slices.Index(e.head.TrunkNodes, n))
		}
		out = append(out, of)
	}
	return out
}

// groupBytes is the memory of d, for the widest of the groups.
func (e *Engine) groupBytes(rows int) int64 {
	most := 0
	for _, g := range e.groups {
		most = max(most, g.rank)
	}
	return int64(rows) * int64(most) * e.act.Size()
}
