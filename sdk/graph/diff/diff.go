package diff

import (
	"errors"
	"fmt"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/expr"
)

// A Kind is what a step does.
type Kind int

// The kinds of steps.
const (
	// Forward computes the outputs of a node.
	Forward Kind = iota
	// Loss computes the objective and the gradient of the logits.
	Loss
	// Backward computes gradients of a node's inputs and parameters from those of
	// its outputs.
	Backward

	// Those that follow move a value away and back (package offload): its memory is
	// free in between.

	// Store begins to copy a value away; Stored waits until it has gone.
	Store
	Stored
	// Fetch begins to copy it back, to memory that may be elsewhere; Fetched waits
	// until it is there.
	Fetch
	Fetched
)

// A Step is one step of a schedule.
type Step struct {
	Kind Kind
	Node int // index into Graph.Nodes; −1 for Loss and for what moves values

	Value graph.ValueID // of Store, Stored, Fetch and Fetched

	// The rest is for Backward steps.

	// Inputs are the input gradients to compute, in the order of the node's
	// inputs. A value that is two inputs of a node stands twice.
	Inputs []InputGradient
	// Params are the parameter gradients to compute, each once.
	Params []ParamGradient
	// Reads lists the forward values that the step needs, each once: what has to
	// be kept or computed again.
	Reads []graph.ValueID
	// OutputGradients says, for each output, whether it has a gradient; one that
	// nothing used has none, which counts as zero.
	OutputGradients []bool
}

// An InputGradient is the gradient of an input of a node.
type InputGradient struct {
	Input int // index into Node.Inputs
	Value graph.ValueID
	// Accumulate: the value has a gradient already; add to it. Else write.
	Accumulate bool
	// Derivative, for map, is the derivative of the expression by this input.
	Derivative *expr.Node
}

// A ParamGradient is the gradient of a trainable parameter.
type ParamGradient struct {
	Param graph.ParamID
	// Accumulate: an earlier step of this micro-batch wrote to it. (Gradients are
	// summed over micro-batches too; that is the backend's.)
	Accumulate bool
	// Derivative, for map, is the derivative of the expression by this parameter.
	Derivative *expr.Node
}

// A Schedule is a training step of one micro-batch: the forward steps of all nodes
// that the logits depend on, the loss, the backward steps.
type Schedule struct {
	Graph   *graph.Graph
	Adapter string // the adapter that is on; "" for none
	Steps   []Step
	// Wanted says for each value whether its gradient is computed.
	Wanted []bool
	// Keeps says which nodes leave something of the backend's own, by node, from their
	// last forward step to their backward step; nil: none does. A backend sets it.
	Keeps []bool
	// Groups are nodes of one and the same input, by index: see [Schedule.Join].
	Groups [][]int
}

// Kept reports whether a node leaves something for its backward step.
func (s *Schedule) Kept(node int) bool { return s.Keeps != nil && s.Keeps[node] }

// Join groups nodes with backward steps that all have one and the same value as their
// only input, so that a backend does at once what they have in common. The first of a
// group leads the others, and is the last of them in the backward pass: they find what it
// keeps, and its backward step finds the gradients of their outputs and is the one that
// gives the input its gradient. No node in between gives the input one too.
func (s *Schedule) Join(groups [][]int) {
	s.Groups = groups
	steps := s.BackwardSteps()
	for _, group := range groups {
		lead, last := steps[group[0]], steps[group[len(group)-1]]
		if len(lead.Inputs) == 0 {
			continue
		}
		lead.Inputs[0].Accumulate = last.Inputs[0].Accumulate
		for _, n := range group[1:] {
			steps[n].Inputs = nil
		}
	}
}

// Grouping gives for each node the one that leads it, itself where it stands alone, and
// those that it leads.
func (s *Schedule) Grouping() (lead []int, led [][]int) {
	lead, led = make([]int, len(s.Graph.Nodes)), make([][]int, len(s.Graph.Nodes))
	for n := range lead {
		lead[n] = n
	}
	for _, group := range s.Groups {
		led[group[0]] = group[1:]
		for _, n := range group {
			lead[n] = group[0]
		}
	}
	return lead, led
}

