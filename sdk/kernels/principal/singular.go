package principal

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// A decomposition is the singular values of a square matrix [n, n], falling, and their
// vectors, one behind the other.
type decomposition struct {
	values      []float64
	left, right []float64 // [n, n], where they are asked for
}

// nothing is what a singular value may be of the largest, for each of n, and yet be
// nothing but rounding.
const nothing = 1e-15

// singular decomposes a matrix, with its vectors where they are asked for. Of one that has
// numbers that are not finite all values are NaN.
func singular(a []float64, n int, vectors bool) decomposition {
	d, kind := decomposition{values: make([]float64, n)}, mat.SVDNone
	if vectors {
		d.left, d.right, kind = make([]float64, n*n), make([]float64, n*n), mat.SVDFull
	}
	var svd mat.SVD
	if slices.ContainsFunc(a, func(x float64) bool { return x-x != 0 }) || !svd.Factorize(mat.NewDense(n, n, slices.Clone(a)), kind) {
		for i := range d.values {
			d.values[i] = math.NaN()
		}
		return d
	}
	svd.Values(d.values)
	for i, v := range d.values {
		if v <= nothing*float64(n)*d.values[0] {
			d.values[i] = 0
		}
	}
	if vectors {
		var u, v mat.Dense
		svd.UTo(&u)
		svd.VTo(&v)
		mat.NewDense(n, n, d.left).Copy(u.T())
		mat.NewDense(n, n, d.right).Copy(v.T())
	}
	return d
}
