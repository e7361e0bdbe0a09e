package engine

import (
	"github.com/honeml/hone/plugins/cpu-kernels/gemm"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/dropout"
)

// expertKernel is y = x·W[e]ᵀ + b[e] for each slot's expert e, and the adapter's
// s·(dropout(x)·A[e]ᵀ)·B[e]ᵀ.
//
// Slots are grouped by expert, in order; each group's rows are gathered, multiplied
// by the expert's matrices as one product, and put back. A token chooses an expert
// once at most, so a group has no more rows than there are tokens.
type expertKernel struct {
	base
	op      *graph.ExpertLinear
	in, out int
	slots   int // experts a token
}

func newExperts(b base, o *graph.ExpertLinear) *expertKernel {
	shape := b.e.g.Params[o.Weight].Shape
	return &expertKernel{base: b, op: o, in: shape[2], out: shape[1], slots: b.inWidth(1)}
}

// groups are the slots of each expert, in order.
func (k *expertKernel) groups(c *call) [][]int {
	indices := c.in[1]
	counts := make([]int, k.op.Experts)
	for _, e := range indices {
		counts[int(e)]++
	}
	memory := make([]int, 0, len(indices))
	out := make([][]int, k.op.Experts)
	for e, n := range counts {
		at := len(memory)
		memory = memory[:at+n]
		out[e] = memory[at : at : at+n]
	}
	for i, e := range indices {
		out[int(e)] = append(out[int(e)], i)
	}
	return out
}

// row is the row of the input that a slot takes.
func (k *expertKernel) row(slot int) int {
	if k.inSlots() == 1 {
		return slot / k.slots
	}
	return slot
}

// weight is what a slot's input is multiplied by.
func (k *expertKernel) weight(c *call, slot int) float32 {
	if !k.op.WeighInput {
		return 1
	}
	return c.in[2][slot]
}

func (k *expertKernel) forward(c *call) {
	active := diff.Active(k.op, c.adapter)
	for e, group := range k.groups(c) {
		if len(group) == 0 {
			continue
		}
		n := len(group)
		x, y := k.e.scratch(n*k.in), k.e.scratch(n*k.out)
		k.gather(c, group, x)
		k.e.multiply(floats(y, n, k.out), floats(x, n, k.in), k.expert(e).T(), false)
		if k.op.Bias != graph.NoParam {
			bias := make([]float32, k.out)
			k.e.weight(k.op.Bias).row(e, bias)
			k.e.addToRows(y, bias, 1)
		}
		if active != nil {
			k.drop(c, active, group, x)
			h := k.down(active, e, x, n)
			b := k.gatherB(active, e)
			k.e.multiply(floats(y, n, k.out), floats(h, n, active.Rank), floats(b, k.out, active.Rank).T(), true)
			k.e.release(b)
			k.e.release(h)
		}
		k.e.eachRow(n, func(from, to int) {
			for i := from; i < to; i++ {
				copy(c.out[0][group[i]*k.out:], y[i*k.out:(i+1)*k.out])
			}
		})
		k.e.release(y)
		k.e.release(x)
	}
}

// expert is the weight of expert e, [out, in].
func (k *expertKernel) expert(e int) gemm.Matrix {
	return k.e.weight(k.op.Weight).block(e*k.out*k.in, k.out, k.in)
}

// gather puts the inputs of a group's slots, weighed, into x.
func (k *expertKernel) gather(c *call, group []int, x []float32) {
	k.e.eachRow(len(group), func(from, to int) {
		for i := from; i < to; i++ {
			row := k.row(group[i])
			dst := x[i*k.in : (i+1)*k.in]
			copy(dst, c.in[0][row*k.in:])
			if w := k.weight(c, group[i]); w != 1 {
				for j := range dst {
					dst[j] *= w
				}
			}
		}
	})
}

// drop multiplies a group's rows by their dropout, in training.
func (k *expertKernel) drop(c *call, a *graph.Adapter, group []int, x []float32) {
	if !c.training || a.Dropout == 0 {
		return
	}
	key := dropout.NewKey(k.e.settings.Seed, c.step, k.op.Module)
	k.e.eachRow(len(group), func(from, to int) {
		m := make([]float32, k.in)
		for i := from; i < to; i++ {
			t, slot := group[i]/k.slots, 0
			if k.inSlots() > 1 {
				slot = group[i] % k.slots
			}
			dropout.SlotRow(key, c.rows.sample[t], c.rows.position[t], int32(slot), a.Dropout, m)
			for j := range m {
				x[i*k.in+j] *= m[j]
			}
		}
	})
}

// down is s·x·A[e]ᵀ, [n, rank], in scratch memory.
func (k *expertKernel) down(a *graph.Adapter, e int, x []float32, n int) []float32 {
	h := k.e.scratch(n * a.Rank)
	k.e.product.Multiply(floats(h, n, a.Rank), floats(x, n, k.in), k.expertA(a, e).T(), float32(a.Scaling()))
	return h
}

// expertA is the A of expert e, [rank, in].
func (k *expertKernel) expertA(a *graph.Adapter, e int) gemm.Matrix {
	return k.e.weight(a.A).block(e*a.Rank*k.in, a.Rank, k.in)
}

