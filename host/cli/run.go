package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/data"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/metrics"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/host/train"
	"github.com/honeml/hone/host/ui"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/logger"
)

// runFlags are the flags of hone run.
type runFlags struct {
	fileFlags
	resume string
	dir    string
	json   bool
}

func (a *app) runCommand() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Train what a run file describes",
		Long: "Train what a run file describes.\n\n" +
			"The run leaves a folder, runs/NAME: metrics.jsonl, checkpoints, the result. Ctrl-C finishes the step that is\n" +
			"under way and writes a checkpoint; -resume runs/NAME goes on from it, with the same losses.",
		Args:        atMostOne("run file"),
		Annotations: map[string]string{waitsForStep: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && flags.resume == "":
				return usageError{errors.New("hone run takes a run file, or -resume and the folder of a run")}
			case flags.resume != "" && flags.dir != "":
				return usageError{errors.New("-resume names the folder of a run, so -run-dir has nothing to say")}
			case flags.resume != "":
				return a.resume(cmd.Context(), args, flags)
			}
			run, err := a.load(cmd.Context(), args[0], flags.fileFlags)
			if err != nil {
				return err
			}
			return a.start(cmd.Context(), run, flags)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&flags.resume, "resume", "", "go on with the run in a `folder`")
	cmd.Flags().StringVar(&flags.dir, "run-dir", "", "the run's `folder`; without it runs/NAME, with a number added where that exists")
	cmd.Flags().BoolVar(&flags.json, "json", false, "show events as JSON, one a line, on standard output")
	return cmd
}

// display shows a run's events.
func (a *app) display(json bool) ui.Display {
	if json {
		return ui.New(a.Out, true)
	}
	return ui.New(a.Err, false)
}

// start begins a new run.
func (a *app) start(ctx context.Context, run *runfile.Run, flags runFlags) error {
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
	var dir *rundir.Dir
	if flags.dir != "" {
		dir, err = rundir.CreateAt(flags.dir)
	} else {
		dir, err = rundir.Create("runs", run.Name)
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return s.execute(ctx, dir, &record{Run: run}, flags.json)
}

// dataError shows what the report of the data says before the error, unless that
// says it all.
func (s *session) dataError(err error) error {
	var problems *data.ProblemsError
	if s.report != nil && !errors.As(err, &problems) {
		if _, writeErr := s.report.WriteTo(s.app.Err); writeErr != nil {
			return writeErr
		}
	}
	return err
}

// A record is run.json.
type record struct {
	Hone     string         `json:"hone"` // version
	Run      *runfile.Run   `json:"run"`
	Plugins  []pluginRecord `json:"plugins"`
	Data     dataRecord     `json:"data"`
	Content  contentRecord  `json:"content"`
	Device   any            `json:"device,omitempty"`
	Memory   any            `json:"memory,omitempty"`
	Notes    []string       `json:"notes,omitempty"`
	Attempts []attempt      `json:"attempts"`
}

// A pluginRecord is a plugin that the run started.
type pluginRecord struct {
	Name     string           `json:"name"`
	Version  string           `json:"version"`
	Source   string           `json:"source,omitempty"` // that it was installed from
	Platform release.Platform `json:"platform"`
	Path     string           `json:"path"`
	Checksum string           `json:"sha256"`
	Dev      bool             `json:"dev,omitempty"` // it was named by -dev
}

type dataRecord struct {
	Fingerprint string `json:"fingerprint"`
	Documents   int    `json:"documents"`
	Tokens      int64  `json:"tokens"`
	Supervised  int64  `json:"supervised_tokens"`
	Files       any    `json:"files"`
}

// A contentRecord identifies what the run reads beside its data: see
// modelFingerprint.
type contentRecord struct {
	Model   string `json:"model"`
	Adapter string `json:"adapter,omitempty"` // adapter.from; "" for a fresh one
}

// An attempt is a start of the run.
type attempt struct {
	Number int64     `json:"number"`
	Start  time.Time `json:"start"`
	Host   string    `json:"host"`
}

func writeRecord(dir *rundir.Dir, r *record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return rundir.WriteFile(dir.Join(rundir.RunFile), append(data, '\n'))
}

func readRecord(dir string) (*record, error) {
	path := filepath.Join(dir, rundir.RunFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.New(fault.BadInput, "%s holds no run: it has no %s", dir, rundir.RunFile)
	}
	if err != nil {
		return nil, err
	}
	r := &record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fault.New(fault.BadInput, "%s: %w", path, err)
	}
	if r.Run == nil {
		return nil, fault.New(fault.BadInput, "%s does not say what ran", path)
	}
	return r, nil
}

