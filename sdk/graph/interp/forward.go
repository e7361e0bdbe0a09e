package interp

import (
	"fmt"
	"math"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/dropout"
	"github.com/honeml/hone/sdk/graph/expr"
)

// forward computes the outputs of node i.
func (r *Run) forward(i int) error {
	n := r.g.Nodes[i]
	in := make([][]float64, len(n.Inputs))
	for k, v := range n.Inputs {
		in[k] = r.values[v]
	}
	var out [][]float64
	one := func(y []float64) { out = [][]float64{y} }
	switch o := n.Op.(type) {
	case *graph.Embed:
		one(r.embed(o))
	case *graph.Linear:
		one(r.linear(o, in[0]))
	case *graph.Norm:
		one(r.norm(o, in[0], r.width(n.Inputs[0])))
	case *graph.RoPE:
		one(r.rope(o, in[0], r.width(n.Inputs[0]), 1))
	case *graph.Attention:
		one(r.attention(o, in[0], in[1], in[2]))
	case *graph.Map:
		y, err := r.mapForward(o, n)
		if err != nil {
			return err
		}
		one(y)
	case *graph.Split:
		out = r.split(o, in[0])
	case *graph.Concat:
		one(r.concat(o, in))
	case *graph.Conv:
		one(r.conv(o, in[0]))
	default:
		return unsupported(n)
	}
	for k, v := range n.Outputs {
		r.values[v] = r.round(out[k])
	}
	return nil
}

func (r *Run) width(v graph.ValueID) int { return r.g.Values[v].Width }

func (r *Run) shape(id graph.ParamID) []int { return r.g.Params[id].Shape }

func (r *Run) embed(o *graph.Embed) []float64 {
	table, w := r.param(o.Table), r.shape(o.Table)[1]
	y := make([]float64, 0, r.batch.Tokens()*w)
	for _, id := range r.batch.ID {
		for _, x := range table[int(id)*w : (int(id)+1)*w] {
			y = append(y, o.Scale*x)
		}
	}
	return y
}

// matmul is x·wᵀ: x [rows, in], w [out, in].
func matmul(x, w []float64, in, out int) []float64 {
	rows := len(x) / in
	y := make([]float64, rows*out)
	for t := range rows {
		for o := range out {
			sum := 0.0
			for i := range in {
				sum += x[t*in+i] * w[o*in+i]
			}
			y[t*out+o] = sum
		}
	}
	return y
}

func (r *Run) linear(o *graph.Linear, x []float64) []float64 {
	out, in := r.shape(o.Weight)[0], r.shape(o.Weight)[1]
	y := matmul(x, r.param(o.Weight), in, out)
	addRow(y, r.param(o.Bias), 1)
	a := diff.Active(o, r.o.Adapter)
	if a == nil {
		return y
	}
	h := matmul(r.dropped(a, o.Module, x, in), r.param(a.A), in, a.Rank)
	update := matmul(h, r.param(a.B), a.Rank, out)
	addRow(update, r.param(a.Bias), 1)
	for i := range y {
		y[i] += a.Scaling() * update[i]
	}
	return y
}

// addRow adds factor times a row, which may be nil, to each row of y.
func addRow(y, row []float64, factor float64) {
	for i := range y {
		if row != nil {
			y[i] += factor * row[i%len(row)]
		}
	}
}

// dropped is dropout(x), or x outside of training.
func (r *Run) dropped(a *graph.Adapter, module string, x []float64, width int) []float64 {
	if !r.o.Training || a.Dropout == 0 {
		return x
	}
	y := make([]float64, len(x))
	key := dropout.NewKey(r.o.Seed, r.o.Step, module)
	multipliers := make([]float32, width)
	for t := range r.batch.Tokens() {
		dropout.Row(key, r.batch.Sample[t], r.batch.Position[t], a.Dropout, multipliers)
		for i, m := range multipliers {
			if m != 0 {
				y[t*width+i] = x[t*width+i] / (1 - a.Dropout)
			}
		}
	}
	return y
}

