package plugintest

import (
	"context"
	"errors"
	"io"

	"github.com/honeml/hone/sdk/kernels"
)

func kernelsConductRules() []rule[*kernelsKit] {
	return []rule[*kernelsKit]{
		{"kernels/errors-of-the-host", "errors of the host's own functions come back as they are", kernelsHostErrors},
		{"kernels/steps-in-order", "steps are reported in their order, one report each", kernelsInOrder},
		{"kernels/cancel", "a cancelled context ends a call at the next step or token, and the backend works on", kernelsCancel},
		{"kernels/phases", "a plan for scoring alone binds without an adapter or anything trained", kernelsPhases},
		{"kernels/close", "Close ends the backend's work, whatever it did before", kernelsClose},
	}
}

func kernelsHostErrors(c *check, k *kernelsKit) {
	s := k.open(c, k.lora, nil)
	mine := errors.New("the host's own error")
	given := 0
	calls := map[string]func() error{
		"next of Train": func() error {
			return s.backend.Train(c, func() (*kernels.Step, error) { return nil, mine }, func(*kernels.StepResult) error { return nil })
		},
		"report of Train": func() error {
			return s.backend.Train(c, func() (*kernels.Step, error) {
				if given++; given > 3 {
					return nil, io.EOF
				}
				return step(int64(given), pack(newDocuments(1, 5)...)), nil
			}, func(*kernels.StepResult) error { return mine })
		},
		"emit of Score": func() error {
			return s.backend.Score(c, &kernels.ScoreRequest{Batches: split(newDocuments(1, 5, 5)...)}, func([]float32) error { return mine })
		},
		"emit of Generate": func() error {
			req := &kernels.GenerateRequest{Prompts: [][]int32{{1}}, MaxTokens: 4}
			return s.backend.Generate(c, req, func(kernels.Token) error { return mine })
		},
		"emit of ReadTensor": func() error {
			req := &kernels.ReadTensorRequest{Name: k.lora.graph.Trainable()[0].Name, Kind: kernels.TensorValue}
			_, err := s.backend.ReadTensor(c, req, func([]float32) error { return mine })
			return err
		},
	}
	for what, call := range calls {
		if err := call(); !errors.Is(err, mine) {
			c.fail("an error of %s comes back as %v", what, err)
		}
	}
	s.score("", pack(newDocuments(1, 5)...)) // it still works
}

func kernelsInOrder(c *check, k *kernelsKit) {
	s := k.open(c, k.lora, nil)
	s.run() // no step at all
	s.run(steps(maxSteps)...)
}

func kernelsCancel(c *check, k *kernelsKit) {
	s := k.open(c, k.lora, nil)
	ctx, cancel := context.WithCancel(c)
	defer cancel()
	given := 0
	err := s.backend.Train(ctx, func() (*kernels.Step, error) {
		given++
		if given == 2 {
			cancel()
		}
		if given > 100 {
			return nil, io.EOF
		}
		return step(int64(given), pack(newDocuments(uint64(given), 9)...)), nil
	}, func(*kernels.StepResult) error { return nil })
	if !errors.Is(err, context.Canceled) || given > 10 {
		c.fail("Train, cancelled at step 2, took %d steps and ends with %v", given, err)
	}
	ctx, cancel = context.WithCancel(c)
	defer cancel()
	err = s.backend.Generate(ctx, &kernels.GenerateRequest{Prompts: [][]int32{{1}}, MaxTokens: maxLength - 1}, func(kernels.Token) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		c.fail("Generate, cancelled at the first token, ends with %v", err)
	}
	s.score("", pack(newDocuments(1, 5)...))
	s.run(step(50, pack(newDocuments(1, 5)...)))
}

func kernelsPhases(c *check, k *kernelsKit) {
	g, err := smallModel()
	c.must(err, "the kit's model")
	f := *k.lora
	f.graph, f.adapter, f.peft = g, "", ""
	scoring := func(r *kernels.BindRequest) { r.Phases = kernels.Phases{Score: true} }
	s, ref := k.open(c, &f, scoring), k.reference(c, &f, scoring)
	batch := pack(newDocuments(1, 9)...)
	c.logProbsNear(s.score("", batch)[0], ref.score("", batch)[0], k.close.logProb, "the log-probability")
	if _, err := s.try(step(1, batch)); err == nil {
		c.fail("it trains although the plan has no train phase")
	}
}

func kernelsClose(c *check, k *kernelsKit) {
	c.must(start(c, k.start).Service.Close(c), "Close of a backend that did nothing")
	s := k.open(c, k.lora, nil)
	s.run(steps(1)...)
	c.must(s.backend.Close(c), "Close")
}
