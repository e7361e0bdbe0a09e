package engine

import (
	"slices"

	"github.com/honeml/hone/plugins/cuda-kernels/attention"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/sdk/graph"
)

// attentionNode is causal attention within documents.
type attentionNode struct {
	base
	op           *graph.Attention
	kernel       *attention.Attention
	decoder      *attention.Decoder // nil without generation
	keys, values int                // slots of the cache
	add          *rows.Scale        // of a gradient that stands apart first; or nil
}

// attentionOf is the attention that a node is, or nil.
func attentionOf(n node) *attentionNode {
	a, _ := withoutCast(n).(*attentionNode)
	return a
}

func newAttention(b base, o *graph.Attention) *attentionNode {
	spec := attention.Spec{Op: *o, Type: b.e.act, Shared: b.e.options.SharedBytes, Arch: b.e.options.Arch}
	n := &attentionNode{base: b, op: o, kernel: attention.New(&b.e.set, spec)}
	for i := range n.node.Inputs {
		if n.again(i) {
			n.add = rows.NewScale(&b.e.set, b.e.act, b.e.act)
		}
	}
	if b.e.phases.GenerateSequences > 0 {
		n.decoder = attention.NewDecoder(&b.e.set, spec)
		n.keys = b.e.addCache(o.KVHeads*o.KeyWidth, b.e.act)
		n.values = b.e.addCache(o.KVHeads*o.ValueWidth, b.e.act)
	}
	return n
}

// again reports whether an input is the value of an earlier one: queries that are keys
// too. The kernels write the gradients of all inputs at once, so its gradient stands
// apart and is added.
func (n *attentionNode) again(input int) bool {
	return slices.Contains(n.node.Inputs[:input], n.node.Inputs[input])
}

func (n *attentionNode) auxBytes(rows int) int64 { return n.kernel.LogSumBytes(rows) }

func (n *attentionNode) scratchBytes(rowCount int) int64 {
	total := int64(0)
	if n.step != nil {
		total = n.kernel.Workspace(rowCount)
	}
	if p := n.e.phases; p.GenerateSequences > 0 {
		// A request may have fewer sequences, whose keys are then cut finer.
		for sequences := 1; sequences <= p.GenerateSequences; sequences++ {
			total = max(total, n.decoder.Workspace(attention.Cache{Sequences: sequences, Capacity: p.GenerateLength}))
		}
	}
	total = need(total)
	for i := range n.node.Inputs {
		if n.again(i) {
			total += need(int64(rowCount) * int64(n.inWidth(i)) * n.e.act.Size())
		}
	}
	return total
}

func (n *attentionNode) inputs(c *call) attention.Inputs {
	return attention.Inputs{
		Q: c.in[0], K: c.in[1], V: c.in[2], Sinks: n.e.vector(n.op.Sinks),
		Batch: attention.Batch{DocStart: c.batch.docStart, DocEnd: c.batch.docEnd},
	}
}

func (n *attentionNode) outputs(c *call) attention.Outputs {
	return attention.Outputs{Y: c.out[0], LogSum: c.aux}
}

func (n *attentionNode) forward(c *call) {
	if c.cache == nil {
		n.kernel.Forward(c.q, c.rows, n.inputs(c), n.outputs(c))
		return
	}
	kept := attention.Cache{
		Keys: n.e.cacheAt(n.keys), Values: n.e.cacheAt(n.values), Sequences: c.cache.sequences, Capacity: c.cache.length,
	}
	n.decoder.Append(c.q, c.rows, c.in[1], c.in[2], c.batch.sample, c.batch.position, kept)
	if c.cache.prompt {
		n.kernel.Forward(c.q, c.rows, n.inputs(c), n.outputs(c))
		return
	}
	n.decoder.Decode(c.q, c.in[0], n.e.vector(n.op.Sinks), c.cache.tokens, kept, c.out[0], c.take(n.decoder.Workspace(kept)))
}

func (n *attentionNode) backward(c *call) {
	var to [3]attention.Gradient
	for i := range to {
		to[i] = attention.Gradient{To: c.dIn[i], Add: c.accumulate[i]}
		if c.dIn[i] != 0 && c.accumulate[i] && n.again(i) {
			to[i] = attention.Gradient{To: c.take(int64(c.rows) * int64(n.inWidth(i)) * n.e.act.Size())}
		}
	}
	gradients := attention.Gradients{Q: to[0], K: to[1], V: to[2]}
	if n.trained(n.op.Sinks) {
		gradients.Sinks = n.e.gradient(n.op.Sinks)
	}
	n.kernel.Backward(c.q, c.rows, n.inputs(c), n.outputs(c), c.dOut[0], gradients, c.take(n.kernel.Workspace(c.rows)))
	for i := range to {
		if to[i].To != c.dIn[i] {
			n.add.Add(c.q, int64(c.rows)*int64(n.inWidth(i)), c.dIn[i], to[i].To, 1)
		}
	}
}
