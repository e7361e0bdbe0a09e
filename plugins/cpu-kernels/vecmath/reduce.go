package vecmath

import "math"

// Long slices are reduced a piece at a time, and the pieces' sums added in float64, so
// that the error does not grow with the length.
const (
	sumPiece = 8192
	expPiece = 1024
)

// Sum is the sum of x; 0 for none.
func Sum(x []float32) float32 {
	if len(x) <= sumPiece {
		return active.sum(x)
	}
	total := 0.0
	for ; len(x) > sumPiece; x = x[sumPiece:] {
		total += float64(active.sum(x[:sumPiece]))
	}
	return float32(total + float64(active.sum(x)))
}

// Dot is the sum of a·b over the length of a; 0 for none.
func Dot(a, b []float32) float32 {
	b = b[:len(a)]
	if len(a) <= sumPiece {
		return active.dot(a, b)
	}
	total := 0.0
	for ; len(a) > sumPiece; a, b = a[sumPiece:], b[sumPiece:] {
		total += float64(active.dot(a[:sumPiece], b[:sumPiece]))
	}
	return float32(total + float64(active.dot(a, b)))
}

// Largest is the greatest element of x that is not NaN; −∞ for none.
func Largest(x []float32) float32 { return active.largest(x) }

// ExpSum sets dst to exp(x − shift) and returns the sum of that.
func ExpSum(dst, x []float32, shift float32) float64 {
	dst = dst[:len(x)]
	total := 0.0
	for len(x) > 0 {
		n := min(len(x), expPiece)
		total += float64(active.expSum(dst[:n], x[:n], shift))
		dst, x = dst[n:], x[n:]
	}
	return total
}

// Softmax sets dst to exp(x)/Σ exp(x) and returns the logarithm of that sum. Where all
// elements are −∞, dst is zeros and the logarithm −∞; a NaN makes all NaN.
func Softmax(dst, x []float32) float32 {
	shift := Largest(x)
	if math.IsInf(float64(shift), -1) {
		shift = 0 // an infinity less an infinity is NaN
	}
	total := ExpSum(dst, x, shift)
	if total == 0 {
		return float32(math.Inf(-1))
	}
	Scale(dst, dst[:len(x)], float32(1/total))
	return shift + float32(math.Log(total))
}
