// Package principal finds the principal part of a matrix, its largest singular values
// and their vectors, with which PiSSA's adapters begin (Meng et al., 2024). A backend
// that trains adapters with a [graph.Start] calls [Factors] as it loads.
//
// # How
//
// By subspace iteration from a random start, with more vectors than are asked for
// (Halko, Martinsson and Tropp, 2011): vectors are multiplied by M·Mᵀ and made orthonormal
// again, until the squares of the singular values that they see no longer grow: those of
// the small matrix that M is among them, which gonum finds. All that M is asked
// for are products with a few dozen vectors, which a backend has at hand for the weights
// as it holds them, and makes fast: see [Matrix]. Where the vectors are as many as M has
// rows or columns, as with small matrices, the result is exact but for rounding, after one
// round.
//
// Nothing depends on the number of threads, or on chance: the random start has a seed of
// its own. Other machines and other backends round otherwise, so what was found is part of
// a checkpoint.
package principal

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

// A Matrix is known by its products. A vector is a row in memory.
type Matrix interface {
	// Shape is its rows and columns.
	Shape() (rows, columns int)
	// Multiply puts M·x for each of n vectors x, [n, columns], into y, [n, rows].
	Multiply(y, x []float32, n int)
	// MultiplyTransposed puts Mᵀ·x for each of n vectors x, [n, rows], into y,
	// [n, columns].
	MultiplyTransposed(y, x []float32, n int)
}

// Linears are the linears of g whose adapters begin with the principal part of their
// weight; of several that share an adapter, one.
func Linears(g *graph.Graph) []*graph.Linear {
	var out []*graph.Linear
	seen := map[graph.ParamID]bool{}
	for _, n := range g.Nodes {
		o, ok := n.Op.(*graph.Linear)
		if !ok || o.Adapter == nil || o.Adapter.Start == nil || seen[o.Adapter.A] || g.Params[o.Adapter.A].Init != graph.InitPrincipal {
			continue
		}
		seen[o.Adapter.A] = true
		out = append(out, o)
	}
	return out
}

// Factors are what A [rank, in] and B [out, rank] of an adapter on the weight m begin
// with: √(S/s)·Vᵀ and U·√(S/s), S being m's largest singular values and s the adapter's
// scaling, so that s·B·A is m cut to them. Ranks beyond the rank of m are zero; no
// gradient moves them, as in PEFT.
func Factors(a *graph.Adapter, m Matrix) (down, up []float32) {
	rows, columns := m.Shape()
	d := Decompose(m, a.Rank)
	down, up = make([]float32, a.Rank*columns), make([]float32, rows*a.Rank)
	for j, value := range d.Values {
		root := math.Sqrt(value / a.Scaling())
		for i, v := range d.Right[j*columns : (j+1)*columns] {
			down[j*columns+i] = float32(root * float64(v))
		}
		for i, u := range d.Left[j*rows : (j+1)*rows] {
			up[i*a.Rank+j] = float32(root * float64(u))
		}
	}
	return down, up
}
