package interp

import (
	"math"
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

func (r *Run) embed(o *graph.Embed) []float64 {
	table, w := r.table(o.Table, diff.ActiveRows(o, r.o.Adapter)), r.shape(o.Table)[1]
	y := make([]float64, 0, r.batch.Tokens()*w)
	for _, id := range r.batch.ID {
		for _, x := range table[int(id)*w : (int(id)+1)*w] {
			y = append(y, o.Scale*x)
		}
	}
	return y
}

func (r *Run) embedBackward(o *graph.Embed, dy []float64, g *grads) {
	w := r.shape(o.Table)[1]
	d := make([]float64, r.g.Params[o.Table].Elements())
	for t, id := range r.batch.ID {
		for c := range w {
			d[int(id)*w+c] += o.Scale * dy[t*w+c]
		}
	}
	g.table("table", o.Table, d, diff.ActiveRows(o, r.o.Adapter))
}

// table is a parameter with the rows that replace some of its own; rows may be nil.
func (r *Run) table(id graph.ParamID, rows *graph.TokenRows) []float64 {
	if rows == nil {
		return r.param(id)
	}
	w, own := r.shape(id)[1], r.param(rows.Values)
	out := slices.Clone(r.param(id))
	for k, row := range rows.IDs {
		copy(out[row*w:(row+1)*w], own[k*w:(k+1)*w])
	}
	return out
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

// splitAsConcat is the concat that undoes a split.
func splitAsConcat(o *graph.Split) *graph.Concat {
	return &graph.Concat{Groups: o.Groups, Widths: o.Sizes, Repeat: make([]bool, len(o.Sizes))}
}

func (r *Run) concat(o *graph.Concat, in [][]float64, rows int) []float64 {
	var y []float64
	for t := range rows {
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

// concatBackward cuts dy; the gradient of a repeated input is the sum over the
// groups.
func (r *Run) concatBackward(o *graph.Concat, dy []float64, g *grads) {
	parts := r.split(&graph.Split{Groups: o.Groups, Sizes: o.Widths}, dy)
	for i, d := range parts {
		if !o.Repeat[i] {
			g.input("x", i, d)
			continue
		}
		size := o.Widths[i]
		sum := make([]float64, len(d)/o.Groups)
		for at, v := range d {
			sum[at/(size*o.Groups)*size+at%size] += v
		}
		g.input("repeated x", i, sum)
	}
}

func (r *Run) conv(o *graph.Conv, x []float64) []float64 {
	w, width := r.param(o.Weight), r.shape(o.Weight)[0]
	y := make([]float64, len(x))
	for t := range r.batch.Tokens() {
		for c := range width {
			for d := 0; d < o.Kernel && d <= int(r.batch.Position[t]); d++ {
				y[t*width+c] += w[c*o.Kernel+o.Kernel-1-d] * x[(t-d)*width+c]
			}
		}
	}
	addRow(y, r.param(o.Bias))
	return y
}

// convBackward: dx[t−d] = Σ w[:, K−1−d]·dy[t];  dw[:, K−1−d] = Σ x[t−d]·dy[t];
// db = Σ dy.
func (r *Run) convBackward(o *graph.Conv, x, dy []float64, g *grads) {
	w, width := r.param(o.Weight), r.shape(o.Weight)[0]
	dx, dw := make([]float64, len(dy)), make([]float64, len(w))
	for t := range r.batch.Tokens() {
		for c := range width {
			for d := 0; d < o.Kernel && d <= int(r.batch.Position[t]); d++ {
				at, from := c*o.Kernel+o.Kernel-1-d, (t-d)*width+c
				dx[from] += w[at] * dy[t*width+c]
				if g.wants(o.Weight) {
					dw[at] += x[from] * dy[t*width+c]
				}
			}
		}
	}
	g.input("x", 0, dx)
	g.param("weight", o.Weight, dw)
	g.param("bias", o.Bias, columnSums(dy, width))
}
