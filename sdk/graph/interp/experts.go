package interp

import (
	"cmp"
	"math"
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// route gives the chosen experts and their weights, slots in the order of the
// choice.
func (r *Run) route(o *graph.Route, logits []float64) (indices, weights []float64) {
	for t := range r.batch.Tokens() {
		row := logits[t*o.Experts : (t+1)*o.Experts]
		chosen := choose(o, row, r.param(o.Bias))
		scores := chosenScores(o, row, chosen)
		total := scoreTotal(o, scores)
		for s, e := range chosen {
			indices = append(indices, float64(e))
			weights = append(weights, o.Factor*scores[s]/total)
		}
	}
	return indices, weights
}

// choose is the TopK experts by score and bias, best first.
func choose(o *graph.Route, logits, bias []float64) []int {
	standing := slices.Clone(logits)
	if !o.After {
		standing = scoresOf(o, logits)
	}
	for e := range bias {
		standing[e] += bias[e]
	}
	size := o.Experts / o.Groups
	groupScores := make([]float64, o.Groups)
	for g := range groupScores {
		group := standing[g*size : (g+1)*size]
		for _, e := range best(group, o.GroupTop) {
			groupScores[g] += group[e]
		}
	}
	kept := best(groupScores, o.Keep)
	for e := range standing {
		if !slices.Contains(kept, e/size) {
			standing[e] = math.Inf(-1)
		}
	}
	return best(standing, o.TopK)
}

// best are the indices of the n largest of x, the largest first, the lower index
// first among equals.
func best(x []float64, n int) []int {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(x[b], x[a]) })
	return order[:n]
}

// scoresOf is the softmax or the sigmoid of some logits.
func scoresOf(o *graph.Route, logits []float64) []float64 {
	out := make([]float64, len(logits))
	total := logSumExp(logits)
	for i, x := range logits {
		if o.Sigmoid {
			out[i] = 1 / (1 + math.Exp(-x))
		} else {
			out[i] = math.Exp(x - total)
		}
	}
	return out
}

// chosenScores are the scores of the chosen experts.
func chosenScores(o *graph.Route, logits []float64, chosen []int) []float64 {
	if o.After {
		return scoresOf(o, picked(logits, chosen))
	}
	return picked(scoresOf(o, logits), chosen)
}

func picked(x []float64, indices []int) []float64 {
	out := make([]float64, len(indices))
	for i, at := range indices {
		out[i] = x[at]
	}
	return out
}

// scoreTotal is what scores are divided by.
func scoreTotal(o *graph.Route, scores []float64) float64 {
	if !o.Normalise {
		return 1
	}
	total := o.NormEpsilon
	for _, s := range scores {
		total += s
	}
	return total
}

// routeBackward, with g the gradients of a token's weights w = f·s/Σ, the choice
// held fixed:
//
//	ds = f·g/Σ, less Σ g·w/Σ where Σ is the scores' sum
//	sigmoid: dx = ds·s·(1 − s);  softmax: dx = s·(ds − Σ ds·s), over what it is over
func (r *Run) routeBackward(o *graph.Route, logits, indices, dw []float64, g *grads) {
	d := make([]float64, len(logits))
	k := o.TopK
	for t := range r.batch.Tokens() {
		row, dRow := logits[t*o.Experts:(t+1)*o.Experts], d[t*o.Experts:(t+1)*o.Experts]
		chosen := make([]int, k)
		for s := range chosen {
			chosen[s] = int(indices[t*k+s])
		}
		scores := chosenScores(o, row, chosen)
		total := scoreTotal(o, scores)
		shared := 0.0 // through the sum
		if o.Normalise {
			for s := range chosen {
				shared += dw[t*k+s] * o.Factor * scores[s] / total / total
			}
		}
		ds, mean := make([]float64, k), 0.0
		for s := range chosen {
			ds[s] = o.Factor*dw[t*k+s]/total - shared
			mean += ds[s] * scores[s]
		}
		for s, e := range chosen {
			if o.Sigmoid {
				dRow[e] += ds[s] * scores[s] * (1 - scores[s])
			} else {
				dRow[e] += ds[s] * scores[s]
			}
		}
		switch {
		case o.Sigmoid:
		case o.After:
			for s, e := range chosen {
				dRow[e] -= scores[s] * mean
			}
		default:
			for e, p := range scoresOf(o, row) {
				dRow[e] -= p * mean
			}
		}
	}
	g.input("logits", 0, d)
	if graph.Balances(o) {
		g.input("balance", 0, r.balanceBackward(o, logits, indices))
	}
}

