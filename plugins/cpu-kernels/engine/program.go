package engine

import (
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/live"
)

// A slot is the place of a value or gradient in the arena.
type slot struct {
	offset int64 // in float32s; −1: nowhere
	width  int   // float32s a token
}

var nowhere = slot{offset: -1}

func (e *Engine) slice(s slot, n int) []float32 {
	if s.offset < 0 {
		return nil
	}
	return e.arena[s.offset : s.offset+int64(n*s.width)]
}

// A boundStep is a step of a schedule with the places of all it touches.
type boundStep struct {
	kind       diff.Kind
	kernel     kernel
	in, out    []slot
	dOut, dIn  []slot
	accumulate []bool
	aux        slot
}

// A program is a schedule laid out in the arena. If it is of the trunk, the head
// runs at its loss.
type program struct {
	steps           []boundStep
	logits, dLogits slot // of the trunk's last value, where there is a head
	size            int64
}

// alignment of buffers, in bytes: a cache line.
const alignment = 64

// bind lays out a schedule for micro-batches of up to tokens tokens.
func (e *Engine) bind(s *diff.Schedule, kernelOf []kernel, tokens int) *program {
	b := binder{e: e, s: s, kernelOf: kernelOf, tokens: tokens}
	buffers := live.Buffers(s)
	sizes := make([]int64, len(buffers))
	b.index = make(map[bufferKey]int, len(buffers))
	for i, buf := range buffers {
		floats := int64(tokens) * int64(b.valueWidth(buf.Value))
		if !buf.Gradient {
			floats += int64(tokens) * int64(b.auxWidth(buf.Value))
		}
		sizes[i] = floats * 4
		b.index[bufferKey{buf.Value, buf.Gradient, buf.From}] = i
	}
	b.offsets, b.total = live.Layout(buffers, sizes, alignment)
	b.latest = map[latestKey]int{}
	return b.program()
}

type bufferKey struct {
	value    graph.ValueID
	gradient bool
	from     int
}

type latestKey struct {
	value    graph.ValueID
	gradient bool
}

type binder struct {
	e        *Engine
	s        *diff.Schedule
	kernelOf []kernel
	tokens   int
	index    map[bufferKey]int
	offsets  []int64
	total    int64
	latest   map[latestKey]int // the buffer that holds a value now
}

func (b *binder) valueWidth(v graph.ValueID) int {
	return b.s.Graph.Values[v].Width * b.s.Graph.Values[v].Slots
}

// auxWidth is the width of the auxiliary results that stand behind a value: those
// of the node whose first output it is.
func (b *binder) auxWidth(v graph.ValueID) int {
	n := b.s.Graph.Values[v].Node
	if b.s.Graph.Nodes[n].Outputs[0] != v {
		return 0
	}
	return b.kernelOf[n].auxWidth()
}

// define notes that step i begins a buffer for v, if it does.
func (b *binder) define(v graph.ValueID, gradient bool, i int) {
	if buf, ok := b.index[bufferKey{v, gradient, i}]; ok {
		b.latest[latestKey{v, gradient}] = buf
	}
}

func (b *binder) slot(v graph.ValueID, gradient bool) slot {
	buf, ok := b.latest[latestKey{v, gradient}]
	if !ok {
		return nowhere
	}
	return slot{offset: b.offsets[buf] / 4, width: b.valueWidth(v)}
}

func (b *binder) slots(vs []graph.ValueID) []slot {
	out := make([]slot, len(vs))
	for i, v := range vs {
		out[i] = b.slot(v, false)
	}
	return out
}

func (b *binder) program() *program {
	p := &program{size: b.total, logits: nowhere, dLogits: nowhere}
	logits := b.s.Graph.Logits
	for i, step := range b.s.Steps {
		switch step.Kind {
		case diff.Forward:
			p.steps = append(p.steps, b.forward(step, i))
		case diff.Loss:
			b.define(logits, true, i)
			p.logits, p.dLogits = b.slot(logits, false), b.slot(logits, true)
			p.steps = append(p.steps, boundStep{kind: diff.Loss})
		case diff.Backward:
			p.steps = append(p.steps, b.backward(step, i))
		}
	}
	if p.logits == nowhere {
		p.logits = b.slot(logits, false)
	}
	return p
}

func (b *binder) forward(step diff.Step, i int) boundStep {
	n := b.s.Graph.Nodes[step.Node]
	in := b.slots(n.Inputs)
	for _, v := range n.Outputs {
		b.define(v, false, i)
	}
	out := b.slots(n.Outputs)
	return boundStep{kind: diff.Forward, kernel: b.kernelOf[step.Node], in: in, out: out, aux: b.aux(step.Node, out)}
}

// aux stands behind the node's first output.
func (b *binder) aux(node int, out []slot) slot {
	w := b.kernelOf[node].auxWidth()
	if w == 0 || out[0].offset < 0 {
		return nowhere
	}
	return slot{offset: out[0].offset + int64(b.tokens*out[0].width), width: w}
}

func (b *binder) backward(step diff.Step, i int) boundStep {
	n := b.s.Graph.Nodes[step.Node]
	out := boundStep{
		kind: diff.Backward, kernel: b.kernelOf[step.Node], in: b.slots(n.Inputs), out: b.slots(n.Outputs),
		dIn: make([]slot, len(n.Inputs)), dOut: make([]slot, len(n.Outputs)), accumulate: make([]bool, len(n.Inputs)),
	}
	out.aux = b.aux(step.Node, out.out)
	for k, v := range n.Outputs {
		out.dOut[k] = nowhere
		if step.OutputGradients[k] {
			out.dOut[k] = b.slot(v, true)
		}
	}
	for k := range out.dIn {
		out.dIn[k] = nowhere
	}
	for _, in := range step.Inputs {
		if !in.Accumulate {
			b.define(in.Value, true, i)
		}
		out.dIn[in.Input] = b.slot(in.Value, true)
		out.accumulate[in.Input] = in.Accumulate
	}
	return out
}

// call fills in what a kernel needs for a step on c's rows.
func (e *Engine) call(s *boundStep, c call) *call {
	n := c.rows.len()
	slices := func(slots []slot) [][]float32 {
		out := make([][]float32, len(slots))
		for i, s := range slots {
			out[i] = e.slice(s, n)
		}
		return out
	}
	c.in, c.out, c.dIn, c.dOut = slices(s.in), slices(s.out), slices(s.dIn), slices(s.dOut)
	c.accumulate, c.aux = s.accumulate, e.slice(s.aux, n)
	return &c
}
