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
	// rounds is the most that are done before the last one: matrices whose singular values
	// hardly fall need more, and gain nothing by them.
	rounds = 40
	// settled is by how much a round's growth of what the wanted singular values hold,
	// in squares, may be left undone: a part of what the spare ones hold, which is less
	// than what M less its principal part holds.
	settled = 1e-4
	// rounding is the growth that float32 products show by themselves, as a part of the
	// whole.
	rounding = 1e-8
)

// Vectors is how many vectors a matrix [rows, columns] is multiplied by at a time to find
// so many of its singular values.
func Vectors(rows, columns, rank int) int {
	n := min(rows, columns)
	if n <= small {
		return n
	}
	rank = min(rank, n)
	return min(n, rank+min(rank, 32)+16)
}

// Decompose finds the rank largest singular values of m and their vectors; fewer where m
// has fewer rows or columns. Beyond the rank of m both are zero.
func Decompose(m Matrix, rank int) Parts {
	rows, columns := m.Shape()
	rank, n := min(rank, rows, columns), Vectors(rows, columns, rank)
	left, right := make([]float32, n*rows), make([]float32, n*columns)
	random := rand.New(rand.NewPCG(2024, 0))
	for i := range right {
		right[i] = float32(random.NormFloat64())
	}
	last := n == rows || n == columns
	for round, before := 1, 0.0; ; round++ {
		// Mᵀ·left = right = lower·(orthonormal rows): the singular values of lower are
		// those of M between the two.
		m.Multiply(left, right, n)
		orthonormalise(left, rows, last)
		m.MultiplyTransposed(right, left, n)
		lower := orthonormalise(right, columns, last)
		if last {
			return subspace{n: n, left: left, right: right}.parts(singular(lower, n, true), rank, rows, columns)
		}
		values := singular(lower, n, false).values
		wanted, spare := squares(values[:rank]), squares(values[rank:])
		last = round == rounds || round > 1 && !(wanted-before > settled*spare+rounding*wanted)
		before = wanted
	}
}

// A subspace is what the last round left: n orthonormal vectors on each side.
type subspace struct {
	n           int
	left, right []float32
}

// parts are the first of the singular values of the matrix that M is between the two sides.
func (s subspace) parts(m decomposition, rank, rows, columns int) Parts {
	p := Parts{Values: m.values[:rank], Left: combine(m.left, s.left, rank, s.n, rows), Right: combine(m.right, s.right, rank, s.n, columns)}
	for j, value := range p.Values {
		u, v := p.Left[j*rows:(j+1)*rows], p.Right[j*columns:(j+1)*columns]
		if value == 0 {
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
// way of Gram and Schmidt, and returns the lower triangle with which they multiply to what
// x was. Once is enough to go on with; exact rows take twice, and there rows that the ones
// before hold already become zero.
func orthonormalise(x []float32, width int, exact bool) (lower []float64) {
	lower = projected(x, width, 0)
	if !exact {
		return lower
	}
	// What the first time left is as good as orthogonal, unless it was nothing but
	// rounding.
	n := len(x) / width
	first, second := lower, projected(x, width, 0.5)
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

// projected does it once. Rows of which no more than a part of least is left become zero.
func projected(x []float32, width int, least float64) (lower []float64) {
	n := len(x) / width
	lower = make([]float64, n*n)
	lengths := make([]float64, n)
	// Rows have the length 1 while float32 adds their products.
	parallel(n, func(i int) { lengths[i] = normalise(x[i*width : (i+1)*width]) })
	for k := range n {
		row := x[k*width : (k+1)*width]
		left := normalise(row)
		if left <= least {
			clear(row)
			continue
		}
		lower[k*n+k] = left
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
	for i, l := range lengths {
		for k := range i + 1 {
			lower[i*n+k] *= l
		}
	}
	return lower
}

// normalise gives a vector the length 1, unless it is zero, and returns the one that it
// had.
func normalise(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return 0
	}
	length := math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) / length)
	}
	return length
}

// dot adds products in float32, a few at a time, and these sums in float64.
func dot(a, b []float32) float64 {
	const few = 64
	total := 0.0
	for len(a) >= few {
		x, y := (*[few]float32)(a), (*[few]float32)(b)
		var s0, s1, s2, s3, s4, s5, s6, s7 float32
		for i := 0; i < few; i += 8 {
			s0 += x[i] * y[i]
			s1 += x[i+1] * y[i+1]
			s2 += x[i+2] * y[i+2]
			s3 += x[i+3] * y[i+3]
			s4 += x[i+4] * y[i+4]
			s5 += x[i+5] * y[i+5]
			s6 += x[i+6] * y[i+6]
			s7 += x[i+7] * y[i+7]
		}
		total += float64(((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)))
		a, b = a[few:], b[few:]
	}
	for i, v := range a {
		total += float64(v) * float64(b[i])
	}
	return total
}
