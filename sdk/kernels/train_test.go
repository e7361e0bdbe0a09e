package kernels_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/internal/filled"
	"github.com/honeml/hone/sdk/kernels"
)

// list gives the steps one after the other.
func list(steps ...*kernels.Step) func() (*kernels.Step, error) {
	return func() (*kernels.Step, error) {
		if len(steps) == 0 {
			return nil, io.EOF
		}
		step := steps[0]
		steps = steps[1:]
		return step, nil
	}
}

// numbered are n steps without batches.
func numbered(n int) []*kernels.Step {
	steps := make([]*kernels.Step, n)
	for i := range steps {
		steps[i] = &kernels.Step{Number: int64(i + 1)}
	}
	return steps
}

func TestTrainTravels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var steps []*kernels.Step
	for _, batches := range []int{0, 1, 3} {
		step := filled.New[kernels.Step](rng)
		step.Batches = nil
		for range batches {
			b := filled.New[graph.Batch](rng)
			step.Batches = append(step.Batches, &b)
		}
		steps = append(steps, &step)
	}
	results := filled.New[[]*kernels.StepResult](rng)
	for len(results) < len(steps) {
		results = append(results, results[0])
	}
	results = results[:len(steps)]
	var asked []*kernels.Step
	c := dial(t, &recorder{train: func(_ context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
		for {
			step, err := next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			asked = append(asked, step)
			if err := report(results[len(asked)-1]); err != nil {
				return err
			}
		}
	}})
	var got []*kernels.StepResult
	err := c.Train(t.Context(), list(steps...), func(r *kernels.StepResult) error { got = append(got, r); return nil })
	equal(t, "steps", asked, steps)
	equal(t, "results", []any{got, err}, []any{results, nil})
}

// TestTwoStepsAreOutstanding: a third is asked of the host after the first is reported.
func TestTwoStepsAreOutstanding(t *testing.T) {
	var given, reported atomic.Int64
	steps := list(numbered(20)...)
	next := func() (*kernels.Step, error) {
		if given.Load()-reported.Load() >= 2 {
			return nil, fmt.Errorf("step %d is asked for, %d are reported", given.Load()+1, reported.Load())
		}
		given.Add(1)
		return steps()
	}
	c := dial(t, &recorder{train: func(_ context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
		first, err := next()
		for err == nil {
			var second *kernels.Step
			if second, err = next(); err != nil { // one ahead: it has to come before the first is reported
				break
			}
			if err := report(&kernels.StepResult{Number: first.Number}); err != nil {
				return err
			}
			first = second
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
		return report(&kernels.StepResult{Number: first.Number})
	}})
	err := c.Train(t.Context(), next, func(*kernels.StepResult) error { reported.Add(1); return nil })
	if err != nil || reported.Load() != 20 {
		t.Errorf("%d steps were reported, %v", reported.Load(), err)
	}
}

func TestTrainThatGoesWrong(t *testing.T) {
	mine := errors.New("the host's own")
	echo := func(_ context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
		for {
			step, err := next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := report(&kernels.StepResult{Number: step.Number}); err != nil {
				return err
			}
		}
	}
	quiet := func(*kernels.StepResult) error { return nil }
	tests := []struct {
		name   string
		train  func(context.Context, func() (*kernels.Step, error), func(*kernels.StepResult) error) error
		next   func() (*kernels.Step, error)
		report func(*kernels.StepResult) error
		want   error
	}{
		{"the host's next fails", echo, func() (*kernels.Step, error) { return nil, mine }, quiet, mine},
		{"the host's report fails", echo, list(numbered(9)...), func(*kernels.StepResult) error { return mine }, mine},
		{
			"the plugin fails while a step is waited for",
			func(_ context.Context, next func() (*kernels.Step, error), _ func(*kernels.StepResult) error) error {
				_, _ = next()
				return fault.New(fault.OutOfMemory, "no room")
			}, list(numbered(9)...), quiet, fault.OutOfMemory,
		},
		{
			"the plugin ends early",
			func(_ context.Context, next func() (*kernels.Step, error), _ func(*kernels.StepResult) error) error {
				_, err := next()
				return err
			}, list(numbered(9)...), quiet, fault.BadInput,
		},
		{
			"the plugin reports what it was not given",
			func(_ context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
				step, err := next()
				for err == nil {
					err = report(&kernels.StepResult{Number: step.Number})
				}
				return err
			}, list(numbered(1)...), quiet, fault.BadInput,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, &recorder{train: tt.train})
			if err := c.Train(t.Context(), tt.next, tt.report); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestTrainIsCancelled(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan error, 1)
	c := dial(t, &recorder{train: func(ctx context.Context, next func() (*kernels.Step, error), _ func(*kernels.StepResult) error) error {
		_, _ = next()
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	steps := list(numbered(9)...)
	err := c.Train(ctx, func() (*kernels.Step, error) {
		step, err := steps()
		if step.Number == 2 {
			<-begun // a call that is cancelled before it arrives begins nothing
			cancel()
		}
		return step, err
	}, nil)
	if !errors.Is(err, context.Canceled) || !errors.Is(<-ended, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestNothingComesAfterACancel: a plugin may have sent all that there is by the time
// that the call is cancelled.
func TestNothingComesAfterACancel(t *testing.T) {
	c := dial(t, &recorder{tokens: make([]kernels.Token, 20)})
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		got := 0
		err := c.Generate(ctx, &kernels.GenerateRequest{}, func(kernels.Token) error {
			got++
			cancel()
			return nil
		})
		if got != 1 || !errors.Is(err, context.Canceled) {
			t.Fatalf("%d tokens, and %v", got, err)
		}
	}
}