// A normRow is what a norm does to one group of a row.
type normRow struct {
	hat []float64 // x̂
	inv float64   // 1/√(variance + ε)
}

func normalise(x []float64, centre bool, epsilon float64) normRow {
	n := float64(len(x))
	mean := 0.0
	if centre {
		for _, v := range x {
			mean += v / n
		}
	}
	variance := 0.0
	for _, v := range x {
		variance += (v - mean) * (v - mean) / n
	}
	row := normRow{hat: make([]float64, len(x)), inv: 1 / math.Sqrt(variance+epsilon)}
	for i, v := range x {
		row.hat[i] = (v - mean) * row.inv
	}
	return row
}

// normWeight is the factor of column c of a row: 1 without a weight.
func (r *Run) normWeight(o *graph.Norm, c int) float64 {
	w := r.param(o.Weight)
	if w == nil {
		return 1
	}
	if o.PlusOne {
		return 1 + w[c%len(w)]
	}
	return w[c%len(w)]
}

func (r *Run) norm(o *graph.Norm, x []float64, width int) []float64 {
	y := make([]float64, len(x))
	b := r.param(o.Bias)
	size := width / o.Groups
	for at := 0; at < len(x); at += size {
		row := normalise(x[at:at+size], o.Centre, o.Epsilon)
		for i, hat := range row.hat {
			c := at%width + i
			y[at+i] = hat * r.normWeight(o, c)
			if b != nil {
				y[at+i] += b[c%len(b)]
			}
		}
	}
	return y
}

// rope rotates x by sign times the angles: −1 is the reverse rotation, which is
// the derivative.
func (r *Run) rope(o *graph.RoPE, x []float64, width int, sign float64) []float64 {
	y := append([]float64(nil), x...)
	head := width / o.Heads
	half := len(o.Freq)
	for t := range r.batch.Tokens() {
		for h := range o.Heads {
			base := t*width + h*head + o.Offset
			for i, f := range o.Freq {
				a, b := base+i, base+i+half
				if o.Interleaved {
					a, b = base+2*i, base+2*i+1
				}
				angle := float64(float32(r.batch.Position[t]) * f)
				cos, sin := math.Cos(angle)*float64(o.Factor), sign*math.Sin(angle)*float64(o.Factor)
				y[a], y[b] = x[a]*cos-x[b]*sin, x[b]*cos+x[a]*sin
			}
		}
	}
	return y
}

// An attentionRow is the attention of one token and head: the tokens that it
// sees, its raw scores and their probabilities.
type attentionRow struct {
	first  int       // the first token that it may see
	seen   []bool    // from first to the token itself
	scores []float64 // before the cap
	p      []float64
	sink   float64 // probability of the sink
}

func (r *Run) attend(o *graph.Attention, q, k []float64, t, h int) attentionRow {
	kv := h * o.KVHeads / o.Heads
	row := attentionRow{first: int(r.batch.DocStart[t])}
	largest := math.Inf(-1)
	sinks := r.param(o.Sinks)
	if sinks != nil {
		largest = sinks[h]
	}
	var capped []float64
	for j := row.first; j <= t; j++ {
		pi, pj := int(r.batch.Position[t]), int(r.batch.Position[j])
		seen := (o.Window == 0 || pj > pi-o.Window) && (o.Chunk == 0 || pi/o.Chunk == pj/o.Chunk)
		s := 0.0
		for c := range o.KeyWidth {
			s += q[(t*o.Heads+h)*o.KeyWidth+c] * k[(j*o.KVHeads+kv)*o.KeyWidth+c]
		}
		s *= o.Scale
		row.seen, row.scores = append(row.seen, seen), append(row.scores, s)
		if o.Cap > 0 {
			s = o.Cap * math.Tanh(s/o.Cap)
		}
		capped = append(capped, s)
		if seen {
			largest = math.Max(largest, s)
		}
	}
	total := 0.0
	if sinks != nil {
		row.sink = math.Exp(sinks[h] - largest)
		total = row.sink
	}
	row.p = make([]float64, len(capped))
	for j, s := range capped {
		if row.seen[j] {
			row.p[j] = math.Exp(s - largest)
			total += row.p[j]
		}
	}
	for j := range row.p {
		row.p[j] /= total
	}
	row.sink /= total
	return row
}

