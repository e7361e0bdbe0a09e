// Package offload trades a link for memory: it makes a schedule in which some values
// of the forward pass are moved away once the forward pass has used them, to the
// host's memory say, and back before the backward pass reads them (vDNN, Rhu et al.,
// 2016).
//
// Copies run beside the computation. A model of time, in seconds of each step and of
// each copy, says where the schedule waits for them: as late as the copy needs, and no
// later, so that nothing stands still as long as the link keeps up.
package offload

import (
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// A Model is what steps and copies take.
type Model struct {
	Step func(diff.Step) float64     // seconds of a forward, backward or loss step
	Copy func(graph.ValueID) float64 // seconds to move a value one way
	Move func(v graph.ValueID) bool  // whether a value is moved
}

// Candidates are the values that can be moved: those that a forward step makes and a
// backward step reads without their being computed again.
func Candidates(s *diff.Schedule) []graph.ValueID {
	var out []graph.ValueID
	for v, u := range usesOf(s) {
		if u.movable(s) {
			out = append(out, graph.ValueID(v))
		}
	}
	return out
}

// uses are the steps that touch a value, indices into Schedule.Steps; −1 for none.
type uses struct {
	defined  int // the first step that makes it
	again    bool
	forward  int // the last that reads it, or makes it, before the loss
	backward int // the first that reads it after the loss
}

func (u uses) movable(s *diff.Schedule) bool {
	return u.defined >= 0 && !u.again && u.backward >= 0 && s.Steps[u.defined].Kind == diff.Forward && u.defined < u.backward
}

// usesOf finds the uses of each value. Logits, which the loss reads and writes, are
// left where they are.
func usesOf(s *diff.Schedule) []uses {
	out := make([]uses, len(s.Graph.Values))
	for v := range out {
		out[v] = uses{defined: -1, forward: -1, backward: -1}
	}
	loss := slices.IndexFunc(s.Steps, func(step diff.Step) bool { return step.Kind == diff.Loss })
	read := func(v graph.ValueID, i int) {
		switch u := &out[v]; {
		case i < loss:
			u.forward = i
		case u.backward < 0:
			u.backward = i
		}
	}
	for i, step := range s.Steps {
		switch step.Kind {
		case diff.Forward:
			n := s.Graph.Nodes[step.Node]
			for _, v := range n.Inputs {
				read(v, i)
			}
			for _, v := range n.Outputs {
				out[v].again = out[v].again || out[v].defined >= 0
				if out[v].defined < 0 {
					out[v].defined = i
				}
				if i < loss {
					out[v].forward = i
				}
			}
		case diff.Backward:
			for _, v := range step.Reads {
				read(v, i)
			}
		}
	}
	out[s.Graph.Logits].again = true
	return out
}

// Plan gives the schedule s with values moved. A value whose copy would not have left
// before it has to come back stays.
func Plan(s *diff.Schedule, m Model) *diff.Schedule {
	begins := make([]float64, len(s.Steps)+1) // when each step begins
	for i, step := range s.Steps {
		begins[i+1] = begins[i] + m.Step(step)
	}
	moved := arrange(s, m, begins)
	before := map[int][]diff.Step{}
	at := func(i int, kind diff.Kind, v graph.ValueID) {
		before[i] = append(before[i], diff.Step{Kind: kind, Node: -1, Value: v})
	}
	for _, c := range moved {
		at(c.stored, diff.Stored, c.value)
	}
	for _, c := range moved {
		at(c.store, diff.Store, c.value)
	}
	slices.SortStableFunc(moved, func(a, b copies) int { return a.fetched - b.fetched })
	for _, c := range moved {
		at(c.fetched, diff.Fetched, c.value)
	}
	for _, c := range moved {
		at(c.fetch, diff.Fetch, c.value)
	}
	out := &diff.Schedule{Graph: s.Graph, Adapter: s.Adapter, Wanted: s.Wanted, Keeps: s.Keeps, Groups: s.Groups}
	for i, step := range s.Steps {
		out.Steps = append(append(out.Steps, before[i]...), step)
	}
	return out
}

// copies are a value's way out and back: each happens before the step of that index.
type copies struct {
	value                         graph.ValueID
	store, stored, fetch, fetched int
}

// arrange finds where copies begin and are waited for. One copy follows the other on
// each of the link's two ways.
func arrange(s *diff.Schedule, m Model, begins []float64) []copies {
	all := usesOf(s)
	var out []copies
	for v, u := range all {
		if u.movable(s) && m.Move(graph.ValueID(v)) {
			out = append(out, copies{value: graph.ValueID(v), store: u.forward + 1, fetched: u.backward})
		}
	}
	slices.SortStableFunc(out, func(a, b copies) int { return a.store - b.store })
	free := 0.0 // when the way out is free
	for i := range out {
		c := &out[i]
		free = max(free, begins[c.store]) + m.Copy(c.value)
		c.stored = c.store
		for c.stored++; c.stored < len(s.Steps) && begins[c.stored] < free; {
			c.stored++
		}
	}
	// Backwards in time: the last copy back ends when its value is read.
	slices.SortStableFunc(out, func(a, b copies) int { return b.fetched - a.fetched })
	next := begins[len(s.Steps)]
	for i := range out {
		c := &out[i]
		next = min(next, begins[c.fetched]) - m.Copy(c.value)
		c.fetch = c.fetched
		for c.fetch > 0 && begins[c.fetch] > next {
			c.fetch--
		}
	}
	return slices.DeleteFunc(out, func(c copies) bool { return c.fetch < c.stored })
}
