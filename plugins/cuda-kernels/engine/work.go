package engine

import (
	"fmt"
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/kernels"
)

// A tally sums up of steps what their work depends on beside the Graph. A nil tally
// counts nothing.
type tally struct {
	steps       int
	tokens      int64
	predictions int64           // that have a weight
	pairs       map[reach]int64 // of queries and the keys that they see
}

// A reach is how far back an attention sees.
type reach struct{ window, chunk int }

func reachOf(o *graph.Attention) reach { return reach{o.Window, o.Chunk} }

// keys is how many tokens the one at a position of its document sees, itself included.
func (r reach) keys(position int) int {
	n := position + 1
	if r.window > 0 {
		n = min(n, r.window)
	}
	if r.chunk > 0 {
		n = min(n, position%r.chunk+1)
	}
	return n
}

func newTally(g *graph.Graph) *tally {
	t := &tally{pairs: map[reach]int64{}}
	for _, n := range g.Nodes {
		if o, ok := n.Op.(*graph.Attention); ok {
			t.pairs[reachOf(o)] = 0
		}
	}
	return t
}

// add counts a step.
func (t *tally) add(s *kernels.Step) {
	if t == nil {
		return
	}
	t.steps++
	for _, b := range s.Batches {
		t.tokens += int64(b.Tokens())
		t.predictions += int64(len(supervised(b)))
		for r := range t.pairs {
			for i, start := range b.DocStart {
				t.pairs[r] += int64(r.keys(i - int(start)))
			}
		}
	}
}

// A pass is what a product of a linear is for.
type pass string

// The products of a linear: y = x·Wᵀ, dx = dy·W, dW = dyᵀ·x.
const (
	passForward  pass = "forward"
	passBackward pass = "backward"
	passWeight   pass = "weight"
)

// A product is a large product of a linear at the rows that the plan runs it at. Its
// zero value is none.
type product struct {
	pass          pass
	rows, in, out int
	wide          bool // y is float32
}

// flops are the operations of the product at its own rows.
func (p product) flops() float64 { return 2 * float64(p.rows) * float64(p.in) * float64(p.out) }

// String is the pass and the shape, rows x columns x inner dimension.
func (p product) String() string {
	m, n, k := p.rows, p.out, p.in
	switch p.pass {
	case passBackward:
		n, k = p.in, p.out
	case passWeight:
		m, n, k = p.out, p.in, p.rows
	}
	return fmt.Sprintf("%s %dx%dx%d", p.pass, m, n, k)
}

// A task is a part of a step: the operations that only products can do fast, and the
// bytes that have to be read or written, whatever the kernels.
type task struct {
	family  string  // as the clock calls it
	node    int     // of the Graph; −1 for none
	product product // whose ceiling the operations have; none: the largest one's
	flops   float64
	bytes   float64
}

// A reckoning lists the tasks of a mean step.
type reckoning struct {
	e                   *Engine
	tokens, predictions float64
	pairs               map[reach]float64
	adapted             map[graph.ValueID]bool // values that an adapter has read
	tasks               []task
}

