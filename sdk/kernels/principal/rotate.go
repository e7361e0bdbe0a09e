package principal

import (
	"cmp"
	"math"
	"slices"
)

// sweeps is more than any matrix needs: they converge quadratically.
const sweeps = 30

// rotate finds the singular values of a square matrix [n, n], falling, and the turns, an
// orthogonal matrix [n, n], with which its rows multiply to rows that are orthogonal:
// row j of turns·a has the length values[j]. It is the one-sided way of Jacobi, which
// finds small singular values as exactly as large ones.
func rotate(a []float64, n int) (values, turns []float64) {
	w, t := slices.Clone(a), make([]float64, n*n)
	for i := range n {
		t[i*n+i] = 1
	}
	for range sweeps {
		turned := false
		for p := range n {
			for q := p + 1; q < n; q++ {
				x, y := w[p*n:(p+1)*n], w[q*n:(q+1)*n]
				var xx, yy, xy float64
				for i, v := range x {
					xx, yy, xy = xx+v*v, yy+y[i]*y[i], xy+v*y[i]
				}
				if math.Abs(xy) <= 1e-14*math.Sqrt(xx)*math.Sqrt(yy) {
					continue
				}
				turned = true
				zeta := (yy - xx) / (2 * xy)
				tangent := math.Copysign(1/(math.Abs(zeta)+math.Hypot(1, zeta)), zeta)
				cosine := 1 / math.Hypot(1, tangent)
				turn(x, y, cosine, cosine*tangent)
				turn(t[p*n:(p+1)*n], t[q*n:(q+1)*n], cosine, cosine*tangent)
			}
		}
		if !turned {
			break
		}
	}
	lengths, order := make([]float64, n), make([]int, n)
	for i := range n {
		order[i], lengths[i] = i, math.Sqrt(squares(w[i*n:(i+1)*n]))
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(lengths[j], lengths[i]) })
	for _, i := range order {
		values = append(values, lengths[i])
		turns = append(turns, t[i*n:(i+1)*n]...)
	}
	return values, turns
}

// turn is a rotation of two rows.
func turn(x, y []float64, cosine, sine float64) {
	for i, v := range x {
		x[i], y[i] = cosine*v-sine*y[i], sine*v+cosine*y[i]
	}
}
