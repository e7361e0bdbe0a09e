package train

import "math"

// A Schedule gives each step its learning rate: a linear warm-up, then constant,
// linear to zero, or half a cosine to zero (Loshchilov and Hutter, 2017).
type Schedule struct {
	Kind   string // "constant", "linear", "cosine"
	Rate   float64
	Warmup int64 // steps; the rate of step s ≤ Warmup is Rate·s/Warmup
	Total  int64 // steps of the run
}

// WarmupSteps is the number of warm-up steps that a run file's warmup means:
// below 1 a fraction of the steps, else steps.
func WarmupSteps(warmup float64, total int64) int64 {
	if warmup < 1 {
		warmup = math.Ceil(warmup * float64(total))
	}
	return min(int64(warmup), total)
}

// At is the learning rate of a step, counted from 1. It is above 0 at every step.
func (s Schedule) At(step int64) float64 {
	if step <= s.Warmup {
		return s.Rate * (float64(step) / float64(s.Warmup))
	}
	if s.Kind == "constant" {
		return s.Rate
	}
	// The first step after the warm-up has the whole rate; zero would be reached
	// one step after the last.
	left := float64(s.Total-step+1) / float64(max(1, s.Total-s.Warmup))
	left = min(max(left, 0), 1)
	if s.Kind == "cosine" {
		// (1 + cos π(1−left))/2, written so that it does not come to zero by rounding.
		root := math.Sin(math.Pi / 2 * left)
		return s.Rate * root * root
	}
	return s.Rate * left
}