func (r *Run) attention(o *graph.Attention, q, k, v []float64) []float64 {
	tokens := r.batch.Tokens()
	y := make([]float64, tokens*o.Heads*o.ValueWidth)
	for t := range tokens {
		for h := range o.Heads {
			row := r.attend(o, q, k, t, h)
			kv := h * o.KVHeads / o.Heads
			for j, p := range row.p {
				for c := range o.ValueWidth {
					y[(t*o.Heads+h)*o.ValueWidth+c] += p * v[((row.first+j)*o.KVHeads+kv)*o.ValueWidth+c]
				}
			}
		}
	}
	return y
}

// mapArg is the value of argument a of a map at token t, column c.
func (r *Run) mapArg(o *graph.Map, n *graph.Node, a graph.MapArg, t, c int) float64 {
	if a.Param != graph.NoParam {
		p := r.param(a.Param)
		if len(p) == 1 {
			return p[0]
		}
		return p[c]
	}
	w := r.width(n.Inputs[a.Input])
	return r.values[n.Inputs[a.Input]][t*w+c*w/o.Width]
}

// eachElement runs a program at every element of a map's output.
func (r *Run) eachElement(o *graph.Map, n *graph.Node, p *expr.Program, f func(t, c int, registers []float64)) {
	args := make([]float64, len(o.Args))
	registers := make([]float64, len(p.Instrs))
	for t := range r.batch.Tokens() {
		for c := range o.Width {
			for i, a := range o.Args {
				args[i] = r.mapArg(o, n, a, t, c)
			}
			p.Eval(args, float64(r.batch.Position[t]), registers)
			f(t, c, registers)
		}
	}
}

func (r *Run) mapForward(o *graph.Map, n *graph.Node) ([]float64, error) {
	e, err := o.Parse()
	if err != nil {
		return nil, fmt.Errorf("interp: node %q: %w", n.Name, err)
	}
	p := expr.Compile(e.Root)
	y := make([]float64, r.batch.Tokens()*o.Width)
	r.eachElement(o, n, p, func(t, c int, registers []float64) { y[t*o.Width+c] = registers[p.Outputs[0]] })
	return y, nil
}

func (r *Run) split(o *graph.Split, x []float64) [][]float64 {
	out := make([][]float64, len(o.Sizes))
	for at := 0; at < len(x); {
		for i, size := range o.Sizes {
			out[i] = append(out[i], x[at:at+size]...)
			at += size
		}
	}
	return out
}

func (r *Run) concat(o *graph.Concat, in [][]float64) []float64 {
	var y []float64
	for t := range r.batch.Tokens() {
		for g := range o.Groups {
			for i, size := range o.Widths {
				at := (t*o.Groups + g) * size
				if o.Repeat[i] {
					at = t * size
				}
				y = append(y, in[i][at:at+size]...)
			}
		}
	}
	return y
}

func (r *Run) conv(o *graph.Conv, x []float64) []float64 {
	w, b := r.param(o.Weight), r.param(o.Bias)
	width := r.shape(o.Weight)[0]
	y := make([]float64, len(x))
	for t := range r.batch.Tokens() {
		for c := range width {
			for d := 0; d < o.Kernel && d <= int(r.batch.Position[t]); d++ {
				y[t*width+c] += w[c*o.Kernel+o.Kernel-1-d] * x[(t-d)*width+c]
			}
		}
	}
	addRow(y, b, 1)
	return y
}
