package engine

import (
	"github.com/honeml/hone/plugins/cuda-kernels/attention"
	"github.com/honeml/hone/sdk/graph"
)

// attentionNode is causal attention within documents.
type attentionNode struct {
	base
	op           *graph.Attention
	kernel       *attention.Attention
	decoder      *attention.Decoder // nil without generation
	keys, values int                // slots of the cache
}

func newAttention(b base, o *graph.Attention) *attentionNode {
	spec := attention.Spec{Op: *o, Type: b.inType(0), Shared: b.e.options.SharedBytes}
	n := &attentionNode{base: b, op: o, kernel: attention.New(&b.e.set, spec)}
	if b.e.phases.GenerateSequences > 0 {
		n.decoder = attention.NewDecoder(&b.e.set, spec)
		n.keys = b.e.addCache(o.KVHeads*o.KeyWidth, b.inType(1))
		n.values = b.e.addCache(o.KVHeads*o.ValueWidth, b.inType(2))
	}
	return n
}

func (n *attentionNode) auxBytes(rows int) int64 { return n.kernel.LogSumBytes(rows) }

func (n *attentionNode) scratchBytes(rows int) int64 {
	total := int64(0)
	if n.step != nil {
		total = n.kernel.Workspace(rows)
	}
	if p := n.e.phases; p.GenerateSequences > 0 {
		// A request may have fewer sequences, whose keys are then cut finer.
		for sequences := 1; sequences <= p.GenerateSequences; sequences++ {
			total = max(total, n.decoder.Workspace(attention.Cache{Sequences: sequences, Capacity: p.GenerateLength}))
		}
	}
	return need(total)
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
	gradient := func(i int) attention.Gradient { return attention.Gradient{To: c.dIn[i], Add: c.accumulate[i]} }
	to := attention.Gradients{Q: gradient(0), K: gradient(1), V: gradient(2)}
	if n.trained(n.op.Sinks) {
		to.Sinks = n.e.gradient(n.op.Sinks)
	}
	n.kernel.Backward(c.q, c.rows, n.inputs(c), n.outputs(c), c.dOut[0], to, c.take(n.kernel.Workspace(c.rows)))
}
