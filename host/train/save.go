package train

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/ui"
	"github.com/honeml/hone/sdk/kernels"
)

// save writes the checkpoint of the last step. Its records are on the disk
// before it is: a run that goes on from it logs what comes after.
func (a *attempt) save(ctx context.Context) error {
	if err := a.Journal.Sync(); err != nil {
		return err
	}
	c := &rundir.Checkpoint{
		Step: a.done, Documents: a.docs, DataFingerprint: a.Fingerprint, Bound: a.plan.Bound, Tokens: a.tokens, Packing: a.Packing,
	}
	c.Evaluated = a.scored == a.done
	if loss := a.eval; !math.IsNaN(loss) {
		c.LastEvalLoss = &loss
		if c.Evaluated {
			c.EvalLoss = &loss
		}
	}
	improved := a.improved()
	err := a.Dir.WriteCheckpoint(c, func(dir string) error {
		if _, err := a.backend.Save(ctx, &kernels.SaveRequest{Directory: dir}); err != nil {
			return err
		}
		return a.WriteResult(dir)
	})
	if err != nil {
		return err
	}
	if improved || a.best == nil && c.EvalLoss != nil {
		a.best = c
	}
	a.emit(ui.Event{Kind: ui.Checkpoint, Step: c.Step, Message: c.Path})
	var spare []string
	if a.Checkpoint.Best && a.best != nil {
		spare = append(spare, a.best.Path)
	}
	if err := a.Dir.Prune(max(1, a.Checkpoint.Keep), spare...); err != nil {
		return fmt.Errorf("removing old checkpoints: %w", err)
	}
	return nil
}

// finish writes the result: the last weights, or the best ones.
func (a *attempt) finish(ctx context.Context) error {
	adapted := false
	for _, p := range a.Bind.Graph.Params {
		adapted = adapted || p.Adapter != ""
	}
	name := rundir.ModelName
	if adapted {
		name = rundir.AdapterName
	}
	best := a.Checkpoint.Best && a.best != nil && a.best.Step != a.done
	err := rundir.WriteDir(a.Dir.Join(name), func(dir string) error {
		if best {
			if err := copyWeights(a.best.Path, dir); err != nil {
				return err
			}
		} else if _, err := a.backend.Save(ctx, &kernels.SaveRequest{Directory: dir, WeightsOnly: true}); err != nil {
			return err
		}
		return a.WriteResult(dir)
	})
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if best {
		a.emit(ui.Event{Kind: ui.Info, Message: fmt.Sprintf("the result is step %d, of evaluation loss %.4f", a.best.Step, *a.best.EvalLoss)})
	}
	return nil
}

// copyWeights copies the weights of a checkpoint, not the optimizer.
func copyWeights(from, to string) error {
	for _, name := range []string{kernels.AdapterFile, kernels.TrainedFile} {
		in, err := os.Open(filepath.Join(from, name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.Create(filepath.Join(to, name))
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			out.Close()
			return err
		}
		if err := out.Close(); err != nil {
			return err
		}
	}
	return nil
}
