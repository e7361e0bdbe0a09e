package engine

import (
	"cmp"
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/live"
	"github.com/honeml/hone/sdk/graph/offload"
	"github.com/honeml/hone/sdk/graph/recompute"
)

// A measure saves memory: a value of the forward pass that the backward pass reads is
// computed again, or moved to the host and back.
type measure struct {
	value   graph.ValueID
	move    bool
	seconds float64 // what computing it again takes
	bytes   int64
}

// A selection is the measures that there are for a schedule, the cheapest first. A
// plan takes as many of them, from the first on, as its memory needs.
type selection struct {
	e        *Engine
	costs    costs
	s        *diff.Schedule // of the trunk, with everything kept
	read     []bool         // by value: the backward pass reads it
	measures []measure
}

// much says how many times quicker than its way over the link a value has to be
// computed again for that to cost nothing worth speaking of: norms, activations.
const much = 8

// newSelection orders the measures for micro-batches of so many rows.
//
// What is computed again in almost no time comes first, by time for each byte. Then
// values are moved, as long as their copies pass beside the computation, those first
// that would take longest to be computed again. The rest is computed again; but what
// crosses from layer to layer is not, for a layer would then need all those before it.
func (e *Engine) newSelection(s *diff.Schedule, rows int) *selection {
	x := &selection{e: e, costs: costs{e, rows}, s: s, read: make([]bool, len(e.g.Values))}
	for _, step := range s.Steps {
		if step.Kind == diff.Backward {
			for _, v := range step.Reads {
				x.read[v] = true
			}
		}
	}
	crosses := recompute.Layers(s.Graph)
	var cheap, dear []measure
	for v := range x.read {
		id := graph.ValueID(v)
		if !x.read[v] || id == s.Graph.Logits {
			continue
		}
		m := measure{value: id, seconds: x.again(id), bytes: e.valueBytes(id, rows) + e.auxOf(id, rows)}
		if !crosses(id) && m.seconds < x.costs.link(id)/much {
			cheap = append(cheap, m)
		} else {
			dear = append(dear, m)
		}
	}
	slices.SortFunc(cheap, byPrice)
	slices.SortStableFunc(dear, func(a, b measure) int { return -cmp.Compare(a.price(), b.price()) })
	var rest []measure
	movable, budget := offload.Candidates(s), x.linkBudget()
	for _, m := range dear {
		seconds := x.costs.link(m.value)
		switch {
		case seconds <= budget && slices.Contains(movable, m.value):
			budget -= seconds
			m.move = true
			x.measures = append(x.measures, m)
		case !crosses(m.value):
			rest = append(rest, m)
		}
	}
	slices.SortFunc(rest, byPrice)
	x.measures = slices.Concat(cheap, x.measures, rest)
	return x
}

// price is the time for each byte that is saved.
func (m measure) price() float64 { return m.seconds / float64(m.bytes) }

// byPrice orders measures by price; equal ones, of equal layers, in the order of the
// Graph: the first layers' values are kept longest.
func byPrice(a, b measure) int {
	return cmp.Or(cmp.Compare(a.price(), b.price()), cmp.Compare(a.value, b.value))
}

// linkBudget is the time that copies may take beside each pass.
func (x *selection) linkBudget() float64 {
	if !x.e.options.Offload {
		return 0
	}
	forward := x.costs.schedule(diff.ForwardOnly(x.s.Graph, diff.Options{Adapter: x.s.Adapter}))
	return 0.8 * forward
}

// again is the time that a value takes to be computed from what the backward pass
// reads in any case.
func (x *selection) again(v graph.ValueID) float64 {
	seen := map[int]bool{}
	var total func(node int) float64
	total = func(node int) float64 {
		if seen[node] {
			return 0
		}
		seen[node] = true
		seconds := x.costs.forward(x.e.head.TrunkNodes[node])
		for _, in := range x.s.Graph.Nodes[node].Inputs {
			if !x.read[in] {
				seconds += total(x.s.Graph.Values[in].Node)
			}
		}
		return seconds
	}
	return total(x.s.Graph.Values[v].Node)
}

// taken is the schedule with the first n measures taken.
func (x *selection) taken(n int) *diff.Schedule {
	drop, move := map[graph.ValueID]bool{}, map[graph.ValueID]bool{}
	for _, m := range x.measures[:n] {
		drop[m.value], move[m.value] = !m.move, m.move
	}
	s := recompute.Plan(x.s, func(v graph.ValueID) bool { return x.read[v] && !drop[v] })
	return offload.Plan(s, offload.Model{
		Step: x.costs.step, Copy: x.costs.link, Move: func(v graph.ValueID) bool { return move[v] },
	})
}

// peak is the least memory that a schedule's activations can be laid out in.
func (x *selection) peak(s *diff.Schedule) int64 {
	buffers := live.Buffers(s)
	return live.Peak(buffers, x.e.bufferSizes(buffers, x.costs.rows))
}

// fit is the least number of measures with which activations fit into limit bytes, and
// whether any does.
func (x *selection) fit(limit int64) (n int, ok bool) {
	low, high := 0, len(x.measures)
	if x.peak(x.taken(high)) > limit {
		return high, false
	}
	for low < high {
		middle := (low + high) / 2
		if x.peak(x.taken(middle)) <= limit {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low, true
}
