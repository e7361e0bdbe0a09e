package interp

import (
	"fmt"
	"math"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/expr"
)

// grads is what a backward step computes: contributions to gradients of inputs,
// by index, and of parameters. Names of the parts, such as "linear.x", are those
// by which the tests flip their signs.
type grads struct {
	r      *Run
	op     string
	step   diff.Step
	inputs map[int][]float64
	params map[graph.ParamID][]float64
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

func (g *grads) wantsParam(id graph.ParamID) bool {
	for _, p := range g.step.Params {
		if p.Param == id {
			return true
		}
	}
	return false
}

// input adds d to the gradient of input k.
func (g *grads) input(part string, k int, d []float64) {
	if g.wantsInput(k) {
		addTo(g.inputs, k, d, g.r.flip(g.op+"."+part))
	}
}

// param adds d to the gradient of a parameter.
func (g *grads) param(part string, id graph.ParamID, d []float64) {
	if id != graph.NoParam && g.wantsParam(id) {
		addTo(g.params, id, d, g.r.flip(g.op+"."+part))
	}
}

func addTo[K comparable](m map[K][]float64, key K, d []float64, sign float64) {
	if m[key] == nil {
		m[key] = make([]float64, len(d))
	}
	for i, v := range d {
		m[key][i] += sign * v
	}
}

// backward runs a backward step.
func (r *Run) backward(step diff.Step) error {
	n := r.g.Nodes[step.Node]
	dy := make([][]float64, len(n.Outputs))
	for k, v := range n.Outputs {
		dy[k] = r.gradients[v]
		if !step.OutputGradients[k] {
			dy[k] = make([]float64, r.rows(v)*r.width(v))
		}
	}
	g := &grads{r: r, op: n.Op.Name(), step: step, inputs: map[int][]float64{}, params: map[graph.ParamID][]float64{}}
	switch o := n.Op.(type) {
	case *graph.Embed:
		r.embedBackward(o, dy[0], g)
	case *graph.Linear:
		r.linearBackward(o, n, dy[0], g)
	case *graph.Norm:
		r.normBackward(o, n, dy[0], g)
	case *graph.RoPE:
		g.input("x", 0, r.rope(o, dy[0], r.width(n.Inputs[0]), -1))
	case *graph.Attention:
		r.attentionBackward(o, n, dy[0], g)
	case *graph.Map:
		if err := r.mapBackward(o, n, dy[0], g); err != nil {
			return err
		}
	case *graph.Split:
		g.input("x", 0, r.concat(splitAsConcat(o), dy))
	case *graph.Concat:
		r.concatBackward(o, dy[0], g)
	case *graph.Conv:
		r.convBackward(o, n, dy[0], g)
	default:
		return unsupported(n)
	}
	r.store(step, g)
	return nil
}

// store writes or adds what a step computed, as the schedule says.
func (r *Run) store(step diff.Step, g *grads) {
	for _, in := range step.Inputs {
		d := g.inputs[in.Input]
		if !in.Accumulate {
			r.gradients[in.Value] = make([]float64, len(d))
		}
		for i, v := range r.round(d) {
			r.gradients[in.Value][i] += v
		}
	}
	for _, p := range step.Params {
		d := g.params[p.Param]
		if !p.Accumulate {
			r.paramGrad[p.Param] = make([]float64, len(d))
		}
		for i, v := range d {
			r.paramGrad[p.Param][i] += v
		}
	}
}

func (r *Run) embedBackward(o *graph.Embed, dy []float64, g *grads) {
	w := r.shape(o.Table)[1]
	d := make([]float64, r.g.Params[o.Table].Elements())
	for t, id := range r.batch.ID {
		for c := range w {
			d[int(id)*w+c] += o.Scale * dy[t*w+c]
		}
	}
	g.param("table", o.Table, d)
}

// matmulInput is dy·w: the gradient of x in x·wᵀ.
func matmulInput(dy, w []float64, in, out int) []float64 {
	rows := len(dy) / out
	dx := make([]float64, rows*in)
	for t := range rows {
		for o := range out {
			for i := range in {
				dx[t*in+i] += dy[t*out+o] * w[o*in+i]
			}
		}
	}
	return dx
}

// matmulWeight is dyᵀ·x: the gradient of w in x·wᵀ.
func matmulWeight(dy, x []float64, in, out int) []float64 {
	rows := len(dy) / out
	dw := make([]float64, out*in)
	for t := range rows {
		for o := range out {
			for i := range in {
				dw[o*in+i] += dy[t*out+o] * x[t*in+i]
			}
		}
	}
	return dw
}

// columnSums is the gradient of a row that is added to all rows.
func columnSums(dy []float64, width int) []float64 {
	sum := make([]float64, width)
	for i, v := range dy {
		sum[i%width] += v
	}
	return sum
}

func scaled(x []float64, factor float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = factor * v
	}
	return y
}