// execute trains in the run's folder until the end or the stop.
func (s *session) execute(ctx context.Context, dir *rundir.Dir, r *record, asJSON bool) (err error) {
	journal, err := metrics.OpenJournal(dir.Join(rundir.MetricsFile))
	if err != nil {
		return err
	}
	display := newAnswers(s.app.display(asJSON))
	defer display.Close()
	t, err := s.trainer(ctx, dir, journal, display, r)
	if err != nil {
		return errors.Join(err, journal.Close())
	}
	fanout, err := s.loggers(ctx, dir, journal)
	if err != nil {
		return errors.Join(err, journal.Close())
	}
	s.announce(display, dir, fanout)
	runErr := t.Run(ctx)
	status := logger.Status{State: "finished"}
	switch {
	case errors.Is(runErr, train.ErrInterrupted), runErr != nil && ctx.Err() != nil:
		status.State = "interrupted"
	case runErr != nil:
		status = logger.Status{State: "failed", Reason: runErr.Error()}
	}
	if err := journal.Close(); err != nil {
		display.Emit(ui.Event{Time: time.Now(), Kind: ui.Warning, Message: err.Error()})
	}
	patience := 30 * time.Second
	if ctx.Err() != nil {
		patience = time.Second // whoever asked twice for the end waits for it
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := fanout.Close(closing, status); err != nil && ctx.Err() == nil {
		display.Emit(ui.Event{Time: time.Now(), Kind: ui.Warning, Message: err.Error()})
	}
	if runErr == nil {
		display.summarise()
	}
	return s.ended(ctx, dir, display, runErr)
}

// ended says how the run ended, and makes the exports that the run file asks for.
func (s *session) ended(ctx context.Context, dir *rundir.Dir, display ui.Display, runErr error) error {
	say := func(format string, args ...any) {
		display.Emit(ui.Event{Time: time.Now(), Kind: ui.End, Message: fmt.Sprintf(format, args...)})
	}
	folder := relative(dir.Path)
	switch {
	case errors.Is(runErr, train.ErrInterrupted):
		say("stopped; to go on: hone run -resume %s", folder)
		return runErr
	case runErr != nil:
		how := "the run ended"
		if ctx.Err() != nil {
			how, runErr = "stopped at once", fmt.Errorf("%w: %w", train.ErrInterrupted, runErr)
		}
		switch last, err := dir.LastCheckpoint(); {
		case err == nil && last != nil:
			say("%s; its last checkpoint is of step %d, to go on from it: hone run -resume %s", how, last.Step, folder)
		case ctx.Err() != nil:
			say("%s, before the first checkpoint; to begin again: hone run -resume %s", how, folder)
		}
		return s.explain(runErr)
	}
	for _, e := range s.run.Exports {
		path, err := s.app.exportRun(ctx, dir.Path, e.Kind, exportOptions{out: e.Path, dtype: e.Type})
		if err != nil {
			return fmt.Errorf("export %q: %w", e.Kind, err)
		}
		say("exported %s", relative(path))
	}
	if s.adapter != "" {
		say("finished; the adapter is %s, to talk to it: hone chat %s", relative(dir.Join(rundir.AdapterName)), folder)
	} else {
		say("finished; to write the model: hone export %s merged; to talk to it: hone chat %s", folder, folder)
	}
	return nil
}

// relative is path as people see it.
func relative(path string) string { return ui.Path(path) }