// A slot is what an expert linear does for one of a token's experts.
type slot struct {
	expert int
	row    int     // of the input: the token's or the slot's
	weight float64 // what the input is multiplied by
}

// slotsOf lists the slots of all tokens. weights is nil without WeighInput.
func slotsOf(indices, weights []float64, rows int) []slot {
	out := make([]slot, len(indices))
	for i, e := range indices {
		out[i] = slot{expert: int(e), row: i * rows / len(indices), weight: 1}
		if weights != nil {
			out[i].weight = weights[i]
		}
	}
	return out
}

// expert is matrix e of a stack [experts, rows, columns].
func expert(stack []float64, e, rows, columns int) []float64 {
	return stack[e*rows*columns : (e+1)*rows*columns]
}

// expertB is the B of expert e, [out, rank], of the adapter's [out, rank·experts].
func expertB(b []float64, e, experts, rank, out int) []float64 {
	y := make([]float64, 0, out*rank)
	for o := range out {
		for j := range rank {
			y = append(y, b[(o*rank+j)*experts+e])
		}
	}
	return y
}

// expertLinear gives y[t,s] = w·x·W[e]ᵀ + b[e] + s·(dropout(w·x)·A[e]ᵀ)·B[e]ᵀ. in
// is the node's inputs.
func (r *Run) expertLinear(o *graph.ExpertLinear, in [][]float64) []float64 {
	out, width := r.shape(o.Weight)[1], r.shape(o.Weight)[2]
	a := diff.Active(o, r.o.Adapter)
	x := in[0]
	dropped := x
	if a != nil {
		dropped = r.dropped(a, o.Module, x, width)
	}
	var y []float64
	for _, s := range slotsOf(in[1], weighing(in), len(x)/width) {
		row := scaled(x[s.row*width:(s.row+1)*width], s.weight)
		part := matmul(row, expert(r.param(o.Weight), s.expert, out, width), width, out)
		if o.Bias != graph.NoParam {
			addRow(part, expert(r.param(o.Bias), s.expert, 1, out))
		}
		if a != nil {
			h := matmul(scaled(dropped[s.row*width:(s.row+1)*width], s.weight), expert(r.param(a.A), s.expert, a.Rank, width), width, a.Rank)
			update := matmul(h, expertB(r.param(a.B), s.expert, o.Experts, a.Rank, out), a.Rank, out)
			part = added(part, scaled(update, a.Scaling()))
		}
		y = append(y, part...)
	}
	return y
}

// weighing is the input that holds weights, or nil.
func weighing(in [][]float64) []float64 {
	if len(in) < 3 {
		return nil
	}
	return in[2]
}

// expertLinearBackward is linearBackward slot by slot, with the matrices of the
// slot's expert; with WeighInput, x there being w·x here, dw = Σ dx·x and dx is
// multiplied by w.
func (r *Run) expertLinearBackward(o *graph.ExpertLinear, in [][]float64, dy []float64, rows int, g *grads) {
	b := &expertBackward{r: r, o: o, g: g, in: in, active: diff.Active(o, r.o.Adapter)}
	b.out, b.width = r.shape(o.Weight)[1], r.shape(o.Weight)[2]
	b.dx, b.dxAdapter = make([]float64, rows*b.width), make([]float64, rows*b.width)
	b.dWeights = make([]float64, len(in[1]))
	b.dW, b.dBias = make([]float64, r.g.Params[o.Weight].Elements()), make([]float64, o.Experts*b.out)
	if b.active != nil {
		b.dA, b.dB = make([]float64, o.Experts*b.active.Rank*b.width), make([]float64, o.Experts*b.active.Rank*b.out)
		if in[0] != nil {
			b.dropped = r.dropped(b.active, o.Module, in[0], b.width)
		}
	}
	for i, s := range slotsOf(in[1], weighing(in), rows) {
		b.slot(i, s, dy[i*b.out:(i+1)*b.out])
	}
	g.input("x", 0, b.dx)
	if b.active != nil {
		// Dropout is a diagonal matrix: its transpose is itself.
		g.input("x of the adapter", 0, r.dropped(b.active, o.Module, b.dxAdapter, b.width))
		g.param("A", b.active.A, b.dA)
		g.param("B", b.active.B, b.dB)
	}
	g.input("weights", 2, b.dWeights)
	g.param("weight", o.Weight, b.dW)
	g.param("bias", o.Bias, b.dBias)
}

