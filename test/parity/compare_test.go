package parity

import (
	"math"
	"testing"
)

// The tolerances.
const (
	// logitsTolerance is on the distance of logits, and of log-probabilities, as a
	// part of their norm.
	logitsTolerance = 1e-4
	// exactTolerance is the same where float64 is compared with float32.
	exactTolerance    = 1e-5
	lossTolerance     = 1e-4 // of each step's loss, relatively
	gradNormTolerance = 1e-3 // of each step's gradient norm, relatively
	gradientTolerance = 1e-3 // of each gradient's norm
	trainedTolerance  = 1e-3 // of each trained parameter's norm
)

// apart is the distance of got from want as a part of want's norm.
func apart[G, W float32 | float64](got []G, want []W) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var difference, norm float64
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		difference += d * d
		norm += float64(w) * float64(w)
	}
	return math.Sqrt(difference / norm)
}

// within fails the test unless got is within the tolerance of want.
func within[G, W float32 | float64](t *testing.T, what string, got []G, want []W, tolerance float64) {
	t.Helper()
	// Not a number is not within.
	if d := apart(got, want); !(d <= tolerance) {
		t.Errorf("%s: %.2g of its norm apart, want at most %.0e (%d and %d numbers)", what, d, tolerance, len(got), len(want))
	}
}

// logSoftmax is a row of logits as log-probabilities.
func logSoftmax(row []float32) []float64 {
	largest := math.Inf(-1)
	for _, x := range row {
		largest = math.Max(largest, float64(x))
	}
	sum := 0.0
	for _, x := range row {
		sum += math.Exp(float64(x) - largest)
	}
	out := make([]float64, len(row))
	for i, x := range row {
		out[i] = float64(x) - largest - math.Log(sum)
	}
	return out
}
