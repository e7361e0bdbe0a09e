package principal

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Parts are the largest singular values of a matrix M, falling, and their vectors:
// M ≈ Σ Values[j] · Left[j] · Right[j]ᵀ. Of the two signs that a pair of vectors can have
// it has the one with which the largest element of the right one is positive.
type Parts struct {
	Values []float64
	Left   []float32 // [values, rows]
	Right  []float32 // [values, columns]
}

const (
	// small are the rows or columns of which all are taken: it costs little.
	small = 64
	// rounds is the most that are done: matrices whose singular values hardly fall need
	// more, and gain nothing by them.
	rounds = 40
	// settled is by how much a round's growth of what the wanted singular values hold,
	// in squares, may be left undone: a part of what the spare ones hold, which is less
	// than what M less its principal part holds.
	settled = 1e-4
	// rounding is the growth that float32 products show by themselves, as a part of the
	// whole.
	rounding = 1e-8
)

// Decompose finds the rank largest singular values of m and their vectors; fewer where m
// has fewer rows or columns. Beyond the rank of m both are zero.
func Decompose(m Matrix, rank int) Parts {
	rows, columns := m.Shape()
	rank = min(rank, rows, columns)
	n := min(rows, columns)
	if n > small {
		n = min(n, 2*rank+16)
	}
	all := n == rows || n == columns
	left, right := make([]float32, n*rows), make([]float32, n*columns)
	random := rand.New(rand.NewPCG(2024, 0))
	for i := range right {
		right[i] = float32(random.NormFloat64())
	}
	var values, turns []float64
	for round, before := 0, 0.0; ; round++ {
		// right = lower·(orthonormal rows), and Mᵀ·left = right: the singular values of
		// lower are those of M between left and right.
		m.Multiply(left, right, n)
		orthonormalise(left, rows)
		m.MultiplyTransposed(right, left, n)
		lower := orthonormalise(right, columns)
		values, turns = rotate(lower, n)
		wanted, spare := squares(values[:rank]), squares(values[rank:])
		if all || round == rounds || round > 0 && wanted-before <= settled*spare+rounding*wanted {
			s := subspace{n: n, left: left, right: right, lower: lower, turns: turns}
			return s.parts(values[:rank], rows, columns)
		}
		before = wanted
	}
}

// A subspace is what the last round left: n orthonormal vectors on each side, between
// which M is lower, and the turns that make lower's rows orthogonal.
type subspace struct {
	n            int
	left, right  []float32
	lower, turns []float64
}

// parts are the vectors of the values, the largest that rotate found.
func (s subspace) parts(values []float64, rows, columns int) Parts {
	rank, n := len(values), s.n
	// Row j of turns·lower is values[j] times the j-th right vector, in terms of right's.
	coordinates := make([]float64, rank*n)
	for j := range rank {
		for k := range n {
			sum := 0.0
			for i := k; i < n; i++ { // lower is 0 above its diagonal
				sum += s.turns[j*n+i] * s.lower[i*n+k]
			}
			if values[j] > 0 {
				coordinates[j*n+k] = sum / values[j]
			}
		}
	}
	p := Parts{Values: values, Left: combine(s.turns, s.left, rank, n, rows), Right: combine(coordinates, s.right, rank, n, columns)}
	for j := range rank {
		u, v := p.Left[j*rows:(j+1)*rows], p.Right[j*columns:(j+1)*columns]
		if values[j] == 0 {
			clear(u)
			clear(v)
		}
		if low, high := slices.Min(v), slices.Max(v); -low > high {
			negate(u)
			negate(v)
		}
	}
	return p
}

func negate(v []float32) {
	for i, x := range v {
		v[i] = 0 - x
	}
}

func squares(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v * v
	}
	return sum
}

// combine gives rank sums of n vectors, by coefficients [≥ rank, n].
func combine(coefficients []float64, vectors []float32, rank, n, width int) []float32 {
	out := make([]float32, rank*width)
	parallel(rank, func(j int) {
		sums := make([]float64, width)
		for k := range n {
			c := coefficients[j*n+k]
			if c == 0 {
				continue
			}
			for i, v := range vectors[k*width : (k+1)*width] {
				sums[i] += c * float64(v)
			}
		}
		for i, s := range sums {
			out[j*width+i] = float32(s)
		}
	})
	return out
}

// orthonormalise makes the rows of x, of the width given, orthonormal, by the modified
// way of Gram and Schmidt, twice, and returns the lower triangle with which they multiply
// to what x was. A row that the ones before hold already becomes zero.
func orthonormalise(x []float32, width int) (lower []float64) {
	n := len(x) / width
	first := projected(x, width, 0)
	// What the first time left is as good as orthogonal, unless it was nothing but
	// rounding.
	second := projected(x, width, 0.5)
	lower = make([]float64, n*n)
	for i := range n {
		for k := range i + 1 {
			sum := 0.0
			for j := k; j <= i; j++ {
				sum += first[i*n+j] * second[j*n+k]
			}
			lower[i*n+k] = sum
		}
	}
	return lower
}

// projected does it once. Rows of which no more than least is left become zero.
func projected(x []float32, width int, least float64) (lower []float64) {
	n := len(x) / width
	lower = make([]float64, n*n)
	for k := range n {
		row := x[k*width : (k+1)*width]
		length := math.Sqrt(dot(row, row))
		if length <= least {
			clear(row)
			continue
		}
		lower[k*n+k] = length
		for i, v := range row {
			row[i] = float32(float64(v) / length)
		}
		parallel(n-k-1, func(i int) {
			i += k + 1
			other := x[i*width : (i+1)*width]
			d := dot(row, other)
			lower[i*n+k] = d
			f := float32(d)
			for j, v := range row {
				other[j] -= f * v
			}
		})
	}
	return lower
}

// dot adds in float64, in four sums that do not wait for each other.
func dot(a, b []float32) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += float64(a[i]) * float64(b[i])
		s1 += float64(a[i+1]) * float64(b[i+1])
		s2 += float64(a[i+2]) * float64(b[i+2])
		s3 += float64(a[i+3]) * float64(b[i+3])
	}
	for ; i < len(a); i++ {
		s0 += float64(a[i]) * float64(b[i])
	}
	return (s0 + s1) + (s2 + s3)
}
