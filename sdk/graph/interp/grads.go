package interp

import (
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// grads collects what a backward step computes: contributions to the gradients of
// inputs, by their index, and of parameters. Each has a name, such as "x", by which
// the tests flip its sign.
type grads struct {
	r      *Run
	step   diff.Step
	inputs map[int][]float64
	params map[graph.ParamID][]float64
}

// wants reports whether the gradient of a parameter is asked for.
func (g *grads) wants(id graph.ParamID) bool {
	for _, p := range g.step.Params {
		if p.Param == id {
			return true
		}
	}
	return false
}

// wantsInput reports whether the gradient of input k is asked for.
func (g *grads) wantsInput(k int) bool {
	for _, in := range g.step.Inputs {
		if in.Input == k {
			return true
		}
	}
	return false
}

// input adds d to the gradient of input k, if it is asked for.
func (g *grads) input(part string, k int, d []float64) {
	for _, in := range g.step.Inputs {
		if in.Input == k {
			addTo(g.inputs, k, d, g.r.sign(g.step.Node, part, k))
		}
	}
}

// param adds d to the gradient of a parameter, if it is asked for.
func (g *grads) param(part string, id graph.ParamID, d []float64) {
	if g.wants(id) {
		addTo(g.params, id, d, g.r.sign(g.step.Node, part, 0))
	}
}

// table adds d to the gradient of a table, but for the rows that others replace: to
// those goes what theirs is.
func (g *grads) table(part string, id graph.ParamID, d []float64, rows *graph.TokenRows) {
	if rows != nil {
		w := len(d) / g.r.shape(id)[0]
		own := make([]float64, 0, len(rows.IDs)*w)
		for _, row := range rows.IDs {
			own = append(own, d[row*w:(row+1)*w]...)
			clear(d[row*w : (row+1)*w])
		}
		g.param("token rows", rows.Values, own)
	}
	g.param(part, id, d)
}

func addTo[K comparable](m map[K][]float64, key K, d []float64, sign float64) {
	if m[key] == nil {
		m[key] = make([]float64, len(d))
	}
	for i, v := range d {
		m[key][i] += sign * v
	}
}

// store writes or adds what was collected, as the schedule says.
func (g *grads) store() {
	r := g.r
	for _, in := range g.step.Inputs {
		sum := g.inputs[in.Input]
		if in.Accumulate {
			sum = added(r.gradients[in.Value], sum)
		}
		r.gradients[in.Value] = r.round(in.Value, sum)
	}
	for _, p := range g.step.Params {
		sum := g.params[p.Param]
		if p.Accumulate {
			sum = added(r.paramGrad[p.Param], sum)
		}
		r.paramGrad[p.Param] = sum
	}
}

func added(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] + b[i]
	}
	return out
}
