package interp

import (
	"fmt"
	"math"
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/expr"
	"github.com/honeml/hone/sdk/graph/live"
)

// Params gives the values of a parameter, row-major. A backend that holds a
// parameter in fewer bits is compared by giving the rounded values here.
type Params func(graph.ParamID) []float64

// Options say how a Graph is run.
type Options struct {
	Adapter string // the adapter that is on; "" for none
	// Training turns dropout on, under the counters of Seed and Step.
	Training   bool
	Seed, Step uint64
	// Round, if not nil, rounds the result of every operation, forward and
	// backward, as a backend that holds activations in another precision does; so
	// what operations take is rounded too. [BFloat16], [Float16] and [Float32] are
	// such functions. Values of the type [graph.Float32] are rounded by Float32.
	Round func(float64) float64
}

// A Run is one micro-batch going through a Graph.
type Run struct {
	g      *graph.Graph
	params Params
	batch  *graph.Batch
	o      Options
	maps   map[int]*expr.Program // by node

	values    [][]float64 // by value; nil before it is computed and after its last use
	gradients [][]float64 // by value, likewise
	paramGrad map[graph.ParamID][]float64
	loss      float64
	logProbs  []float64
	balances  []float64 // by node: the balancing loss of a route
	balanced  []bool    // by node: a route that has one and that the logits depend on

	// norms are those of DoRA's adapters, which have no gradient; nil: they are
	// computed anew each time. The tests hold them, to take differences beside them.
	norms map[*graph.Linear][]float64

	// sign is +1; the tests flip it for one part of a node's gradient at a time.
	sign func(node int, part string, index int) float64
}