// tasks are those of the mean of the steps that were counted.
//
//   - A linear's products are their operations: 2·rows·in·out each, the rows being the
//     tokens, those of the head the predictions that have a weight. What products read
//     and write their ceilings include.
//   - Those of an expert linear are those of the slots.
//   - Attention's forward pass is 2·(KeyWidth + ValueWidth) operations for each head and
//     pair of a query and a key that it sees, its backward pass 2.5 times that: five
//     products where the forward pass has two.
//   - An adapter's operations are nothing. It reads its input, once for all adapters on
//     the same value, and the gradient of its linear's output, once.
//   - Any other operation reads its inputs and writes its outputs, each value once; its
//     backward step reads the gradients of outputs and what the schedule says that it
//     reads, and writes the gradients of inputs, or adds to them.
//   - The loss reads the logits and writes their gradient.
//   - The update reads and writes parameters and both moments, reads the gradients, and
//     writes the copy that products read.
//
// What the plan computes again or moves is no part of it.
func (e *Engine) tasks(t *tally) ([]task, error) {
	s, err := diff.Differentiate(e.g, diff.Options{Adapter: e.settings.Adapter})
	if err != nil {
		return nil, err
	}
	steps := float64(t.steps)
	r := &reckoning{
		e: e, tokens: float64(t.tokens) / steps, predictions: float64(t.predictions) / steps,
		pairs: map[reach]float64{}, adapted: map[graph.ValueID]bool{},
	}
	for reach, n := range t.pairs {
		r.pairs[reach] = float64(n) / steps
	}
	for i := range s.Steps {
		switch step := &s.Steps[i]; step.Kind {
		case diff.Forward:
			r.forward(step.Node)
		case diff.Loss:
			r.add(task{family: familyHead, node: -1, bytes: 2 * r.predictions * float64(e.valueBytes(e.g.Logits, 1))})
		case diff.Backward:
			r.backward(step)
		}
	}
	r.add(task{family: familyUpdate, node: -1, bytes: e.updateBytes()})
	return r.tasks, nil
}

// updateBytes is what an update has to read and write.
func (e *Engine) updateBytes() float64 {
	each := int64(3*8 + 4) // parameter and moments both ways, the gradient one
	if e.params.copied.bytes > 0 {
		each += e.act.Size()
	}
	total := int64(0)
	for _, p := range e.g.Params {
		if p.Trainable {
			total += each * int64(p.Elements())
		}
	}
	return float64(total)
}

// add adds a task. What is done in the head the clock measures as one.
func (r *reckoning) add(t task) {
	if t.node >= 0 && r.e.inHead(t.node) {
		t.family = familyHead
	}
	r.tasks = append(r.tasks, t)
}

// inHead reports whether a node of the Graph is run in the head.
func (e *Engine) inHead(node int) bool { return slices.Contains(e.head.Nodes, node) }

// rowsAtOnce is on how many rows a node is run at once, at the most.
func (e *Engine) rowsAtOnce(node int) int {
	if e.inHead(node) {
		return e.head.rows
	}
	return bucket(e.layout.tokens)
}

// rows is on how many rows a node is, and planned on how many it is run at once.
func (r *reckoning) rows(node int) (rows float64, planned int) {
	if r.e.inHead(node) {
		return r.predictions, r.e.rowsAtOnce(node)
	}
	return r.tokens, r.e.rowsAtOnce(node)
}

// bytes are those of values on so many rows, each counted once.
func (r *reckoning) bytes(rows float64, values ...graph.ValueID) float64 {
	total := int64(0)
	for i, v := range values {
		if !slices.Contains(values[:i], v) {
			total += r.e.valueBytes(v, 1)
		}
	}
	return rows * float64(total)
}

func (r *reckoning) forward(node int) {
	n := r.e.g.Nodes[node]
	rows, _ := r.rows(node)
	t := task{family: n.Op.Name(), node: node}
	switch o := n.Op.(type) {
	case *graph.Linear:
		r.product(passForward, t.family, node, o)
		r.adapter(node)
		return
	case *graph.ExpertLinear:
		t.flops = r.experts(node, o)
		r.adapter(node)
	case *graph.Attention:
		t.flops = r.attention(o)
	case *graph.Embed: // of the table its tokens' rows
		t.bytes = rows*float64(r.e.g.Values[n.Outputs[0]].Width)*float64(r.e.matrixType(o.Table).Size()) + r.bytes(rows, n.Outputs...)
	default:
		t.bytes = r.bytes(rows, n.Inputs...) + r.bytes(rows, n.Outputs...)
	}
	r.add(t)
}

