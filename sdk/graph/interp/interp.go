// Package interp runs a Graph in float64, in plain loops: it is the definition of
// each operation and of its derivative in code, and what every backend is tested
// against. It is not fast.
package interp

import (
	"fmt"
	"math"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// Params gives the values of a parameter, row-major.
type Params func(graph.ParamID) []float64

// Options say how a Graph is run.
type Options struct {
	Adapter string // the adapter that is on; "" for none
	// Training turns dropout on, under the counters of Seed and Step.
	Training   bool
	Seed, Step uint64
	// Round, if not nil, rounds the result of every operation, as a backend that
	// holds activations in another precision does.
	Round func(float64) float64
}

// A Run is one micro-batch going through a Graph.
type Run struct {
	g      *graph.Graph
	params Params
	batch  *graph.Batch
	o      Options

	values    [][]float64 // by value; nil before it is computed
	gradients [][]float64 // by value
	paramGrad map[graph.ParamID][]float64
	loss      float64

	flip func(gradient string) float64 // tests: the sign of a gradient's part
}

// New prepares a run. The batch has to fit the Graph's vocabulary.
func New(g *graph.Graph, params Params, batch *graph.Batch, o Options) (*Run, error) {
	if err := batch.Validate(vocabulary(g)); err != nil {
		return nil, err
	}
	r := &Run{
		g: g, params: params, batch: batch, o: o,
		values: make([][]float64, len(g.Values)), gradients: make([][]float64, len(g.Values)),
		paramGrad: map[graph.ParamID][]float64{},
		flip:      func(string) float64 { return 1 },
	}
	return r, nil
}

// vocabulary is the number of ids that the embeddings take.
func vocabulary(g *graph.Graph) int {
	n := g.Vocabulary()
	for _, node := range g.Nodes {
		if e, ok := node.Op.(*graph.Embed); ok {
			n = min(n, g.Params[e.Table].Shape[0])
		}
	}
	return n
}

// Forward computes all values and returns the logits, [T, vocabulary].
func (r *Run) Forward() ([]float64, error) {
	for i := range r.g.Nodes {
		if err := r.forward(i); err != nil {
			return nil, err
		}
	}
	return r.values[r.g.Logits], nil
}

// Value is what a value came to, after Forward.
func (r *Run) Value(v graph.ValueID) []float64 { return r.values[v] }

// LogProbs is, for each token, the log-probability of it after those before it
// in its document, after Forward; 0 at a document's first.
func (r *Run) LogProbs() []float64 {
	out := make([]float64, r.batch.Tokens())
	v := r.g.Vocabulary()
	for t := range out {
		if r.batch.Position[t] > 0 {
			row := r.values[r.g.Logits][(t-1)*v : t*v]
			out[t] = row[r.batch.ID[t]] - logSumExp(row)
		}
	}
	return out
}

func logSumExp(row []float64) float64 {
	largest := math.Inf(-1)
	for _, x := range row {
		largest = math.Max(largest, x)
	}
	sum := 0.0
	for _, x := range row {
		sum += math.Exp(x - largest)
	}
	return largest + math.Log(sum)
}

// Step runs a schedule: it returns the objective, −Σ weight·log p, and the
// gradients of that sum by each trainable parameter.
func (r *Run) Step(s *diff.Schedule) (loss float64, gradients map[graph.ParamID][]float64, err error) {
	if s.Graph != r.g {
		return 0, nil, fmt.Errorf("interp: the schedule is of another graph")
	}
	for _, step := range s.Steps {
		switch step.Kind {
		case diff.Forward:
			err = r.forward(step.Node)
		case diff.Loss:
			r.crossEntropy()
		case diff.Backward:
			err = r.backward(step)
		}
		if err != nil {
			return 0, nil, err
		}
	}
	return r.loss, r.paramGrad, nil
}

// crossEntropy is the objective and its gradient by the logits:
// weight·(softmax − one-hot), on the row before the token.
func (r *Run) crossEntropy() {
	v := r.g.Vocabulary()
	logits := r.values[r.g.Logits]
	gradient := make([]float64, len(logits))
	r.loss = 0
	for t := range r.batch.Tokens() {
		w := float64(r.batch.Weight[t])
		if w == 0 {
			continue
		}
		row, d := logits[(t-1)*v:t*v], gradient[(t-1)*v:t*v]
		total := logSumExp(row)
		r.loss -= w * (row[r.batch.ID[t]] - total)
		for i, x := range row {
			d[i] += w * math.Exp(x-total)
		}
		d[r.batch.ID[t]] -= w
	}
	r.gradients[r.g.Logits] = gradient
}

// rows is the number of rows of a value.
func (r *Run) rows(v graph.ValueID) int { return r.batch.Tokens() * r.g.Values[v].Slots }

func (r *Run) round(x []float64) []float64 {
	if r.o.Round != nil {
		for i := range x {
			x[i] = r.o.Round(x[i])
		}
	}
	return x
}

// param is a parameter's values, nil for none.
func (r *Run) param(id graph.ParamID) []float64 {
	if id == graph.NoParam {
		return nil
	}
	return r.params(id)
}

func unsupported(n *graph.Node) error {
	return fault.New(fault.Unsupported, "interp: node %q: operation %s is not implemented", n.Name, n.Op.Name())
}