// linearBackward, with s the adapter's scaling and x' = dropout(x):
//
//	dX = dY·W + dropout(s·dY·B·A);  dW = dYᵀ·X;  db = Σ dY
//	dB = s·dYᵀ·(x'·Aᵀ);  dA = (s·dY·B)ᵀ·x';  d(bias of B) = s·Σ dY
func (r *Run) linearBackward(o *graph.Linear, n *graph.Node, dy []float64, g *grads) {
	out, in := r.shape(o.Weight)[0], r.shape(o.Weight)[1]
	x := r.values[n.Inputs[0]]
	g.input("x", 0, matmulInput(dy, r.param(o.Weight), in, out))
	if g.wantsParam(o.Weight) {
		g.param("weight", o.Weight, matmulWeight(dy, x, in, out))
	}
	g.param("bias", o.Bias, columnSums(dy, out))
	a := diff.Active(o, r.o.Adapter)
	if a == nil {
		return
	}
	s := scaled(dy, a.Scaling())
	dh := matmulInput(s, r.param(a.B), a.Rank, out)
	dropped := r.dropped(a, o.Module, matmulInput(dh, r.param(a.A), in, a.Rank), in)
	g.input("x_adapter", 0, dropped)
	if g.wantsParam(a.A) || g.wantsParam(a.B) {
		xd := r.dropped(a, o.Module, x, in)
		g.param("A", a.A, matmulWeight(dh, xd, in, a.Rank))
		g.param("B", a.B, matmulWeight(s, matmul(xd, r.param(a.A), in, a.Rank), a.Rank, out))
	}
	g.param("adapter_bias", a.Bias, columnSums(s, out))
}

// normBackward, with g = dy·w and means over a group:
//
//	dx = (g − x̂·mean(g·x̂) − mean(g) [layer norm alone]) / √(variance + ε)
//	dw = Σ dy·x̂;  db = Σ dy
func (r *Run) normBackward(o *graph.Norm, n *graph.Node, dy []float64, g *grads) {
	width := r.width(n.Inputs[0])
	size := width / o.Groups
	x := r.values[n.Inputs[0]]
	dx, hats := make([]float64, len(x)), make([]float64, len(x))
	means := make([]float64, len(x))
	for at := 0; at < len(x); at += size {
		row := normalise(x[at:at+size], o.Centre, o.Epsilon)
		mean, product := 0.0, 0.0
		for i, hat := range row.hat {
			gi := dy[at+i] * r.normWeight(o, at%width+i)
			mean += gi / float64(size)
			product += gi * hat / float64(size)
		}
		for i, hat := range row.hat {
			gi := dy[at+i] * r.normWeight(o, at%width+i)
			dx[at+i] = row.inv * (gi - hat*product)
			if o.Centre {
				means[at+i] = -row.inv * mean
			}
			hats[at+i] = dy[at+i] * hat
		}
	}
	g.input("x", 0, dx)
	if o.Centre {
		g.input("mean", 0, means)
	}
	if o.Weight != graph.NoParam {
		g.param("weight", o.Weight, columnSums(hats, len(r.param(o.Weight))))
	}
	if o.Bias != graph.NoParam {
		g.param("bias", o.Bias, columnSums(dy, len(r.param(o.Bias))))
	}
}

