package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/bench"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugintest/refbackend"
)

const words = 40

// request asks for a model of one linear with an adapter.
func request(t *testing.T) *kernels.BindRequest {
	t.Helper()
	b := graph.New("SmallForCausalLM")
	x := b.Linear(b.Embed("embed", words, 16), "up", 16, graph.RoleMLPUp)
	b.Logits(b.Linear(x, "head", words, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = adapt.Apply(g, adapt.LoRA{Rank: 2, Alpha: 2, Targets: []string{adapt.Auto}}); err != nil {
		t.Fatal(err)
	}
	return &kernels.BindRequest{
		Graph: g,
		Settings: kernels.Settings{
			Adapter: adapt.DefaultName, Precision: "fp32", WeightType: "auto", MaxLength: 12, TokensPerStep: 30,
			Optimizer: kernels.Optimizer{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, MaxGradNorm: 1},
		},
		Phases: kernels.Phases{Train: true},
	}
}

// watched is the reference backend, which notes what it is given and may change what it
// reports.
type watched struct {
	*refbackend.Backend
	load   *kernels.LoadRequest
	steps  []*kernels.Step
	change func(*kernels.StepResult)
}

func (w *watched) Load(ctx context.Context, req *kernels.LoadRequest, progress func(done, total int64)) error {
	w.load = req
	return w.Backend.Load(ctx, req, progress)
}

func (w *watched) Train(ctx context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
	return w.Backend.Train(ctx, func() (*kernels.Step, error) {
		s, err := next()
		if err == nil {
			w.steps = append(w.steps, s)
		}
		return s, err
	}, func(r *kernels.StepResult) error {
		if w.change != nil {
			w.change(r)
		}
		return report(r)
	})
}

func quiet(string, int64, int64) {}

var work = bench.Work{Tokens: 30, Length: bench.Lengths{Least: 5, Most: 12}, Steps: 3, Warmup: 2, Seed: 4}

func TestTrain(t *testing.T) {
	w := &watched{Backend: refbackend.New(), change: func(r *kernels.StepResult) {
		r.Metrics = map[string]float64{"memory/peak_bytes": float64(100 * r.Number), "time/gemm": 0.5, "time/norm": 0.25}
	}}
	var told []string
	r, err := bench.Train(t.Context(), w, request(t), work, func(what string, done, total int64) {
		told = append(told, fmt.Sprintf("%s %d/%d", what, done, total))
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.load.Random == nil || w.load.Random.StdDev != 0.02 || len(w.load.Checkpoint) != 0 {
		t.Errorf("asked for the weights %+v", w.load)
	}
	if len(w.steps) != 5 || !slices.Contains(told, "training 5/5") {
		t.Errorf("%d steps; told %q", len(w.steps), told)
	}
	// Weights that are near 0 leave all words alike.
	if math.Abs(float64(r.First.Loss)-math.Log(words)) > 0.05 || r.First.GradNorm <= 0 || r.Last.Loss == r.First.Loss {
		t.Errorf("first step %+v, last step %+v", r.First, r.Last)
	}
	if r.StepSeconds <= 0 || r.TokensPerSecond != 30/r.StepSeconds || r.Slowest > r.TokensPerSecond || r.Fastest < r.TokensPerSecond {
		t.Errorf("%v s a step, %v tok/s (%v to %v)", r.StepSeconds, r.TokensPerSecond, r.Slowest, r.Fastest)
	}
	if r.MeasuredBytes != 500 || r.Families["gemm"] != 0.5 || r.Trained != 64 || r.Steps != 3 {
		t.Errorf("got %+v", r)
	}
	var text strings.Builder
	if _, err := r.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"tok/s, the median of 3 steps after 2", "loss 3.6", "gemm", "30 tokens in documents of 5-12"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("%q is missing in\n%s", part, &text)
		}
	}
}

// TestCeilings: the step that reports them does not count.
func TestCeilings(t *testing.T) {
	w := &watched{Backend: refbackend.New(), change: func(r *kernels.StepResult) {
		r.Metrics = map[string]float64{"time/linear": 1e-4, "time/upload": 1e-5}
		if r.Number == 6 {
			r.Metrics = map[string]float64{
				"time/linear": 50, "memory/peak_bytes": 1 << 40,
				"ceiling/time/linear": 6e-5, "ceiling/time/update": 1e-5, "ceiling/bytes": 4.2e12,
				"ceiling/flops/forward 8x16x16": 7.05e14, "ceiling/flops/backward 8x16x16": 6e14,
			}
		}
	}}
	asked := work
	asked.Ceilings = true
	r, err := bench.Train(t.Context(), w, request(t), asked, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.steps) != 6 || r.Steps != 3 || math.Abs(r.Families["linear"]-1e-4) > 1e-12 || r.MeasuredBytes != 0 {
		t.Errorf("%d steps, got %+v", len(w.steps), r)
	}
	if want := 7e-5 / r.StepSeconds; math.Abs(r.Achieved/want-1) > 1e-9 || math.Abs(r.Ceilings.StepSeconds-7e-5) > 1e-12 {
		t.Errorf("achieved %v of %v s: %+v", r.Achieved, r.StepSeconds, r.Ceilings)
	}
	var text strings.Builder
	if _, err := r.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		fmt.Sprintf("\nachieved    %.1f %% of what the card's own ceilings allow (products 705 TFLOP/s at best, copies 4.2 TB/s;\n", 100*r.Achieved),
		"attention and experts reckoned at the rate of the largest product", "0.0001 s  achieved 60.0 %\n", "1e-05 s\n",
	} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("%q is missing in\n%s", part, &text)
		}
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"achieved":`, `"ceilings":{"step_seconds":`, `"forward 8x16x16":705000000000000`} {
		if !strings.Contains(string(data), part) {
			t.Errorf("%q is missing in %s", part, data)
		}
	}
	if r, err = bench.Train(t.Context(), refbackend.New(), request(t), asked, quiet); err == nil {
		text.Reset()
		_, err = r.WriteTo(&text)
	}
	if err != nil || r.Ceilings != nil || strings.Contains(text.String(), "achieved") {
		t.Errorf("a backend that measures none: %v\n%s", err, &text)
	}
}

// unmeasured fails after the step with a number.
type unmeasured struct {
	kernels.Backend
	after int64
}

func (u unmeasured) Train(ctx context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
	return u.Backend.Train(ctx, next, func(r *kernels.StepResult) error {
		if r.Number > u.after {
			return errors.New("no clock is to be had")
		}
		return report(r)
	})
}

// TestNoCeilings: where measuring them fails the steps that were measured stand; where a
// step fails nothing does.
func TestNoCeilings(t *testing.T) {
	asked := work
	asked.Ceilings = true
	r, err := bench.Train(t.Context(), unmeasured{refbackend.New(), 5}, request(t), asked, quiet)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if _, err := r.WriteTo(&text); err != nil || r.TokensPerSecond <= 0 || !strings.Contains(text.String(), "not measured: no clock is to be had") {
		t.Errorf("%v\n%s", err, &text)
	}
	if _, err := bench.Train(t.Context(), unmeasured{refbackend.New(), 4}, request(t), asked, quiet); err == nil {
		t.Error("a failed step gives a result")
	}
}

// TestSteps: every step has its tokens, in documents of the lengths that were asked for,
// no two steps alike, and all but first tokens learned.
func TestSteps(t *testing.T) {
	w := &watched{Backend: refbackend.New()}
	if _, err := bench.Train(t.Context(), w, request(t), work, quiet); err != nil {
		t.Fatal(err)
	}
	samples := map[int32]bool{}
	for i, s := range w.steps {
		tokens, short := 0, 0
		for _, b := range s.Batches {
			tokens += b.Tokens()
			if err := b.Validate(words); err != nil {
				t.Errorf("step %d: %v", i, err)
			}
			for at := range b.ID {
				if first := b.Position[at] == 0; first != (b.Weight[at] == 0) {
					t.Errorf("step %d: position %d has the weight %v", i, b.Position[at], b.Weight[at])
				} else if first {
					if samples[b.Sample[at]] {
						t.Errorf("step %d: two documents have the number %d", i, b.Sample[at])
					}
					samples[b.Sample[at]] = true
					if n := b.DocEnd[at] - b.DocStart[at]; n < 5 {
						short++
					} else if n > 12 {
						t.Errorf("step %d: a document of %d tokens", i, n)
					}
				}
			}
		}
		if tokens != 30 || short > 1 {
			t.Errorf("step %d has %d tokens, %d documents are too short", i, tokens, short)
		}
		if i > 0 && slices.Equal(s.Batches[0].ID, w.steps[i-1].Batches[0].ID) {
			t.Errorf("steps %d and %d have the same tokens", i-1, i)
		}
	}
}

func TestTrainThatGoesWrong(t *testing.T) {
	gone := errors.New("gone")
	tests := []struct {
		name    string
		work    func(*bench.Work)
		request func(*kernels.BindRequest)
		change  func(*kernels.StepResult)
		say     string
	}{
		{"documents longer than a step", func(w *bench.Work) { w.Length.Most = 31 }, nil, nil, "documents of up to 31 tokens in steps of 30"},
		{"no steps", func(w *bench.Work) { w.Steps = 0 }, nil, nil, "0 steps"},
		{"no tokens", func(w *bench.Work) { w.Tokens = 0 }, nil, nil, "a step of 0 tokens"},
		{"a plan that is refused", nil, func(r *kernels.BindRequest) { r.Limits.MemoryBytes = 1 }, nil, "1 bytes of memory"},
		{"a loss that is not finite", nil, nil, func(r *kernels.StepResult) { r.NotFinite = true }, "step 1: loss"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, req := work, request(t)
			if tt.work != nil {
				tt.work(&w)
			}
			if tt.request != nil {
				tt.request(req)
			}
			_, err := bench.Train(t.Context(), &watched{Backend: refbackend.New(), change: tt.change}, req, w, quiet)
			if err == nil || !strings.Contains(err.Error(), tt.say) {
				t.Errorf("got %v, want an error that says %q", err, tt.say)
			}
		})
	}
	_, err := bench.Train(t.Context(), &lazy{Backend: refbackend.New()}, request(t), work, quiet)
	if err == nil || !strings.Contains(err.Error(), "0 steps of 5") {
		t.Errorf("a backend that trains nothing: %v", err)
	}
	_, err = bench.Train(t.Context(), &lazy{Backend: refbackend.New(), err: gone}, request(t), work, quiet)
	if !errors.Is(err, gone) {
		t.Errorf("a backend that fails: %v", err)
	}
}

// lazy trains nothing.
type lazy struct {
	*refbackend.Backend
	err error
}

func (l *lazy) Train(context.Context, func() (*kernels.Step, error), func(*kernels.StepResult) error) error {
	return l.err
}

func TestParseLengths(t *testing.T) {
	for text, want := range map[string]bench.Lengths{
		"2048": {2048, 2048}, "200-800": {200, 800}, "2": {2, 2}, "7-7": {7, 7},
	} {
		got, err := bench.ParseLengths(text)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
		if again, err := bench.ParseLengths(got.String()); err != nil || again != got {
			t.Errorf("%v is written %q and read %v, %v", got, got, again, err)
		}
	}
	for _, text := range []string{"", "1", "-5", "800-200", "2-", "a", "2048 tokens", "99999999999999999999", "16777217"} {
		if got, err := bench.ParseLengths(text); !errors.Is(err, fault.BadInput) {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}

func TestNumberAsJSON(t *testing.T) {
	for n, want := range map[bench.Number]string{1.5: "1.5", bench.Number(math.Inf(1)): "null"} {
		if got, err := json.Marshal(n); err != nil || string(got) != want {
			t.Errorf("%v: got %s, %v, want %s", float64(n), got, err, want)
		}
	}
}
