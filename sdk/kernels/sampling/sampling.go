// Package sampling chooses the next token of a sequence from its logits, so that
// every backend answers a kernels.GenerateRequest alike. It computes no logits.
package sampling

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/honeml/hone/sdk/kernels"
)

// Random is the source of randomness of the sequence with that index: the draws
// depend on the request's seed and the index alone.
func Random(req *kernels.GenerateRequest, sequence int) *rand.Rand {
	return rand.New(rand.NewPCG(req.Seed, uint64(sequence)))
}

// Choose draws a token from its logits [vocabulary]: the largest at temperature 0,
// ties to the lower id; else from the softmax of logits/temperature over the top k,
// of these the most probable whose probabilities add up to top p.
func Choose(logits []float32, req *kernels.GenerateRequest, r *rand.Rand) int32 {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	if req.Temperature == 0 {
		return int32(best)
	}
	order := make([]int32, len(logits))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(logits[b], logits[a]) })
	if req.TopK > 0 {
		order = order[:min(req.TopK, len(order))]
	}
	probabilities := make([]float64, len(order))
	total := 0.0
	for i, id := range order {
		probabilities[i] = math.Exp(float64(logits[id]-logits[best]) / req.Temperature)
		total += probabilities[i]
	}
	if req.TopP > 0 && req.TopP < 1 {
		sum, keep := 0.0, 0
		for keep < len(order) && sum < req.TopP*total {
			sum += probabilities[keep]
			keep++
		}
		order, probabilities, total = order[:keep], probabilities[:keep], sum
	}
	at := r.Float64() * total
	for i, p := range probabilities {
		if at -= p; at < 0 {
			return order[i]
		}
	}
	return order[len(order)-1]
}

// LogProb is the log-probability of a token under the softmax of logits.
func LogProb(logits []float32, id int32) float64 {
	largest := slices.Max(logits)
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - float64(largest))
	}
	return float64(logits[id]) - float64(largest) - math.Log(sum)
}