// expertBackward sums up the gradients of an expert linear.
type expertBackward struct {
	r          *Run
	o          *graph.ExpertLinear
	g          *grads
	in         [][]float64
	active     *graph.Adapter
	out, width int
	dropped    []float64 // dropout(x)

	dx, dxAdapter       []float64 // the second before dropout
	dWeights, dW, dBias []float64
	dA, dB              []float64
}

func (b *expertBackward) slot(i int, s slot, dy []float64) {
	w := expert(b.r.param(b.o.Weight), s.expert, b.out, b.width)
	d := matmulInput(dy, w, b.width, b.out)
	accumulate(b.dx[s.row*b.width:], d, s.weight)
	accumulate(b.dBias[s.expert*b.out:], dy, 1)
	var x []float64
	if b.in[0] != nil {
		x = b.in[0][s.row*b.width : (s.row+1)*b.width]
	}
	if b.g.wants(b.o.Weight) {
		accumulate(expert(b.dW, s.expert, b.out, b.width), matmulWeight(dy, scaled(x, s.weight), b.width, b.out), 1)
	}
	if b.g.wantsInput(2) {
		b.dWeights[i] += dot(d, x)
	}
	if b.active != nil {
		b.adapter(i, s, scaled(dy, b.active.Scaling()))
	}
}

// adapter is the part of the adapter that is on; dy is scaled.
func (b *expertBackward) adapter(i int, s slot, dy []float64) {
	a := b.active
	rank := a.Rank
	weightA := expert(b.r.param(a.A), s.expert, rank, b.width)
	dh := matmulInput(dy, expertB(b.r.param(a.B), s.expert, b.o.Experts, rank, b.out), rank, b.out)
	d := matmulInput(dh, weightA, b.width, rank)
	accumulate(b.dxAdapter[s.row*b.width:], d, s.weight)
	if !b.g.wants(a.A) && !b.g.wants(a.B) && !b.g.wantsInput(2) {
		return
	}
	x := b.dropped[s.row*b.width : (s.row+1)*b.width]
	if b.g.wantsInput(2) {
		b.dWeights[i] += dot(d, x)
	}
	x = scaled(x, s.weight)
	accumulate(expert(b.dA, s.expert, rank, b.width), matmulWeight(dh, x, b.width, rank), 1)
	for at, v := range matmulWeight(dy, matmul(x, weightA, b.width, rank), rank, b.out) {
		b.dB[at*b.o.Experts+s.expert] += v
	}
}

// accumulate adds factor·d to the first elements of sum.
func accumulate(sum, d []float64, factor float64) {
	for i, v := range d {
		sum[i] += factor * v
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// combine sums the slots of each token; weights is nil for Plain.
func (r *Run) combine(x, weights []float64, slots, width int) []float64 {
	y := make([]float64, r.batch.Tokens()*width)
	for row := range len(x) / width {
		w := 1.0
		if weights != nil {
			w = weights[row]
		}
		accumulate(y[row/slots*width:], x[row*width:(row+1)*width], w)
	}
	return y
}

// combineBackward: dx[t,s] = w[t,s]·dy[t];  dw[t,s] = Σ dy[t]·x[t,s].
func (r *Run) combineBackward(o *graph.Combine, in [][]float64, dy []float64, slots, width int, g *grads) {
	rows := r.batch.Tokens() * slots
	dx, dw := make([]float64, rows*width), make([]float64, rows)
	for row := range rows {
		d := dy[row/slots*width : (row/slots+1)*width]
		if g.wantsInput(0) {
			w := 1.0
			if !o.Plain {
				w = in[1][row]
			}
			accumulate(dx[row*width:], d, w)
		}
		if g.wantsInput(1) {
			dw[row] = dot(d, in[0][row*width:(row+1)*width])
		}
	}
	g.input("x", 0, dx)
	g.input("weights", 1, dw)
}