func (r *reckoning) backward(s *diff.Step) {
	n := r.e.g.Nodes[s.Node]
	rows, _ := r.rows(s.Node)
	t := task{family: n.Op.Name() + familyBackward, node: s.Node}
	switch o := n.Op.(type) {
	case *graph.Linear:
		if len(s.Inputs) > 0 {
			r.product(passBackward, t.family, s.Node, o)
		}
		if trains(s, o.Weight) {
			r.product(passWeight, t.family, s.Node, o)
		}
		r.adapterBackward(s)
		return
	case *graph.ExpertLinear:
		if len(s.Inputs) > 0 {
			t.flops += r.experts(s.Node, o)
		}
		if trains(s, o.Weight) {
			t.flops += r.experts(s.Node, o)
		}
		r.adapterBackward(s)
	case *graph.Attention:
		t.flops = 2.5 * r.attention(o)
	default:
		t.bytes = r.bytes(rows, s.Reads...) + r.gradients(rows, s)
	}
	r.add(t)
}

// gradients are the bytes of the gradients that a backward step reads and writes: those
// of a value once, twice where it adds to what there is.
func (r *reckoning) gradients(rows float64, s *diff.Step) float64 {
	total := 0.0
	for i, has := range s.OutputGradients {
		if has {
			total += r.bytes(rows, r.e.g.Nodes[s.Node].Outputs[i])
		}
	}
	seen := map[graph.ValueID]bool{}
	for _, in := range s.Inputs {
		if seen[in.Value] {
			continue
		}
		seen[in.Value] = true
		total += r.bytes(rows, in.Value)
		if in.Accumulate {
			total += r.bytes(rows, in.Value)
		}
	}
	return total
}

// product adds a product of a linear.
func (r *reckoning) product(p pass, family string, node int, o *graph.Linear) {
	shape := r.e.g.Params[o.Weight].Shape
	rows, planned := r.rows(node)
	r.add(task{
		family: family, node: node, flops: 2 * rows * float64(shape[0]) * float64(shape[1]),
		product: product{
			pass: p, rows: planned, in: shape[1], out: shape[0],
			wide: p == passForward && r.e.typeOf(r.e.g.Nodes[node].Outputs[0]) != r.e.act,
		},
	})
}

// experts are the operations of a product of all slots with their experts' matrices.
func (r *reckoning) experts(node int, o *graph.ExpertLinear) float64 {
	shape := r.e.g.Params[o.Weight].Shape
	rows, _ := r.rows(node)
	return 2 * rows * float64(r.e.g.Values[r.e.g.Nodes[node].Outputs[0]].Slots) * float64(shape[1]) * float64(shape[2])
}

// attention are the operations of a forward pass.
func (r *reckoning) attention(o *graph.Attention) float64 {
	return 2 * r.pairs[reachOf(o)] * float64(o.Heads*(o.KeyWidth+o.ValueWidth))
}

// adapter adds what an adapter that is on reads in the forward pass.
func (r *reckoning) adapter(node int) {
	n := r.e.g.Nodes[node]
	if x := n.Inputs[0]; diff.Active(n.Op, r.e.settings.Adapter) != nil && !r.adapted[x] {
		r.adapted[x] = true
		rows, _ := r.rows(node)
		r.add(task{family: familyAdapter, node: node, bytes: r.bytes(rows, x)})
	}
}

// adapterBackward adds what it reads in the backward pass.
func (r *reckoning) adapterBackward(s *diff.Step) {
	n := r.e.g.Nodes[s.Node]
	if diff.Active(n.Op, r.e.settings.Adapter) != nil {
		rows, _ := r.rows(s.Node)
		r.add(task{family: familyAdapter + familyBackward, node: s.Node, bytes: r.bytes(rows, n.Outputs[0])})
	}
}

// trains reports whether a backward step gives the gradient of a parameter.
func trains(s *diff.Step, id graph.ParamID) bool {
	return slices.ContainsFunc(s.Params, func(p diff.ParamGradient) bool { return p.Param == id })
}
