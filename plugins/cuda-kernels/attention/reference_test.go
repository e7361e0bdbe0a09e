package attention

import (
	"math"
	"math/rand/v2"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/sdk/graph"
)

// A problem is attention of some rows, with numbers as they are held in a type, and
// what it gives in float64.
type problem struct {
	op         graph.Attention
	rows       int
	start, end []int32

	q, k, v, dy, sinks []float32

	y, logSum, dq, dk, dv, dsinks []float64
}

// newProblem draws a problem and solves it. Documents are up to `longest` rows.
func newProblem(op graph.Attention, t device.Type, rows, longest int) *problem {
	p := drawProblem(op, t, rows, longest)
	p.solve()
	return p
}

func drawProblem(op graph.Attention, t device.Type, rows, longest int) *problem {
	random := rand.New(rand.NewPCG(uint64(rows), uint64(longest)))
	lengths := []int{min(longest, rows)}
	for at := lengths[0]; at < rows; at += lengths[len(lengths)-1] {
		lengths = append(lengths, min(1+random.IntN(longest), rows-at))
	}
	return drawDocuments(op, t, random, lengths...)
}

// drawDocuments draws a problem with documents of these lengths.
func drawDocuments(op graph.Attention, t device.Type, random *rand.Rand, lengths ...int) *problem {
	p := &problem{op: op}
	for _, n := range lengths {
		start := int32(p.rows)
		p.rows += n
		for range n {
			p.start, p.end = append(p.start, start), append(p.end, int32(p.rows))
		}
	}
	rows := p.rows
	draw := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = devicetest.Round(t, float32(random.NormFloat64()))
		}
		return x
	}
	p.q, p.dy = draw(rows*op.Heads*op.KeyWidth), draw(rows*op.Heads*op.ValueWidth)
	p.k, p.v = draw(rows*op.KVHeads*op.KeyWidth), draw(rows*op.KVHeads*op.ValueWidth)
	for range op.Heads {
		p.sinks = append(p.sinks, float32(random.NormFloat64()))
	}
	return p
}

// sees reports whether the token at position i sees the one at position j ≤ i of
// its document: the definition in sdk/graph.
func sees(o *graph.Attention, i, j int) bool {
	return (o.Window == 0 || j > i-o.Window) && (o.Chunk == 0 || i/o.Chunk == j/o.Chunk)
}

// A softmax is one head's probabilities of the rows that a query sees.
type softmax struct {
	rows   []int
	p      []float64
	slope  []float64 // the cap's derivative
	logSum float64
}

// attend is the softmax of a query over rows [start, start+position] of keys.
func attend(o *graph.Attention, q, k []float32, sink float32, kv, start, position int) softmax {
	var s softmax
	var scores []float64
	for j := range position + 1 {
		if !sees(o, position, j) {
			continue
		}
		row := start + j
		score, slope := o.Scale*product(q, k[(row*o.KVHeads+kv)*o.KeyWidth:]), 1.0
		if o.Cap > 0 {
			t := math.Tanh(score / o.Cap)
			score, slope = o.Cap*t, 1-t*t
		}
		s.rows, s.slope, scores = append(s.rows, row), append(s.slope, slope), append(scores, score)
	}
	most, sum := math.Inf(-1), 0.0
	for _, x := range scores {
		most = max(most, x)
	}
	for _, x := range scores {
		sum += math.Exp(x - most)
	}
	if o.Sinks != graph.NoParam {
		sum += math.Exp(float64(sink) - most)
	}
	s.logSum = most + math.Log(sum)
	for _, x := range scores {
		s.p = append(s.p, math.Exp(x-s.logSum))
	}
	return s
}

func product(a, b []float32) float64 {
	sum := 0.0
	for i, x := range a {
		sum += float64(x) * float64(b[i])
	}
	return sum
}

func (p *problem) solve() {
	o := &p.op
	p.y, p.logSum = make([]float64, len(p.dy)), make([]float64, p.rows*o.Heads)
	p.dq, p.dk, p.dv = make([]float64, len(p.q)), make([]float64, len(p.k)), make([]float64, len(p.v))
	p.dsinks = make([]float64, o.Heads)
	for t := range p.rows {
		for h := range o.Heads {
			p.solveRow(t, h)
		}
	}
}

func (p *problem) solveRow(t, h int) {
	o := &p.op
	kv := h * o.KVHeads / o.Heads
	qa, ya := (t*o.Heads+h)*o.KeyWidth, (t*o.Heads+h)*o.ValueWidth
	dy := p.dy[ya : ya+o.ValueWidth]
	s := attend(o, p.q[qa:qa+o.KeyWidth], p.k, p.sinks[h], kv, int(p.start[t]), t-int(p.start[t]))
	p.logSum[h*p.rows+t] = s.logSum
	dp, delta := make([]float64, len(s.p)), 0.0
	for i, row := range s.rows {
		va := (row*o.KVHeads + kv) * o.ValueWidth
		for c, g := range dy {
			p.y[ya+c] += s.p[i] * float64(p.v[va+c])
			p.dv[va+c] += s.p[i] * float64(g)
		}
		dp[i] = product(dy, p.v[va:])
		delta += s.p[i] * dp[i]
	}
	p.dsinks[h] -= math.Exp(float64(p.sinks[h])-s.logSum) * delta
	for i, row := range s.rows {
		ds := o.Scale * s.p[i] * (dp[i] - delta) * s.slope[i]
		ka := (row*o.KVHeads + kv) * o.KeyWidth
		for c := range o.KeyWidth {
			p.dq[qa+c] += ds * float64(p.k[ka+c])
			p.dk[ka+c] += ds * float64(p.q[qa+c])
		}
	}
}
