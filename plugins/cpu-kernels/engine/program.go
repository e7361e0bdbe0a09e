package engine

import (
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/live"
	"github.com/honeml/hone/sdk/graph/place"
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

// bind lays out a schedule for micro-batches of up to tokens tokens. kernelOf has
// the kernels of the schedule's nodes.
func (e *Engine) bind(s *diff.Schedule, kernelOf []kernel, tokens int) *program {
	placed := place.Place(s)
	sizes := make([]int64, len(placed.Buffers))
	widths := make([]int, len(placed.Buffers))
	for i, b := range placed.Buffers {
		v := s.Graph.Values[b.Value]
		widths[i] = v.Width * v.Slots
		floats := widths[i]
		if !b.Gradient {
			floats += auxWidth(s.Graph, kernelOf, v)
		}
		sizes[i] = 4 * int64(tokens) * int64(floats)
	}
	offsets, size := live.Layout(placed.Buffers, sizes, alignment)
	slotOf := func(buffer int) slot {
		if buffer == place.Nowhere {
			return nowhere
		}
		return slot{offset: offsets[buffer] / 4, width: widths[buffer]}
	}
	slots := func(buffers []int) []slot {
		out := make([]slot, len(buffers))
		for i, b := range buffers {
			out[i] = slotOf(b)
		}
		return out
	}
	p := &program{size: size, logits: slotOf(placed.Logits), dLogits: slotOf(placed.DLogits)}
	for _, step := range placed.Steps {
		b := boundStep{kind: step.Kind, accumulate: step.Accumulate, aux: nowhere}
		if step.Kind != diff.Loss {
			b.kernel = kernelOf[step.Node]
			b.in, b.out, b.dIn, b.dOut = slots(step.In), slots(step.Out), slots(step.DIn), slots(step.DOut)
			b.aux = auxSlot(b.kernel, b.out[0], tokens)
		}
		p.steps = append(p.steps, b)
	}
	return p
}

// auxWidth is the width of the auxiliary results that stand behind a value: those
// of the node whose first output it is.
func auxWidth(g *graph.Graph, kernelOf []kernel, v *graph.Value) int {
	if g.Nodes[v.Node].Outputs[0] != v.ID {
		return 0
	}
	return kernelOf[v.Node].auxWidth()
}

// auxSlot is the place behind a node's first output.
func auxSlot(k kernel, first slot, tokens int) slot {
	if k.auxWidth() == 0 || first.offset < 0 {
		return nowhere
	}
	return slot{offset: first.offset + int64(tokens*first.width), width: k.auxWidth()}
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