// BackwardSteps are the backward steps by node; nil for a node without one.
func (s *Schedule) BackwardSteps() []*Step {
	out := make([]*Step, len(s.Graph.Nodes))
	for i := range s.Steps {
		if step := &s.Steps[i]; step.Kind == Backward {
			out[step.Node] = step
		}
	}
	return out
}

// Options say what is differentiated.
type Options struct {
	// Adapter names the adapter that is on; "" for none. Its parameters and the
	// model's own are differentiated as far as they are trainable.
	Adapter string
}

// Differentiate gives the schedule of a training step of g. A Graph without a
// trainable parameter that the logits, or the balancing loss of a route, depend on is
// an error that wraps [ErrNothingTrained].
func Differentiate(g *graph.Graph, o Options) (*Schedule, error) {
	s := ForwardOnly(g, o)
	d := &differentiator{g: g, adapter: o.Adapter, needs: make([]bool, len(g.Values)), balances: make([]bool, len(g.Nodes))}
	for _, step := range s.Steps {
		d.balances[step.Node] = graph.Balances(g.Nodes[step.Node].Op)
	}
	for _, n := range g.Nodes {
		d.markNeeds(n)
	}
	if !d.needs[g.Logits] && !d.trainsBalance() {
		return nil, d.nothingTrained()
	}
	s.Steps = append(s.Steps, Step{Kind: Loss, Node: -1, Reads: []graph.ValueID{g.Logits}})
	s.Wanted[g.Logits] = true
	written := make([]bool, len(g.Values))
	written[g.Logits] = true
	writtenParam := make([]bool, len(g.Params))
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		step, ok, err := d.backward(i, written, writtenParam)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		for _, in := range step.Inputs {
			s.Wanted[in.Value] = true
		}
		s.Steps = append(s.Steps, step)
	}
	return s, nil
}

type differentiator struct {
	g       *graph.Graph
	adapter string
	// needs says for each value whether a trainable parameter is upstream of it.
	needs []bool
	// balances says for each node whether it adds a loss of its own: a route that has
	// one and that the logits depend on.
	balances []bool
}

// trainsBalance reports whether a trainable parameter is upstream of a balancing loss.
func (d *differentiator) trainsBalance() bool {
	for i, n := range d.g.Nodes {
		if d.balances[i] && d.needs[n.Inputs[0]] {
			return true
		}
	}
	return false
}

// ErrNothingTrained reports a Graph whose objective depends on no parameter that is
// trainable under the adapter that is on.
var ErrNothingTrained = errors.New("the logits depend on no trainable parameter")

func (d *differentiator) nothingTrained() error {
	for _, n := range d.g.Nodes {
		if a := graph.AdapterOf(n.Op); a != nil && d.adapter != a.Name {
			return fmt.Errorf("diff: %w: the adapter %q is on, node %q has the adapter %q", ErrNothingTrained, d.adapter, n.Name, a.Name)
		}
	}
	return fmt.Errorf("diff: %w: put an adapter on a linear, or mark parameters as trainable", ErrNothingTrained)
}

// Active is the adapter of op that is on under the name adapter, or nil.
func Active(op graph.Op, adapter string) *graph.Adapter {
	if a := graph.AdapterOf(op); a != nil && adapter != "" && a.Name == adapter {
		return a
	}
	return nil
}

// ActiveRows are the token rows of op that are on under the name adapter, or nil.
func ActiveRows(op graph.Op, adapter string) *graph.TokenRows {
	if r := graph.RowsOf(op); r != nil && adapter != "" && r.Adapter == adapter {
		return r
	}
	return nil
}

