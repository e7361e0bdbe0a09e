// Package place says, for each step of a schedule, in which buffers it finds its
// values and gradients. Package live knows how long each buffer lives and lays
// them out; this package connects the two, so that a backend walks a list of steps
// without looking anything up.
package place

import (
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/live"
)

// Nowhere is the index of a buffer that a step has no use for.
const Nowhere = -1

// A Step is a step of a schedule with the buffers that it touches: indices into
// Program.Buffers, or Nowhere.
type Step struct {
	Kind diff.Kind
	Node int // index into the Graph's nodes; −1 for the loss and for what moves values

	In, Out []int // values, by input and output of the node; In is the value that is moved

	// Kept is what the node keeps of its own, or the one that leads it; Nowhere where that
	// is nothing.
	Kept int

	// Backward: gradients by output (Nowhere: zero) and by input (Nowhere: not
	// wanted), and whether to add to an input's gradient.
	DOut, DIn  []int
	Accumulate []bool
	// Led are the gradients of the first outputs of the nodes that this one leads.
	Led []int
}

// A Program is a schedule with its buffers.
type Program struct {
	Steps   []Step
	Buffers []live.Buffer
	// Logits is the buffer of the logits at the loss, or at the end where there is
	// none; DLogits that of their gradient, Nowhere without a loss.
	Logits, DLogits int
}

// Place finds the buffers of each step.
func Place(s *diff.Schedule) *Program {
	p := placer{s: s, buffers: live.Buffers(s), begins: map[begin]int{}, now: map[what]int{}, keeps: map[keep]int{}, kept: map[int]int{}}
	p.lead, p.led = s.Grouping()
	for i, b := range p.buffers {
		if b.Value == graph.NoValue {
			p.keeps[keep{b.Node, b.From}] = i
			continue
		}
		p.begins[begin{what{b.Value, b.Gradient}, b.From}] = i
	}
	out := &Program{Buffers: p.buffers, Logits: Nowhere, DLogits: Nowhere}
	logits := s.Graph.Logits
	for i, step := range s.Steps {
		switch step.Kind {
		case diff.Forward:
			out.Steps = append(out.Steps, p.forward(step, i))
		case diff.Loss:
			p.define(logits, true, i)
			out.Logits, out.DLogits = p.buffer(logits, false), p.buffer(logits, true)
			out.Steps = append(out.Steps, Step{Kind: diff.Loss, Node: -1, Kept: Nowhere})
		case diff.Backward:
			out.Steps = append(out.Steps, p.backward(step, i))
		default:
			if step.Kind == diff.Fetch {
				p.define(step.Value, false, i)
			}
			out.Steps = append(out.Steps, Step{Kind: step.Kind, Node: -1, Kept: Nowhere, In: p.values([]graph.ValueID{step.Value})})
		}
	}
	if out.Logits == Nowhere {
		out.Logits = p.buffer(logits, false)
	}
	return out
}

// what a buffer holds.
type what struct {
	value    graph.ValueID
	gradient bool
}

// begin is a buffer by what it holds and the step that begins it.
type begin struct {
	what
	step int
}

// keep is a buffer of what a node keeps by the node and the step that begins it.
type keep struct{ node, step int }

type placer struct {
	s       *diff.Schedule
	buffers []live.Buffer
	begins  map[begin]int
	now     map[what]int // the buffer that holds it at this step
	keeps   map[keep]int
	kept    map[int]int // the buffer of what a node keeps at this step
	lead    []int       // diff.Schedule.Grouping
	led     [][]int
}

// define notes that step i begins a buffer, if it does.
func (p *placer) define(v graph.ValueID, gradient bool, i int) {
	w := what{v, gradient}
	if buffer, ok := p.begins[begin{w, i}]; ok {
		p.now[w] = buffer
	}
}

func (p *placer) buffer(v graph.ValueID, gradient bool) int {
	if buffer, ok := p.now[what{v, gradient}]; ok {
		return buffer
	}
	return Nowhere
}

// keptBy is the buffer of what a node keeps, or of what the one that leads it does.
func (p *placer) keptBy(node int) int {
	if buffer, ok := p.kept[p.lead[node]]; ok {
		return buffer
	}
	return Nowhere
}

func (p *placer) values(ids []graph.ValueID) []int {
	out := make([]int, len(ids))
	for i, v := range ids {
		out[i] = p.buffer(v, false)
	}
	return out
}

func (p *placer) forward(step diff.Step, i int) Step {
	n := p.s.Graph.Nodes[step.Node]
	in := p.values(n.Inputs)
	for _, v := range n.Outputs {
		p.define(v, false, i)
	}
	if buffer, ok := p.keeps[keep{step.Node, i}]; ok {
		p.kept[step.Node] = buffer
	}
	return Step{Kind: diff.Forward, Node: step.Node, In: in, Out: p.values(n.Outputs), Kept: p.keptBy(step.Node)}
}

func (p *placer) backward(step diff.Step, i int) Step {
	n := p.s.Graph.Nodes[step.Node]
	out := Step{
		Kind: diff.Backward, Node: step.Node, Kept: p.keptBy(step.Node), In: p.values(n.Inputs), Out: p.values(n.Outputs),
		DIn: nowhere(len(n.Inputs)), DOut: nowhere(len(n.Outputs)), Accumulate: make([]bool, len(n.Inputs)),
	}
	for k, v := range n.Outputs {
		if step.OutputGradients[k] {
			out.DOut[k] = p.buffer(v, true)
		}
	}
	for _, in := range step.Inputs {
		if !in.Accumulate {
			p.define(in.Value, true, i)
		}
		out.DIn[in.Input], out.Accumulate[in.Input] = p.buffer(in.Value, true), in.Accumulate
	}
	for _, other := range p.led[step.Node] {
		out.Led = append(out.Led, p.buffer(p.s.Graph.Nodes[other].Outputs[0], true))
	}
	return out
}

func nowhere(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = Nowhere
	}
	return out
}
