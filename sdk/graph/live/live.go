// Package live finds out from when to when each value and gradient of a schedule
// is needed, and lays them out in one piece of memory so that those needed at
// the same time do not overlap.
package live

import (
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// A Buffer is memory that a schedule needs for a while: for a value between one
// computation of it and its last use, or for a value's gradient.
type Buffer struct {
	Value    graph.ValueID // NoValue for what a node keeps
	Gradient bool
	Node     int // whose own it is (diff.Schedule.Keeps), where Value is NoValue
	From, To int // the first and last step that touch it, indices into Schedule.Steps
}

// Overlaps reports whether a and b are needed at the same time.
func (a Buffer) Overlaps(b Buffer) bool { return a.From <= b.To && b.From <= a.To }

// Buffers are the buffers of a schedule, in order of From. A value that is
// computed again, or moved away and back, has one buffer for each time. In a schedule without a backward
// pass the logits live to the end.
//
// An operation's auxiliary results, such as attention's log-sum-exp, live as long
// as its output.
func Buffers(s *diff.Schedule) []Buffer {
	c := collector{
		values: fill(len(s.Graph.Values)), gradients: fill(len(s.Graph.Values)), kept: fill(len(s.Graph.Nodes)),
	}
	c.lead, c.led = s.Grouping()
	for i, step := range s.Steps {
		switch step.Kind {
		case diff.Forward:
			n := s.Graph.Nodes[step.Node]
			for _, v := range n.Inputs {
				c.use(c.values, v, i)
			}
			for _, v := range n.Outputs {
				c.define(c.values, v, false, i)
			}
			if s.Kept(step.Node) {
				c.kept[step.Node] = len(c.buffers)
				c.buffers = append(c.buffers, Buffer{Value: graph.NoValue, Node: step.Node, From: i, To: i})
			}
			c.useKept(step.Node, i)
		case diff.Loss:
			c.use(c.values, s.Graph.Logits, i)
			c.define(c.gradients, s.Graph.Logits, true, i)
		case diff.Backward:
			c.backward(s, step, i)
		case diff.Fetch:
			c.define(c.values, step.Value, false, i)
		case diff.Store, diff.Stored, diff.Fetched:
			c.use(c.values, step.Value, i)
		}
	}
	if last := len(s.Steps) - 1; last >= 0 && s.Steps[last].Kind == diff.Forward {
		c.use(c.values, s.Graph.Logits, last)
	}
	return c.buffers
}

type collector struct {
	buffers           []Buffer
	values, gradients []int // index of a value's latest buffer, −1 before any
	kept              []int // likewise, by node

	lead []int // diff.Schedule.Grouping
	led  [][]int
}

func fill(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = -1
	}
	return out
}

func (c *collector) define(latest []int, v graph.ValueID, gradient bool, step int) {
	latest[v] = len(c.buffers)
	c.buffers = append(c.buffers, Buffer{Value: v, Gradient: gradient, From: step, To: step})
}

func (c *collector) use(latest []int, v graph.ValueID, step int) {
	if latest[v] >= 0 {
		c.buffers[latest[v]].To = step
	}
}

// useKept notes that a node touches what it keeps, or what its leader does.
func (c *collector) useKept(node, step int) {
	if at := c.kept[c.lead[node]]; at >= 0 {
		c.buffers[at].To = step
	}
}

func (c *collector) backward(s *diff.Schedule, step diff.Step, i int) {
	n := s.Graph.Nodes[step.Node]
	c.useKept(step.Node, i)
	for _, other := range c.led[step.Node] {
		for _, v := range s.Graph.Nodes[other].Outputs {
			c.use(c.gradients, v, i)
		}
	}
	for _, v := range step.Reads {
		c.use(c.values, v, i)
	}
	for k, v := range n.Outputs {
		if step.OutputGradients[k] {
			c.use(c.gradients, v, i)
		}
	}
	for _, in := range step.Inputs {
		if in.Accumulate {
			c.use(c.gradients, in.Value, i)
		} else {
			c.define(c.gradients, in.Value, true, i)
		}
	}
}

// Peak is the most memory that the buffers need at one step: no layout can do
// with less.
func Peak(buffers []Buffer, sizes []int64) int64 {
	change := map[int]int64{}
	last := 0
	for i, b := range buffers {
		change[b.From] += sizes[i]
		change[b.To+1] -= sizes[i]
		last = max(last, b.To+1)
	}
	var now, peak int64
	for step := 0; step <= last; step++ {
		now += change[step]
		peak = max(peak, now)
	}
	return peak
}
