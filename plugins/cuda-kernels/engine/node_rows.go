package engine

import (
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// embedNode looks tokens up. With rows of an adapter's own, these are looked up after the
// others, in their places.
type embedNode struct {
	base
	op     *graph.Embed
	kernel *rows.Embed

	own *rows.Embed // nil without rows of an adapter's own
	ids int         // index of theirs among the constants
}

func newEmbed(b base, o *graph.Embed) *embedNode {
	b.e.linksRows = b.e.linksRows || b.trained(o.Table)
	n := &embedNode{base: b, op: o, kernel: rows.NewEmbed(&b.e.set, b.outWidth(), b.e.matrixType(o.Table), b.outType())}
	if o.Rows != nil {
		b.e.linksRows = b.e.linksRows || b.trained(o.Rows.Values)
		n.own, n.ids = rows.NewEmbed(&b.e.set, b.outWidth(), b.e.matrixType(o.Rows.Values), b.outType()), b.e.addIndices(o.Rows.IDs)
	}
	return n
}

// replaced are the ids whose rows are an adapter's own, if that is on.
func (n *embedNode) replaced(c *call) rows.Own {
	if diff.ActiveRows(n.op, c.adapter) == nil {
		return rows.Own{}
	}
	return rows.Own{IDs: n.e.constantAt(n.ids), Count: len(n.op.Rows.IDs)}
}

func (n *embedNode) forward(c *call) {
	n.kernel.Forward(c.q, c.rows, c.out[0], n.e.matrix(n.op.Table), c.batch.id, float32(n.op.Scale))
	if own := n.replaced(c); own.Count > 0 {
		n.own.Overlay(c.q, c.rows, c.out[0], n.e.matrix(n.op.Rows.Values), c.batch.id, own, float32(n.op.Scale))
	}
}

func (n *embedNode) backward(c *call) {
	own, scale, b := n.replaced(c), float32(n.op.Scale), c.batch
	if n.trained(n.op.Table) {
		n.kernel.Backward(c.q, c.rows, n.e.gradient(n.op.Table), c.dOut[0], b.id, b.first, b.next, own, scale)
	}
	if own.Count > 0 && n.trained(n.op.Rows.Values) {
		n.own.OverlayBackward(c.q, c.rows, n.e.gradient(n.op.Rows.Values), c.dOut[0], b.id, b.first, b.next, own, scale)
	}
}

// splitNode cuts rows apart.
type splitNode struct {
	base
	kernel *rows.Split
}

func newSplit(b base, o *graph.Split) *splitNode {
	return &splitNode{base: b, kernel: rows.NewSplit(&b.e.set, o.Groups, o.Sizes, b.outType())}
}

func (n *splitNode) forward(c *call) { n.kernel.Forward(c.q, n.rowsOf(c), c.out, c.in[0]) }

func (n *splitNode) backward(c *call) {
	n.kernel.Backward(c.q, n.rowsOf(c), c.dIn[0], c.dOut, c.accumulate[0])
}

// concatNode joins rows.
type concatNode struct {
	base
	kernel *rows.Concat
}

func newConcat(b base, o *graph.Concat) *concatNode {
	return &concatNode{base: b, kernel: rows.NewConcat(&b.e.set, o.Groups, o.Widths, o.Repeat, b.outType())}
}

func (n *concatNode) forward(c *call) { n.kernel.Forward(c.q, n.rowsOf(c), c.out[0], c.in) }

func (n *concatNode) backward(c *call) {
	n.kernel.Backward(c.q, n.rowsOf(c), c.dIn, c.dOut[0], c.accumulate)
}

// convNode is the short causal convolution.
type convNode struct {
	base
	op     *graph.Conv
	kernel *rows.Conv
	index  *rows.Index // of the cache's rows
	slot   int         // of the cache
}

func newConv(b base, o *graph.Conv) *convNode {
	trains := b.trained(o.Weight) || b.trained(o.Bias)
	n := &convNode{base: b, op: o, kernel: rows.NewConv(&b.e.set, b.inWidth(0), o.Kernel, b.e.act, trains)}
	if b.e.phases.GenerateSequences > 0 {
		n.index = rows.NewIndex(&b.e.set, b.inWidth(0), b.e.act)
		n.slot = b.e.addCache(b.inWidth(0), b.e.act)
	}
	return n
}

// scratchBytes: the inputs that a token of a sequence looks back at, and what the
// convolution makes of them.
func (n *convNode) scratchBytes(rowCount int) int64 {
	total := int64(0)
	if n.trained(n.op.Weight) || n.trained(n.op.Bias) {
		total = n.kernel.Workspace(int64(rowCount))
	}
	if sequences := n.e.phases.GenerateSequences; sequences > 0 {
		window := int64(sequences) * int64(n.op.Kernel) * int64(n.inWidth(0)) * n.e.act.Size()
		total = max(total, need(window, window))
	}
	return total
}

func (n *convNode) forward(c *call) {
	weight, bias := n.e.vector(n.op.Weight), n.e.vector(n.op.Bias)
	if c.cache != nil {
		n.index.Scatter(c.q, c.rows, n.e.cacheAt(n.slot), c.in[0], c.cache.row, false)
	}
	if c.cache == nil || c.cache.prompt {
		n.kernel.Forward(c.q, c.rows, c.out[0], c.in[0], weight, bias, c.batch.docStart)
		return
	}
	// Each sequence's last tokens stand as a document of their own.
	window := c.rows * n.op.Kernel
	bytes := int64(window) * int64(n.inWidth(0)) * n.e.act.Size()
	x, y := c.take(bytes), c.take(bytes)
	back := c.cache.back[n.op.Kernel]
	n.index.Gather(c.q, window, x, n.e.cacheAt(n.slot), back.row)
	n.kernel.Forward(c.q, window, y, x, weight, bias, back.docStart)
	n.index.Gather(c.q, c.rows, c.out[0], y, back.last)
}

func (n *convNode) backward(c *call) {
	if c.dIn[0] != 0 {
		n.kernel.Backward(c.q, c.rows, c.dIn[0], c.dOut[0], n.e.vector(n.op.Weight), c.batch.docEnd, c.accumulate[0])
	}
	var dWeight, dBias device.Pointer
	if n.trained(n.op.Weight) {
		dWeight = n.e.gradient(n.op.Weight)
	}
	if n.trained(n.op.Bias) {
		dBias = n.e.gradient(n.op.Bias)
	}
	if dWeight != 0 || dBias != 0 {
		n.kernel.Train(c.q, c.rows, dWeight, dBias, c.dOut[0], c.in[0], c.batch.docStart, c.take(n.kernel.Workspace(int64(c.rows))))
	}
}