// gatherB is the B of expert e, [out, rank], in scratch memory: a column of each of
// the rank blocks that B has, one column an expert.
func (k *expertKernel) gatherB(a *graph.Adapter, e int) []float32 {
	all := k.e.vector(a.B)
	b := k.e.scratch(k.out * a.Rank)
	for i := range b {
		b[i] = all[i*k.op.Experts+e]
	}
	return b
}

// backward is linearKernel's, group by group. Where x has one row a token, the
// gradients of its experts add up in the experts' order.
func (k *expertKernel) backward(c *call) {
	if dx := c.dIn[0]; dx != nil && !c.accumulate[0] {
		clear(dx)
	}
	for e, group := range k.groups(c) {
		if len(group) > 0 {
			k.groupBackward(c, e, group)
		}
	}
}

func (k *expertKernel) groupBackward(c *call, e int, group []int) {
	n := len(group)
	dy := k.e.scratch(n * k.out)
	defer k.e.release(dy)
	k.e.eachRow(n, func(from, to int) {
		for i := from; i < to; i++ {
			copy(dy[i*k.out:], c.dOut[0][group[i]*k.out:(group[i]+1)*k.out])
		}
	})
	if k.trains(k.op.Bias) {
		k.e.columnSums(k.e.gradient(k.op.Bias)[e*k.out:(e+1)*k.out], dy, k.out, 1)
	}
	active := diff.Active(k.op, c.adapter)
	trainsAdapter := active != nil && (k.trains(active.A) || k.trains(active.B))
	var x []float32
	if k.trains(k.op.Weight) || trainsAdapter {
		x = k.e.scratch(n * k.in)
		defer k.e.release(x)
		k.gather(c, group, x)
	}
	if k.trains(k.op.Weight) {
		k.e.matmulGradient(k.e.gradient(k.op.Weight)[e*k.out*k.in:(e+1)*k.out*k.in], dy, x, n, k.out, k.in)
	}
	var dx []float32
	if c.dIn[0] != nil || k.weighs(c) {
		dx = k.e.scratch(n * k.in)
		defer k.e.release(dx)
		k.e.multiply(floats(dx, n, k.in), floats(dy, n, k.out), k.expert(e), false)
	}
	if active != nil {
		if trainsAdapter {
			k.drop(c, active, group, x)
		}
		k.adapterBackward(c, active, e, group, x, dy, dx)
	}
	if dx != nil {
		k.scatter(c, group, dx)
	}
}

// weighs reports whether the weights have a gradient.
func (k *expertKernel) weighs(c *call) bool { return k.op.WeighInput && c.dIn[2] != nil }

// adapterBackward: dB = s·dyᵀ·(x·Aᵀ);  dA = (s·dy·B)ᵀ·x;  dx += dropout(s·dy·B·A), with
// x dropped already; nil where neither A nor B is trained. dx may be nil.
func (k *expertKernel) adapterBackward(c *call, a *graph.Adapter, e int, group []int, x, dy, dx []float32) {
	n, rank := len(group), a.Rank
	if k.trains(a.B) {
		h, d := k.down(a, e, x, n), k.e.scratch(k.out*rank)
		k.e.multiply(floats(d, k.out, rank), floats(dy, n, k.out).T(), floats(h, n, rank), false)
		sum := k.e.gradient(a.B)
		for i, v := range d {
			sum[i*k.op.Experts+e] += v
		}
		k.e.release(d)
		k.e.release(h)
	}
	if !k.trains(a.A) && dx == nil {
		return
	}
	b, dh := k.gatherB(a, e), k.e.scratch(n*rank)
	defer k.e.release(b)
	defer k.e.release(dh)
	k.e.product.Multiply(floats(dh, n, rank), floats(dy, n, k.out), floats(b, k.out, rank), float32(a.Scaling()))
	if k.trains(a.A) {
		k.e.matmulGradient(k.e.gradient(a.A)[e*rank*k.in:(e+1)*rank*k.in], dh, x, n, rank, k.in)
	}
	if dx == nil {
		return
	}
	if !c.training || a.Dropout == 0 {
		k.e.multiply(floats(dx, n, k.in), floats(dh, n, rank), k.expertA(a, e), true)
		return
	}
	d := k.e.scratch(n * k.in)
	defer k.e.release(d)
	k.e.multiply(floats(d, n, k.in), floats(dh, n, rank), k.expertA(a, e), false)
	k.drop(c, a, group, d)
	addTo(dx, d, 1)
}

// scatter takes a group's gradients of the weighed inputs to the inputs and their
// weights.
func (k *expertKernel) scatter(c *call, group []int, dx []float32) {
	k.e.eachRow(len(group), func(from, to int) {
		for i := from; i < to; i++ {
			slot, d := group[i], dx[i*k.in:(i+1)*k.in]
			row := k.row(slot)
			if c.dIn[0] != nil {
				addTo(c.dIn[0][row*k.in:(row+1)*k.in], d, k.weight(c, slot))
			}
			if k.weighs(c) {
				store(c.dIn[2][slot:slot+1], []float32{dot(d, c.in[0][row*k.in:(row+1)*k.in])}, c.accumulate[2])
			}
		}
	})
}

// scratchFloats is the scratch memory that a micro-batch of that many tokens takes.
func (k *expertKernel) scratchFloats(tokens int) int64 {
	rank := 0
	if a := k.op.Adapter; a != nil {
		rank = a.Rank
	}
	return int64(tokens)*int64(3*k.in+k.out+2*rank) + 2*int64(k.out*rank)
}