// New prepares a run. The batch has to fit the Graph's vocabulary and the
// parameters their shapes; those of adapters that are off are not asked for.
func New(g *graph.Graph, params Params, batch *graph.Batch, o Options) (*Run, error) {
	if err := batch.Validate(g.IDs()); err != nil {
		return nil, err
	}
	for _, p := range g.Params {
		if p.Adapter != "" && p.Adapter != o.Adapter {
			continue
		}
		if n := len(params(p.ID)); n != p.Elements() {
			return nil, fmt.Errorf("interp: parameter %q: %d values for a shape of %v", p.Name, n, p.Shape)
		}
	}
	r := &Run{
		g: g, params: params, batch: batch, o: o, maps: map[int]*expr.Program{},
		sign: func(int, string, int) float64 { return 1 }, balanced: make([]bool, len(g.Nodes)),
	}
	for _, step := range diff.ForwardOnly(g, diff.Options{}).Steps {
		r.balanced[step.Node] = graph.Balances(g.Nodes[step.Node].Op)
	}
	r.reset()
	for i, n := range g.Nodes {
		if err := r.prepare(i, n); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// prepare compiles a map's expression.
func (r *Run) prepare(i int, n *graph.Node) error {
	switch o := n.Op.(type) {
	case *graph.Map:
		e, err := o.Parse()
		if err != nil {
			return fmt.Errorf("interp: node %q: %w", n.Name, err)
		}
		r.maps[i] = expr.Compile(e.Root)
	}
	return nil
}

func (r *Run) reset() {
	r.values = make([][]float64, len(r.g.Values))
	r.gradients = make([][]float64, len(r.g.Values))
	r.paramGrad = map[graph.ParamID][]float64{}
	r.loss, r.logProbs = 0, nil
	r.balances = make([]float64, len(r.g.Nodes))
}

// Forward computes all values and returns the logits, [T, vocabulary]. A value
// that is not finite is an error that names the node.
func (r *Run) Forward() ([]float64, error) {
	r.reset()
	if err := r.forwardFrom(0); err != nil {
		return nil, err
	}
	return r.values[r.g.Logits], nil
}

// forwardFrom computes the nodes from i on, and the objective.
func (r *Run) forwardFrom(i int) error {
	for ; i < len(r.g.Nodes); i++ {
		if err := r.forward(i); err != nil {
			return err
		}
	}
	r.objective()
	return nil
}

// Value is what a value came to, after Forward.
func (r *Run) Value(v graph.ValueID) []float64 { return r.values[v] }

// Step runs a schedule from its beginning: it returns the cross-entropy, and the
// gradients by the trainable parameters of it and of what [Run.Balance] then gives. A
// parameter that neither depends on has none. A value that is not finite is an error that names the node.
func (r *Run) Step(s *diff.Schedule) (loss float64, gradients map[graph.ParamID][]float64, err error) {
	switch {
	case s.Graph != r.g:
		return 0, nil, fmt.Errorf("interp: the schedule is of another graph")
	case s.Adapter != r.o.Adapter:
		return 0, nil, fmt.Errorf("interp: the schedule has the adapter %q on, the run %q", s.Adapter, r.o.Adapter)
	}
	r.reset()
	ends := make([][]live.Buffer, len(s.Steps))
	for _, b := range live.Buffers(s) {
		if b.Value != graph.NoValue {
			ends[b.To] = append(ends[b.To], b)
		}
	}
	for i, step := range s.Steps {
		switch step.Kind {
		case diff.Forward:
			err = r.forward(step.Node)
		case diff.Loss:
			r.objective()
			r.objectiveBackward()
		case diff.Backward:
			r.backward(step)
		}
		if err != nil {
			return 0, nil, err
		}
		for _, b := range ends[i] {
			if b.Gradient {
				r.gradients[b.Value] = nil
			} else {
				r.values[b.Value] = nil
			}
		}
	}
	return r.loss, r.paramGrad, nil
}

// forward computes the outputs of node i.
func (r *Run) forward(i int) error {
	n := r.g.Nodes[i]
	in := make([][]float64, len(n.Inputs))
	for k, v := range n.Inputs {
		in[k] = r.values[v]
	}
	for k, y := range r.apply(i, n, in) {
		v := n.Outputs[k]
		r.values[v] = r.round(v, y)
		for at, x := range r.values[v] {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				w := r.width(v)
				return fmt.Errorf("interp: node %q (%s): output %d is %v at token %d, column %d", n.Name, n.Op.Name(), k, x, at/w/r.slots(v), at%w)
			}
		}
	}
	return nil
}

// apply is the operation of node i: its outputs for its inputs.
func (r *Run) apply(i int, n *graph.Node, in [][]float64) [][]float64 {
	switch o := n.Op.(type) {
	case *graph.Embed:
		return [][]float64{r.embed(o)}
	case *graph.Linear:
		return [][]float64{r.linear(o, in[0])}
	case *graph.Norm:
		return [][]float64{r.norm(o, in[0], r.width(n.Inputs[0]))}
	case *graph.RoPE:
		return [][]float64{r.rope(o, in[0], r.width(n.Inputs[0]), 1)}
	case *graph.Attention:
		return [][]float64{r.attention(o, in[0], in[1], in[2])}
	case *graph.Map:
		return [][]float64{r.evaluate(o, n, in, r.maps[i])}
	case *graph.Split:
		return r.split(o, in[0])
	case *graph.Concat:
		return [][]float64{r.concat(o, in, r.rows(n.Outputs[0]))}
	case *graph.Conv:
		return [][]float64{r.conv(o, in[0])}
	case *graph.Route:
		indices, weights := r.route(o, in[0])
		if r.balanced[i] {
			r.balances[i] = r.balance(o, in[0], indices)
		}
		return [][]float64{indices, weights}
	case *graph.ExpertLinear:
		return [][]float64{r.expertLinear(o, in)}
	case *graph.Combine:
		var weights []float64
		if !o.Plain {
			weights = in[1]
		}
		return [][]float64{r.combine(in[0], weights, r.slots(n.Inputs[0]), r.width(n.Inputs[0]))}
	}
	panic("interp: an operation that New lets pass") // New refuses the others
}

// backward runs a backward step.
func (r *Run) backward(step diff.Step) {
	n := r.g.Nodes[step.Node]
	g := &grads{r: r, step: step, inputs: map[int][]float64{}, params: map[graph.ParamID][]float64{}}
	// Only what the step says it reads is there to be read.
	in := make([][]float64, len(n.Inputs))
	for k, v := range n.Inputs {
		if slices.Contains(step.Reads, v) {
			in[k] = r.values[v]
		}
	}
	dy := make([][]float64, len(n.Outputs))
	for k, v := range n.Outputs {
		dy[k] = r.gradients[v]
		if !step.OutputGradients[k] {
			dy[k] = make([]float64, r.rows(v)*r.width(v))
		}
	}
	switch o := n.Op.(type) {
	case *graph.Embed:
		r.embedBackward(o, dy[0], g)
	case *graph.Linear:
		r.linearBackward(o, in[0], dy[0], g)
	case *graph.Norm:
		r.normBackward(o, in[0], dy[0], r.width(n.Inputs[0]), g)
	case *graph.RoPE:
		g.input("x", 0, r.rope(o, dy[0], r.width(n.Inputs[0]), -1))
	case *graph.Attention:
		r.attentionBackward(o, in[0], in[1], in[2], dy[0], g)
	case *graph.Map:
		r.mapBackward(o, n, in, dy[0], g)
	case *graph.Split:
		g.input("x", 0, r.concat(splitAsConcat(o), dy, r.rows(n.Inputs[0])))
	case *graph.Concat:
		r.concatBackward(o, dy[0], g)
	case *graph.Conv:
		r.convBackward(o, in[0], dy[0], g)
	case *graph.Route:
		indices := r.values[n.Outputs[0]]
		if !slices.Contains(step.Reads, n.Outputs[0]) {
			indices = nil
		}
		r.routeBackward(o, in[0], indices, dy[1], g)
	case *graph.ExpertLinear:
		r.expertLinearBackward(o, in, dy[0], r.rows(n.Inputs[0]), g)
	case *graph.Combine:
		r.combineBackward(o, in, dy[0], r.slots(n.Inputs[0]), r.width(n.Inputs[0]), g)
	}
	g.store()
}

func (r *Run) width(v graph.ValueID) int { return r.g.Values[v].Width }

func (r *Run) slots(v graph.ValueID) int { return r.g.Values[v].Slots }

func (r *Run) rows(v graph.ValueID) int { return r.batch.Tokens() * r.slots(v) }

func (r *Run) shape(id graph.ParamID) []int { return r.g.Params[id].Shape }

// param is a parameter's values, nil for none.
func (r *Run) param(id graph.ParamID) []float64 {
	if id == graph.NoParam {
		return nil
	}
	return r.params(id)
}
