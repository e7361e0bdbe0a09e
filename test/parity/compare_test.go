package parity

import (
	"math"
	"testing"

	kit "github.com/honeml/hone/sdk/plugintest/golden"
)

// The tolerances.
const (
	// logitsTolerance is on the distance of logits, and of log-probabilities, as a
	// part of their norm.
	logitsTolerance = 1e-4
	// exactTolerance is on the same where the weights are the same to the bit, or one
	// side computes in float64.
	exactTolerance    = 1e-5
	lossTolerance     = 1e-4 // of each step's loss, relatively
	gradNormTolerance = 1e-3 // of each step's gradient norm, relatively
	gradientTolerance = 1e-3 // of each gradient's norm
	trainedTolerance  = 1e-3 // of each trained parameter's norm
)

// within fails the test unless got is within the tolerance of want.
func within[G, W float32 | float64](t *testing.T, what string, got []G, want []W, tolerance float64) {
	t.Helper()
	if err := kit.Within(what, got, want, tolerance); err != nil {
		t.Error(err)
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