// attentionBackward, with p the probabilities of a row, s its scores before and
// c(s) after the cap:
//
//	dv_j = p_j·dy;  dp_j = dy·v_j;  δ = Σ p_j·dp_j;  ds_j = p_j·(dp_j − δ)·c'(s_j)
//	dq = scale·Σ ds_j·k_j;  dk_j = scale·ds_j·q;  d(sink) = −p_sink·δ
func (r *Run) attentionBackward(o *graph.Attention, n *graph.Node, dy []float64, g *grads) {
	q, k, v := r.values[n.Inputs[0]], r.values[n.Inputs[1]], r.values[n.Inputs[2]]
	dq, dk, dv := make([]float64, len(q)), make([]float64, len(k)), make([]float64, len(v))
	dsinks := make([]float64, o.Heads)
	for t := range r.batch.Tokens() {
		for h := range o.Heads {
			row := r.attend(o, q, k, t, h)
			kv := h * o.KVHeads / o.Heads
			d := dy[(t*o.Heads+h)*o.ValueWidth : (t*o.Heads+h+1)*o.ValueWidth]
			dp := make([]float64, len(row.p))
			delta := 0.0
			for j, p := range row.p {
				at := ((row.first+j)*o.KVHeads + kv) * o.ValueWidth
				for c, x := range d {
					dp[j] += x * v[at+c]
					dv[at+c] += p * x
				}
				delta += p * dp[j]
			}
			dsinks[h] -= row.sink * delta
			for j, p := range row.p {
				ds := p * (dp[j] - delta) * o.Scale
				if o.Cap > 0 {
					tanh := math.Tanh(row.scores[j] / o.Cap)
					ds *= 1 - tanh*tanh
				}
				qa, ka := (t*o.Heads+h)*o.KeyWidth, ((row.first+j)*o.KVHeads+kv)*o.KeyWidth
				for c := range o.KeyWidth {
					dq[qa+c] += ds * k[ka+c]
					dk[ka+c] += ds * q[qa+c]
				}
			}
		}
	}
	g.input("q", 0, dq)
	g.input("k", 1, dk)
	g.input("v", 2, dv)
	g.param("sinks", o.Sinks, dsinks)
}

// mapBackward multiplies dy by each derivative and sums over the columns, tokens
// or both that the argument was broadcast over.
func (r *Run) mapBackward(o *graph.Map, n *graph.Node, dy []float64, g *grads) error {
	for _, in := range g.step.Inputs {
		if in.Derivative == nil {
			return fmt.Errorf("interp: node %q: the schedule has no derivative by input %d", n.Name, in.Input)
		}
		p := expr.Compile(in.Derivative)
		w := r.width(n.Inputs[in.Input])
		d := make([]float64, r.batch.Tokens()*w)
		r.eachElement(o, n, p, func(t, c int, registers []float64) {
			d[t*w+c*w/o.Width] += dy[t*o.Width+c] * registers[p.Outputs[0]]
		})
		g.input("input", in.Input, d)
	}
	for _, pg := range g.step.Params {
		p := expr.Compile(pg.Derivative)
		d := make([]float64, r.g.Params[pg.Param].Elements())
		r.eachElement(o, n, p, func(t, c int, registers []float64) {
			d[c%len(d)] += dy[t*o.Width+c] * registers[p.Outputs[0]]
		})
		g.param("param", pg.Param, d)
	}
	return nil
}

// splitAsConcat is the concat that undoes a split.
func splitAsConcat(o *graph.Split) *graph.Concat {
	return &graph.Concat{Groups: o.Groups, Widths: o.Sizes, Repeat: make([]bool, len(o.Sizes))}
}

func (r *Run) concatBackward(o *graph.Concat, dy []float64, g *grads) {
	parts := r.split(&graph.Split{Groups: o.Groups, Sizes: o.Widths}, dy)
	for i, d := range parts {
		if !o.Repeat[i] {
			g.input("x", i, d)
			continue
		}
		size := o.Widths[i]
		sum := make([]float64, r.batch.Tokens()*size)
		for at, v := range d {
			sum[at/(size*o.Groups)*size+at%size] += v
		}
		g.input("repeated", i, sum)
	}
}

func (r *Run) convBackward(o *graph.Conv, n *graph.Node, dy []float64, g *grads) {
	w, x := r.param(o.Weight), r.values[n.Inputs[0]]
	width := r.shape(o.Weight)[0]
	dx, dw := make([]float64, len(dy)), make([]float64, len(w))
	for t := range r.batch.Tokens() {
		for c := range width {
			for d := 0; d < o.Kernel && d <= int(r.batch.Position[t]); d++ {
				at := c*o.Kernel + o.Kernel - 1 - d
				dx[(t-d)*width+c] += w[at] * dy[t*width+c]
				if x != nil {
					dw[at] += x[(t-d)*width+c] * dy[t*width+c]
				}
			}
		}
	}
	g.input("x", 0, dx)
	g.param("weight", o.Weight, dw)
	g.param("bias", o.Bias, columnSums(dy, width))
}
