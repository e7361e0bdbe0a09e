package interp

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

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
	size := width / o.Groups
	for at := 0; at < len(x); at += size {
		row := normalise(x[at:at+size], o.Centre, o.Epsilon)
		for i, hat := range row.hat {
			y[at+i] = hat * r.normWeight(o, at%width+i)
		}
	}
	addRow(y, r.param(o.Bias))
	return y
}

// normBackward, with g = dy·w and means over a group:
//
//	dx = (g − x̂·mean(g·x̂) − mean(g) [layer norm alone]) / √(variance + ε)
//	dw = Σ dy·x̂;  db = Σ dy
func (r *Run) normBackward(o *graph.Norm, x, dy []float64, width int, g *grads) {
	size := width / o.Groups
	direct, spread, centre := make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x))
	weight := make([]float64, len(x))
	for at := 0; at < len(x); at += size {
		row := normalise(x[at:at+size], o.Centre, o.Epsilon)
		mean, product := 0.0, 0.0
		for i, hat := range row.hat {
			gi := dy[at+i] * r.normWeight(o, at%width+i)
			mean += gi / float64(size)
			product += gi * hat / float64(size)
		}
		for i, hat := range row.hat {
			direct[at+i] = row.inv * dy[at+i] * r.normWeight(o, at%width+i)
			spread[at+i] = -row.inv * hat * product
			centre[at+i] = -row.inv * mean
			weight[at+i] = dy[at+i] * hat
		}
	}
	g.input("x", 0, direct)
	g.input("x by the spread", 0, spread)
	if o.Centre {
		g.input("x by the mean", 0, centre)
	}
	if o.Weight != graph.NoParam {
		g.param("weight", o.Weight, columnSums(weight, len(r.param(o.Weight))))
	}
	if o.Bias != graph.NoParam {
		g.param("bias", o.Bias, columnSums(dy, len(r.param(o.Bias))))
	}
}