// trained lists the trainable parameters of op that count under the adapter and have a
// gradient.
func (d *differentiator) trained(op graph.Op) []graph.ParamID {
	var out []graph.ParamID
	seen := map[graph.ParamID]bool{}
	for _, id := range graph.ParamsOf(op) {
		p := d.g.Params[id]
		off := p.Adapter != "" && p.Adapter != d.adapter
		if p.Trainable && !off && !seen[id] && differentiable(op, id) {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

func (d *differentiator) markNeeds(n *graph.Node) {
	needs := len(d.trained(n.Op)) > 0
	for _, v := range n.Inputs {
		needs = needs || d.needs[v]
	}
	for _, v := range n.Outputs {
		d.needs[v] = needs && d.g.Values[v].Type != graph.Index
	}
}

// backward is the backward step of node i, if anything flows through it.
func (d *differentiator) backward(i int, written, writtenParam []bool) (Step, bool, error) {
	n := d.g.Nodes[i]
	step := Step{Kind: Backward, Node: i}
	flows := d.balances[i]
	for _, v := range n.Outputs {
		step.OutputGradients = append(step.OutputGradients, written[v])
		flows = flows || written[v]
	}
	if !flows {
		return step, false, nil
	}
	for k, v := range n.Inputs {
		if !d.needs[v] || !passes(n.Op, k) {
			continue
		}
		step.Inputs = append(step.Inputs, InputGradient{Input: k, Value: v, Accumulate: written[v]})
		written[v] = true
	}
	for _, id := range d.trained(n.Op) {
		step.Params = append(step.Params, ParamGradient{Param: id, Accumulate: writtenParam[id]})
		writtenParam[id] = true
	}
	if len(step.Inputs) == 0 && len(step.Params) == 0 {
		return step, false, nil
	}
	if m, ok := n.Op.(*graph.Map); ok {
		if err := derive(m, &step); err != nil {
			return step, false, fmt.Errorf("diff: node %q: %w", n.Name, err)
		}
	}
	step.Reads = reads(n, &step, Active(n.Op, d.adapter))
	return step, true, nil
}

// passes reports whether an operation gives its input k a gradient: indices have
// none.
func passes(op graph.Op, k int) bool {
	_, expert := op.(*graph.ExpertLinear)
	return !expert || k != 1
}

// differentiable reports whether a parameter of op has a gradient: a route's
// bias, which only steers the choice, has none.
func differentiable(op graph.Op, id graph.ParamID) bool {
	r, ok := op.(*graph.Route)
	return !ok || r.Bias != id
}

// derive puts the derivatives of a map's expression into its step.
func derive(m *graph.Map, step *Step) error {
	e, err := m.Parse()
	if err != nil {
		return err
	}
	for i := range step.Inputs {
		for arg, a := range m.Args {
			if a.Param == graph.NoParam && a.Input == step.Inputs[i].Input {
				step.Inputs[i].Derivative = e.Derivative(arg)
			}
		}
	}
	for i := range step.Params {
		// A parameter under two names counts through each: the derivatives add.
		for arg, a := range m.Args {
			if a.Param != step.Params[i].Param {
				continue
			}
			d := e.Derivative(arg)
			if step.Params[i].Derivative != nil {
				d = expr.Sum(step.Params[i].Derivative, d)
			}
			step.Params[i].Derivative = d
		}
	}
	return nil
}

// ForwardOnly is the schedule that computes the logits and nothing else: nodes
// that they do not depend on have no step.
func ForwardOnly(g *graph.Graph, o Options) *Schedule {
	s := &Schedule{Graph: g, Adapter: o.Adapter, Wanted: make([]bool, len(g.Values))}
	reached := make([]bool, len(g.Nodes))
	reached[g.Values[g.Logits].Node] = true
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		for _, v := range g.Nodes[i].Inputs {
			if reached[i] {
				reached[g.Values[v].Node] = true
			}
		}
	}
	for i := range g.Nodes {
		if reached[i] {
			s.Steps = append(s.Steps, Step{Kind: Forward, Node: i})
		}
	}
	return s
}
