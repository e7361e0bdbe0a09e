package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/sdk/fault"
)

// resume goes on with a run: as it was, or with a run file that may differ in
// what does not change the mathematics.
func (a *app) resume(ctx context.Context, args []string, flags runFlags) error {
	r, err := readRecord(flags.resume)
	if err != nil {
		return err
	}
	run, err := a.resumed(ctx, r, args, flags)
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
	if err := s.load(ctx); err != nil {
		return s.dataError(err)
	}
	if got := s.train.Fingerprint(); got != r.Data.Fingerprint {
		return fault.New(fault.BadInput, "the training data is not what the run began with: its fingerprint was %.12s and is %.12s", r.Data.Fingerprint, got).
			WithHint("a resumed run needs the same files, tokenizer and chat template")
	}
	return s.execute(ctx, dir, r, flags.json)
}

// resumed is the run to go on with.
func (a *app) resumed(ctx context.Context, r *record, args []string, flags runFlags) (*runfile.Run, error) {
	if len(args) == 0 {
		if len(flags.vars)+len(flags.varFiles) > 0 {
			return nil, usageError{errors.New("-resume without a run file takes no variables")}
		}
		if err := r.Run.RestoreSecrets(os.LookupEnv); err != nil {
			return nil, fmt.Errorf("%w; or name the run file again: hone run FILE -resume %s", err, flags.resume)
		}
		return r.Run, nil
	}
	run, err := a.load(ctx, args[0], flags.fileFlags)
	if err != nil {
		return nil, err
	}
	if differences := run.Resumable(r.Run); len(differences) > 0 {
		if err := a.show(run.RefuseDifferences(differences)); err != nil {
			return nil, err
		}
	}
	return run, nil
}
