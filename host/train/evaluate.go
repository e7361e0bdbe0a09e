package train

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/honeml/hone/host/data"
	"github.com/honeml/hone/host/ui"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
)

// evaluate scores the evaluation data and lets the model answer the prompts.
func (a *attempt) evaluate(ctx context.Context) error {
	if a.scored == a.done {
		return nil
	}
	record := &logger.Record{Step: a.done, Scalars: map[string]float64{}, Texts: map[string]string{}}
	if len(a.Evaluation) > 0 {
		loss, tokens, err := a.score(ctx)
		if err != nil {
			return fmt.Errorf("evaluation at step %d: %w", a.done, err)
		}
		a.eval = loss
		record.Scalars["eval/loss"], record.Scalars["eval/perplexity"] = loss, math.Exp(loss)
		record.Scalars["eval/supervised_tokens"] = tokens
		a.emit(ui.Event{Kind: ui.Evaluation, Step: a.done, Scalars: record.Scalars})
	}
	if len(a.Prompts) > 0 {
		answers, err := a.answer(ctx)
		if err != nil {
			return fmt.Errorf("generation at step %d: %w", a.done, err)
		}
		for i, p := range a.Prompts {
			record.Texts[fmt.Sprintf("eval/prompt_%d", i+1)] = p.Text + "\n\n" + answers[i]
			a.emit(ui.Event{Kind: ui.Generation, Step: a.done, Prompt: p.Text, Text: answers[i]})
		}
	}
	a.scored = a.done
	if len(record.Scalars)+len(record.Texts) == 0 {
		return nil
	}
	record.Time = time.Now()
	a.Journal.Append(record)
	return nil
}

// score is the mean loss of the evaluation data by its weights.
func (a *attempt) score(ctx context.Context) (loss, weight float64, err error) {
	placed := make([]data.Placed, len(a.Evaluation))
	for i, d := range a.Evaluation {
		placed[i] = data.Placed{Document: d, Sample: int32(i)}
	}
	batches := data.Pack(placed, a.plan.MicroBatchTokens, a.Packing)
	// A few batches a call, so that messages stay small.
	const atATime = 16
	for len(batches) > 0 {
		part := batches[:min(atATime, len(batches))]
		batches = batches[len(part):]
		i := 0
		err := a.backend.Score(ctx, &kernels.ScoreRequest{Adapter: a.Bind.Settings.Adapter, Batches: part}, func(logProbs []float32) error {
			for t, w := range part[i].Weight {
				loss -= float64(w) * float64(logProbs[t])
				weight += float64(w)
			}
			i++
			return nil
		})
		if err != nil {
			return 0, 0, err
		}
	}
	if weight == 0 {
		return 0, 0, fmt.Errorf("the evaluation data has no token to predict")
	}
	return loss / weight, weight, nil
}

// answer lets the model continue each prompt.
func (a *attempt) answer(ctx context.Context) ([]string, error) {
	answers := make([]string, len(a.Prompts))
	for i := 0; i < len(a.Prompts); {
		n := min(a.Bind.Phases.GenerateSequences, len(a.Prompts)-i)
		req := &kernels.GenerateRequest{
			Adapter: a.Bind.Settings.Adapter, MaxTokens: a.Generate.MaxTokens, Stop: a.Generate.Stop,
			Temperature: a.Generate.Temperature, Seed: a.Bind.Settings.Seed + uint64(a.done),
		}
		for _, p := range a.Prompts[i : i+n] {
			req.Prompts = append(req.Prompts, p.IDs)
		}
		ids := make([][]int32, n)
		err := a.backend.Generate(ctx, req, func(t kernels.Token) error {
			if t.Finish != kernels.FinishStop {
				ids[t.Sequence] = append(ids[t.Sequence], t.ID)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for k := range ids {
			answers[i+k] = a.Generate.Decode(ids[k])
		}
		i += n
	}
	return answers, nil
}

// improved reports whether this step's evaluation is the best so far and is to
// be kept.
func (a *attempt) improved() bool {
	return a.Checkpoint.Best && a.scored == a.done && a.done > 0 && !math.IsNaN(a.eval) &&
		(a.best == nil || a.eval < *a.best.EvalLoss)
}
