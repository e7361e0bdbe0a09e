package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
)

// badKernels computes nothing. It dies in the middle of streams.
type badKernels struct{}

func (*badKernels) Describe(context.Context) (*kernels.Description, error) {
	return &kernels.Description{Name: "bad", Version: "1.0.0", Ops: graph.OpNames()}, nil
}

func (*badKernels) Estimate(context.Context, *kernels.BindRequest) (*kernels.Plan, error) {
	return &kernels.Plan{}, nil
}

func (*badKernels) Bind(context.Context, *kernels.BindRequest) (*kernels.Plan, error) {
	return nil, &fault.Error{Code: fault.LimitTooSmall, Message: "no", NeedBytes: 12345}
}

func (*badKernels) Load(_ context.Context, _ *kernels.LoadRequest, progress func(done, total int64)) error {
	progress(1, 2)
	os.Exit(7)
	return nil
}

func (*badKernels) Restore(context.Context, string) (*kernels.Restored, error) {
	return &kernels.Restored{}, nil
}

// Train reports two steps and dies in the third.
func (*badKernels) Train(ctx context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
	for {
		step, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if step.Number == 3 {
			panic("illegal address")
		}
		if err := report(&kernels.StepResult{Number: step.Number}); err != nil {
			return err
		}
	}
}

// Score echoes the weights.
func (*badKernels) Score(_ context.Context, req *kernels.ScoreRequest, emit func([]float32) error) error {
	for _, b := range req.Batches {
		if err := emit(b.Weight); err != nil {
			return err
		}
	}
	return nil
}

// Generate gives one token and waits.
func (*badKernels) Generate(ctx context.Context, _ *kernels.GenerateRequest, emit func(kernels.Token) error) error {
	if err := emit(kernels.Token{ID: 1}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (*badKernels) Save(context.Context, *kernels.SaveRequest) ([]string, error) { return nil, nil }

func (*badKernels) ReadTensor(context.Context, *kernels.ReadTensorRequest, func([]float32) error) ([]int, error) {
	return nil, nil
}

func (*badKernels) Close(context.Context) error { return nil }
