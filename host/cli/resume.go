package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/honeml/hone/host/data"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/host/train"
	"github.com/honeml/hone/sdk/fault"
)

// resume goes on with a run: as it was, or with a run file that may differ in
// what does not change the mathematics.
func (a *app) resume(ctx context.Context, args []string, flags runFlags) error {
	if len(args) == 0 && (len(flags.vars)+len(flags.varFiles) > 0 || flags.run != "") {
		return usageError{errors.New("-resume without a run file takes neither variables nor the name of a run")}
	}
	r, err := readRecord(flags.resume)
	if err != nil {
		return err
	}
	run, differences, err := a.resumed(ctx, r, args, flags)
	if err != nil {
		return err
	}
	dir, err := rundir.Open(flags.resume)
	if err != nil {
		return err
	}
	defer dir.Close()
	s, err := a.open(ctx, run)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.exportable(); err != nil {
		return err
	}
	if err := s.load(ctx); err != nil {
		return s.dataError(err)
	}
	if err := s.sameContent(r); err != nil {
		return err
	}
	if err := s.sameRates(dir, r.Run, differences); err != nil {
		return err
	}
	return s.execute(ctx, dir, r, flags.json)
}

// resumed is the run to go on with, and what differs in it from what it was.
func (a *app) resumed(ctx context.Context, r *record, args []string, flags runFlags) (*runfile.Run, []runfile.Difference, error) {
	if len(args) == 0 {
		if err := a.pinRecord(r); err != nil {
			return nil, nil, err
		}
		if err := r.Run.RestoreSecrets(os.LookupEnv); err != nil {
			return nil, nil, fmt.Errorf("%w; or name the run file again: hone run FILE -resume %s", err, flags.resume)
		}
		return r.Run, nil, nil
	}
	if r.Run.KernelsChosen { // a run goes on where it began
		flags.kernels = r.Run.Kernels.Name
	}
	run, err := a.load(ctx, args[0], flags.fileFlags)
	if err != nil {
		return nil, nil, err
	}
	differences := run.Resumable(r.Run)
	return run, differences, a.show(run.RefuseDifferences(differences))
}

// sameContent compares what the run reads now with what it began with. Where it
// lies may have changed.
func (s *session) sameContent(r *record) error {
	if got := s.train.Fingerprint(); got != r.Data.Fingerprint {
		return fault.New(fault.BadInput, "the training data is not what the run began with: its fingerprint was %.12s and is %.12s", r.Data.Fingerprint, got).
			WithHint("a resumed run needs the same files, tokenizer and chat template")
	}
	content, err := s.content()
	if err != nil {
		return err
	}
	if was := r.Content.Model; was != "" && content.Model != was {
		return fault.New(fault.BadInput, "the model %s is not what the run began with: its fingerprint was %.12s and is %.12s", s.run.Model.Source, was, content.Model).
			WithHint("a resumed run needs the same weights and configuration, wherever they lie")
	}
	if was := r.Content.Adapter; was != "" && content.Adapter != was {
		return fault.New(fault.BadInput, "the adapter %s is not what the run began with: its fingerprint was %.12s and is %.12s", s.run.Adapter.From, was, content.Adapter)
	}
	return nil
}

// sameRates refuses another length of the run where learning rates depend on it:
// those of a warm-up that is a part of all steps, until the warm-up is over.
func (s *session) sameRates(dir *rundir.Dir, old *runfile.Run, differences []runfile.Difference) error {
	longer := lengthDifferences(differences)
	if len(longer) == 0 {
		return nil
	}
	was, err := s.length(old)
	if err != nil {
		return err
	}
	is, err := s.length(s.run)
	if err != nil {
		return err
	}
	last, err := dir.LastCheckpoint()
	if err != nil {
		return err
	}
	done := int64(0)
	if last != nil {
		done = last.Step
	}
	before, now := train.WarmupSteps(old.Train.Warmup, was), train.WarmupSteps(s.run.Train.Warmup, is)
	switch {
	case is < done:
		return fault.New(fault.BadInput, "%s: the run would have %d steps, and %d of them are done", longer[0].Setting, is, done).
			WithHint("an earlier checkpoint can be exported: hone export RUN merged -step N")
	case before != now && done < max(before, now):
		for i := range longer {
			longer[i].Rule = runfile.RuleFixed
		}
		if err := s.app.show(s.run.RefuseDifferences(longer)); err != nil {
			fmt.Fprintf(s.app.Err, "The warm-up was of %d steps and would be of %d, and %d steps are done: once it is over, the length may differ.\n", before, now, done)
			return err
		}
	}
	return nil
}

// lengthDifferences are those of the run's length.
func lengthDifferences(differences []runfile.Difference) []runfile.Difference {
	var out []runfile.Difference
	for _, d := range differences {
		if d.Setting == "train.epochs" || d.Setting == "train.steps" {
			out = append(out, d)
		}
	}
	return out
}

// length is how many steps a run has on the session's data.
func (s *session) length(run *runfile.Run) (int64, error) {
	order, err := data.NewOrder(s.train.Lengths(), orderSpec(run))
	if err != nil {
		return 0, err
	}
	return order.TotalSteps(), nil
}

// orderSpec is how a run deals its documents out to steps.
func orderSpec(run *runfile.Run) data.OrderSpec {
	return data.OrderSpec{
		Seed: run.Seed, Shuffle: run.Data.Shuffle, TokensPerStep: run.Train.TokensPerStep,
		DocumentsPerStep: run.Train.DocumentsPerStep, Epochs: run.Train.Epochs, Steps: run.Train.Steps,
	}
}
