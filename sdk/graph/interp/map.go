package interp

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/expr"
)

// argument is the value of argument a of a map in row t, column c; NaN for an
// input that a backward step may not read.
func (r *Run) argument(o *graph.Map, n *graph.Node, in [][]float64, a graph.MapArg, t, c int) float64 {
	if a.Param != graph.NoParam {
		p := r.param(a.Param)
		return p[c%len(p)]
	}
	if in[a.Input] == nil {
		return math.NaN()
	}
	w := r.width(n.Inputs[a.Input])
	return in[a.Input][t*w+c*w/o.Width]
}

// evaluate runs a program of one output at every element of a map's output.
func (r *Run) evaluate(o *graph.Map, n *graph.Node, in [][]float64, p *expr.Program) []float64 {
	args := make([]float64, len(o.Args))
	registers := make([]float64, len(p.Instrs))
	y := make([]float64, 0, r.batch.Tokens()*o.Width)
	slots := r.slots(n.Outputs[0])
	for t := range r.rows(n.Outputs[0]) {
		for c := range o.Width {
			for i, a := range o.Args {
				args[i] = r.argument(o, n, in, a, t, c)
			}
			p.Eval(args, float64(r.batch.Position[t/slots]), registers)
			y = append(y, registers[p.Outputs[0]])
		}
	}
	return y
}

// mapBackward multiplies dy by each derivative and sums over the columns, tokens
// or both that the argument was broadcast over.
func (r *Run) mapBackward(o *graph.Map, n *graph.Node, in [][]float64, dy []float64, g *grads) {
	for _, input := range g.step.Inputs {
		w := r.width(n.Inputs[input.Input])
		d := make([]float64, r.rows(n.Inputs[input.Input])*w)
		for i, slope := range r.evaluate(o, n, in, expr.Compile(input.Derivative)) {
			t, c := i/o.Width, i%o.Width
			d[t*w+c*w/o.Width] += dy[i] * slope
		}
		g.input("input", input.Input, d)
	}
	for _, param := range g.step.Params {
		d := make([]float64, r.g.Params[param.Param].Elements())
		for i, slope := range r.evaluate(o, n, in, expr.Compile(param.Derivative)) {
			d[i%o.Width%len(d)] += dy[i] * slope
		}
		g.param("parameter "+r.g.Params[param.Param].Name, param.Param, d)
	}
}
