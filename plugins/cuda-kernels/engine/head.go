package engine

import (
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/head"
)

// A logitsHead computes the head of the Graph some rows at a time, forward, loss and
// backward, so that the logits of a whole batch never exist.
type logitsHead struct {
	e *Engine
	*head.Head
	nodes []node
	index *rows.Index
	most  int // rows at a time
	rows  int // at a time, of what the plan can have

	// For rows rows: the head's input and what its nodes give, and their gradients;
	// that of the logits takes their place.
	values, gradients []span
}

// headBytes bounds the logits that exist at a time.
const headBytes = 256 << 20

// mostHeadRows is enough to keep the products busy.
const mostHeadRows = 2048

// findHead finds the head of the Graph. One that does not end in a head has an empty
// one: its logits exist whole, and those of some rows are taken out.
func (e *Engine) findHead(nodeOf []node) *logitsHead {
	found := head.Find(e.g)
	if found == nil {
		found = &head.Head{Input: e.g.Logits, Trunk: e.g}
		for i := range e.g.Nodes {
			found.TrunkNodes = append(found.TrunkNodes, i)
		}
	}
	h := &logitsHead{e: e, Head: found, index: rows.NewIndex(&e.set, e.g.Values[found.Input].Width, e.typeOf(found.Input))}
	for _, i := range found.Nodes {
		h.nodes = append(h.nodes, nodeOf[i])
	}
	fit := int(headBytes / (e.typeOf(e.g.Logits).Size() * int64(e.g.Vocabulary())))
	h.most = min(mostHeadRows, max(leastRows, fit/leastRows*leastRows))
	return h
}

// valueIDs are the head's input and what its nodes give.
func (h *logitsHead) valueIDs() []graph.ValueID {
	ids := []graph.ValueID{h.Input}
	for _, i := range h.Nodes {
		ids = append(ids, h.e.g.Nodes[i].Outputs[0])
	}
	return ids
}

// layOut takes the head's memory, for batches of up to rows rows.
func (h *logitsHead) layOut(a *arena, rows int) {
	h.rows = min(h.most, rows)
	h.values, h.gradients = nil, nil
	ids := h.valueIDs()
	for i, v := range ids {
		h.values = append(h.values, a.take("workspace", h.e.valueBytes(v, h.rows)))
		bytes := int64(0)
		if h.e.phases.Train && i < len(ids)-1 {
			bytes = h.e.valueBytes(v, h.rows)
		}
		h.gradients = append(h.gradients, a.take("workspace", bytes))
	}
}

// logits is where the logits of the rows at hand are.
func (h *logitsHead) logits() device.Pointer { return h.e.at(h.values[len(h.values)-1]) }

// each computes the logits of the predictions and calls f with each part of them,
// from the prediction with the index at on. Where d is not 0, f leaves the gradient
// of the logits in their place, and it is taken back to the rows of d, which the
// caller has filled with zeros.
func (h *logitsHead) each(c call, x device.Pointer, p predictions, d device.Pointer, f func(at int, part predictions)) {
	for at := 0; at < p.count; at += h.rows {
		h.some(c, x, p.part(at, min(h.rows, p.count-at)), d, func(part predictions) { f(at, part) })
	}
}

func (h *logitsHead) some(c call, x device.Pointer, p predictions, d device.Pointer, f func(predictions)) {
	e := h.e
	h.index.Gather(c.q, p.count, e.at(h.values[0]), x, p.row)
	c.rows = p.count
	c.batch = columns{position: p.position, sample: p.sample}
	values := make([]device.Pointer, len(h.values))
	for i, s := range h.values {
		values[i] = e.at(s)
	}
	for i, n := range h.nodes {
		forward := c
		forward.in, forward.out, forward.scratch = values[i:i+1], values[i+1:i+2], e.workspace()
		n.forward(&forward)
	}
	f(p)
	if !c.training {
		return
	}
	h.back(c, values, p, d)
}

// back takes the gradient of the logits, which lies in their place, through the
// head, and puts what reaches its input into the rows of d.
func (h *logitsHead) back(c call, values []device.Pointer, p predictions, d device.Pointer) {
	e := h.e
	dOut := values[len(values)-1]
	for i := len(h.nodes) - 1; i >= 0; i-- {
		backward := c
		backward.in, backward.out, backward.scratch = values[i:i+1], values[i+1:i+2], e.workspace()
		backward.dOut, backward.accumulate = []device.Pointer{dOut}, []bool{false}
		dIn := device.Pointer(0)
		if i > 0 || d != 0 {
			dIn = e.at(h.gradients[i])
		}
		backward.dIn = []device.Pointer{dIn}
		if dIn != 0 || h.trains(i) {
			h.nodes[i].backward(&backward)
		}
		dOut = dIn
	}
	if d != 0 {
		h.index.Scatter(c.q, p.count, d, dOut, p.row, false)
	}
}

// trains reports whether node i has parameters of its own that are trained.
func (h *logitsHead) trains(i int) bool {
	for _, id := range graph.ParamsOf(h.e.g.Nodes[h.Nodes[i]].Op) {
		if h.e.g.Params[id].Trainable {
			return true
		}
	}
	return false
}
