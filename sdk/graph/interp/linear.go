package interp

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/dropout"
)

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

// addRow adds a row, which may be nil, to each row of y.
func addRow(y, row []float64) {
	for i := range y {
		if row != nil {
			y[i] += row[i%len(row)]
		}
	}
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

// linear is x·Wᵀ + b, and with its adapter s·((dropout(x)·Aᵀ)·Bᵀ + bias of B), less
// s·(x·A₀ᵀ)·B₀ᵀ of its start, or what DoRA adds.
func (r *Run) linear(o *graph.Linear, x []float64) []float64 {
	out, in := r.shape(o.Weight)[0], r.shape(o.Weight)[1]
	y := matmul(x, r.table(o.Weight, diff.ActiveRows(o, r.o.Adapter)), in, out)
	addRow(y, r.param(o.Bias))
	a := diff.Active(o, r.o.Adapter)
	if a == nil {
		return y
	}
	kept := r.dropped(a, o.Module, x, in)
	h := matmul(kept, r.param(a.A), in, a.Rank)
	update := matmul(h, r.param(a.B), a.Rank, out)
	if a.Magnitude != graph.NoParam {
		plain := matmul(kept, r.param(o.Weight), in, out)
		for i, ratio := range r.ratios(o, a) {
			for at := i; at < len(y); at += out {
				y[at] += (ratio-1)*plain[at] + ratio*a.Scaling()*update[at]
			}
		}
		return y
	}
	if a.Start != nil {
		start := matmul(matmul(x, r.param(a.Start.A), in, a.Rank), r.param(a.Start.B), a.Rank, out)
		update = added(update, scaled(start, -1))
	}
	addRow(update, r.param(a.Bias))
	return added(y, scaled(update, a.Scaling()))
}

// linearBackward, with s the adapter's scaling, x' = dropout(x) and the start's A₀ and B₀:
//
//	dX = dY·W + dropout(s·dY·B·A) − s·dY·B₀·A₀;  dW = dYᵀ·X;  db = Σ dY
//	dB = s·dYᵀ·(x'·Aᵀ);  dA = (s·dY·B)ᵀ·x';  d(bias of B) = s·Σ dY
func (r *Run) linearBackward(o *graph.Linear, x, dy []float64, g *grads) {
	out, in := r.shape(o.Weight)[0], r.shape(o.Weight)[1]
	rows := diff.ActiveRows(o, r.o.Adapter)
	g.input("x", 0, matmulInput(dy, r.table(o.Weight, rows), in, out))
	if g.wants(o.Weight) || rows != nil && g.wants(rows.Values) {
		g.table("weight", o.Weight, matmulWeight(dy, x, in, out), rows)
	}
	g.param("bias", o.Bias, columnSums(dy, out))
	a := diff.Active(o, r.o.Adapter)
	if a == nil {
		return
	}
	if a.Magnitude != graph.NoParam {
		dy = r.doraBackward(o, a, x, dy, g)
	}
	s := scaled(dy, a.Scaling())
	dh := matmulInput(s, r.param(a.B), a.Rank, out)
	g.input("x of the adapter", 0, r.dropped(a, o.Module, matmulInput(dh, r.param(a.A), in, a.Rank), in))
	if g.wants(a.A) || g.wants(a.B) {
		kept := r.dropped(a, o.Module, x, in)
		g.param("A", a.A, matmulWeight(dh, kept, in, a.Rank))
		g.param("B", a.B, matmulWeight(s, matmul(kept, r.param(a.A), in, a.Rank), a.Rank, out))
	}
	g.param("bias of B", a.Bias, columnSums(s, out))
	if a.Start != nil {
		down := matmulInput(scaled(s, -1), r.param(a.Start.B), a.Rank, out)
		g.input("x of the start", 0, matmulInput(down, r.param(a.Start.A), in, a.Rank))
	}
}

// rowNorms are the ‖W + s·B·A‖ of each row.
func (r *Run) rowNorms(o *graph.Linear, a *graph.Adapter) []float64 {
	if norms := r.norms[o]; norms != nil {
		return norms
	}
	out, in := r.shape(o.Weight)[0], r.shape(o.Weight)[1]
	w := added(r.param(o.Weight), scaled(matmulInput(r.param(a.B), r.param(a.A), in, a.Rank), a.Scaling()))
	norms := make([]float64, out)
	for i := range norms {
		for _, v := range w[i*in : (i+1)*in] {
			norms[i] += v * v
		}
		norms[i] = math.Sqrt(norms[i])
	}
	if r.norms != nil {
		r.norms[o] = norms
	}
	return norms
}

// ratios are DoRA's n = m/‖W + s·B·A‖ for each row, 1 for rows of zeros.
func (r *Run) ratios(o *graph.Linear, a *graph.Adapter) []float64 {
	ratios := make([]float64, r.shape(o.Weight)[0])
	for i, norm := range r.rowNorms(o, a) {
		ratios[i] = 1
		if norm > 0 {
			ratios[i] = r.param(a.Magnitude)[i] / norm
		}
	}
	return ratios
}

// doraBackward gives what DoRA adds to the gradients of a linear, norms taken as
// constants, and returns n∘dY, the gradient of a plain adapter in its place:
//
//	dX += dropout(((n − 1)∘dY)·W);  dW += ((n − 1)∘dY)ᵀ·x';  dm = Σ dY∘(x'·(W + s·B·A)ᵀ) / ‖W + s·B·A‖
func (r *Run) doraBackward(o *graph.Linear, a *graph.Adapter, x, dy []float64, g *grads) []float64 {
	out, in := r.shape(o.Weight)[0], r.shape(o.Weight)[1]
	kept, ratios := r.dropped(a, o.Module, x, in), r.ratios(o, a)
	dz, more := make([]float64, len(dy)), make([]float64, len(dy))
	for i, v := range dy {
		dz[i], more[i] = ratios[i%out]*v, (ratios[i%out]-1)*v
	}
	g.input("x of the magnitude", 0, r.dropped(a, o.Module, matmulInput(more, r.param(o.Weight), in, out), in))
	if g.wants(o.Weight) {
		g.param("weight under the magnitude", o.Weight, matmulWeight(more, kept, in, out))
	}
	if g.wants(a.Magnitude) {
		update := matmul(matmul(kept, r.param(a.A), in, a.Rank), r.param(a.B), a.Rank, out)
		product := added(matmul(kept, r.param(o.Weight), in, out), scaled(update, a.Scaling()))
		for i, v := range dy {
			product[i] *= v
		}
		dm := columnSums(product, out)
		for i, norm := range r.rowNorms(o, a) {
			if norm > 0 { // else the product is zero, too
				dm[i] /= norm
			}
		}
		g.param("magnitude", a.Magnitude, dm)
	}
	return dz
}

// dropped is dropout(x), or x outside of training. x has one row a token, or one
// a slot.
func (r *Run) dropped(a *graph.Adapter, module string, x []float64, width int) []float64 {
	if !r.o.Training || a.Dropout == 0 {
		return x
	}
	y := make([]float64, len(x))
	key := dropout.NewKey(r.o.Seed, r.o.Step, module)
	multipliers := make([]float32, width)
	rows := len(x) / width
	slots := rows / r.batch.Tokens()
	for row := range rows {
		t := row / slots
		dropout.SlotRow(key, r.batch.Sample[t], r.batch.Position[t], int32(row%slots), a.Dropout, multipliers)
		for i, m := range multipliers {
			if m != 0 { // 1/(1−p), here without float32's rounding
				y[row*width+i] = x[row*width+i] / (1 - a.Dropout)
			}
		}
	}
	return y
}
