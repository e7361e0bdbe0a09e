package sampling_test

import (
	"math"
	"testing"

	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/sampling"
)

// logits of probabilities 0.1, 0.4, 0.2, 0.3 at temperature 1.
func logits() []float32 {
	var out []float32
	for _, p := range []float64{0.1, 0.4, 0.2, 0.3} {
		out = append(out, float32(math.Log(p)+5))
	}
	return out
}

func TestChoose(t *testing.T) {
	power := func(e float64) (out [4]float64) {
		sum := 0.0
		for i, p := range []float64{0.1, 0.4, 0.2, 0.3} {
			out[i] = math.Pow(p, e)
			sum += out[i]
		}
		for i := range out {
			out[i] /= sum
		}
		return out
	}
	tests := map[string]struct {
		req  kernels.GenerateRequest
		want [4]float64
	}{
		"temperature 0":    {kernels.GenerateRequest{}, [4]float64{0, 1, 0, 0}},
		"temperature 1":    {kernels.GenerateRequest{Temperature: 1}, power(1)},
		"temperature half": {kernels.GenerateRequest{Temperature: 0.5}, power(2)},
		"top k":            {kernels.GenerateRequest{Temperature: 1, TopK: 2}, [4]float64{0, 4.0 / 7, 0, 3.0 / 7}},
		"top p":            {kernels.GenerateRequest{Temperature: 1, TopP: 0.75}, [4]float64{0, 4.0 / 9, 2.0 / 9, 3.0 / 9}},
		"top k, then p":    {kernels.GenerateRequest{Temperature: 1, TopK: 2, TopP: 0.5}, [4]float64{0, 1, 0, 0}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			const draws = 20000
			var got [4]float64
			r := sampling.Random(&test.req, 3)
			for range draws {
				got[sampling.Choose(logits(), &test.req, r)] += 1.0 / draws
			}
			for i, p := range test.want {
				if math.Abs(got[i]-p) > 0.015 || p == 0 && got[i] > 0 {
					t.Errorf("token %d in %.4f of the draws, want %.4f", i, got[i], p)
				}
			}
		})
	}
}

func TestTiesGoToTheLowerID(t *testing.T) {
	if id := sampling.Choose([]float32{1, 3, 3}, &kernels.GenerateRequest{}, nil); id != 1 {
		t.Errorf("token %d", id)
	}
}

func TestRandomGoesBySeedAndSequence(t *testing.T) {
	draw := func(seed uint64, sequence int) uint64 {
		return sampling.Random(&kernels.GenerateRequest{Seed: seed}, sequence).Uint64()
	}
	first, again := draw(1, 2), draw(1, 2)
	if first != again || first == draw(2, 2) || first == draw(1, 3) {
		t.Error("the draws do not depend on seed and sequence")
	}
}

func TestLogProb(t *testing.T) {
	for i, p := range []float64{0.1, 0.4, 0.2, 0.3} {
		if got := sampling.LogProb(logits(), int32(i)); math.Abs(got-math.Log(p)) > 1e-6 {
			t.Errorf("token %d: %v, want %v", i, got, math.Log(p))
		}
	}
}
