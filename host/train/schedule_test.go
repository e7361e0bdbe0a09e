package train

import (
	"math"
	"testing"
)

func TestSchedule(t *testing.T) {
	tests := []struct {
		name string
		Schedule
		step int64
		want float64
	}{
		{"the first step of a warm-up", Schedule{"cosine", 1, 4, 10}, 1, 0.25},
		{"the last step of a warm-up", Schedule{"cosine", 1, 4, 10}, 4, 1},
		{"the step after it", Schedule{"cosine", 1, 4, 10}, 5, 1},
		{"half of a cosine", Schedule{"cosine", 2, 4, 10}, 8, 1},
		{"its last step", Schedule{"cosine", 1, 4, 10}, 10, 0.5 * (1 + math.Cos(math.Pi*5/6))},
		{"half of a line", Schedule{"linear", 2, 4, 10}, 8, 1},
		{"its last step", Schedule{"linear", 1, 4, 10}, 10, 1 - 5.0/6},
		{"constant", Schedule{"constant", 3, 4, 10}, 10, 3},
		{"without a warm-up", Schedule{"linear", 1, 0, 10}, 1, 1},
		{"one step", Schedule{"cosine", 1, 0, 1}, 1, 1},
		{"all of it warm-up", Schedule{"cosine", 1, 4, 4}, 4, 1},
	}
	for _, test := range tests {
		if got := test.At(test.step); math.Abs(got-test.want) > 1e-15 {
			t.Errorf("%s: step %d of %+v has %v, want %v", test.name, test.step, test.Schedule, got, test.want)
		}
	}
}

func TestWarmupSteps(t *testing.T) {
	tests := []struct {
		warmup      float64
		total, want int64
	}{
		{0, 100, 0}, {0.03, 100, 3}, {0.03, 10, 1}, {0.5, 7, 4}, {1, 100, 1}, {20, 100, 20}, {20, 10, 10},
	}
	for _, test := range tests {
		if got := WarmupSteps(test.warmup, test.total); got != test.want {
			t.Errorf("a warm-up of %v in %d steps is %d steps, want %d", test.warmup, test.total, got, test.want)
		}
	}
}

// FuzzSchedule: every step's rate is above 0 and at most the highest.
func FuzzSchedule(f *testing.F) {
	f.Add(uint8(0), int64(3), int64(10), int64(5))
	f.Fuzz(func(t *testing.T, kind uint8, warmup, total, step int64) {
		s := Schedule{Kind: []string{"constant", "linear", "cosine"}[kind%3], Rate: 2e-4, Warmup: warmup, Total: total}
		if total < 1 || total > 1<<31 || warmup < 0 || warmup > total || step < 1 || step > total {
			return
		}
		if rate := s.At(step); !(rate > 0) || rate > s.Rate {
			t.Errorf("step %d of %+v has %v", step, s, rate)
		}
	})
}
