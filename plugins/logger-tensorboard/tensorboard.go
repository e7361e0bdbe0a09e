package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/honeml/hone/plugins/logger-tensorboard/events"
	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/plugin"
)

// endSuffix ends the name of the file that says how the run ended. TensorBoard
// keeps the first end that it reads, so a run that goes on after a failure
// removes that file; the others are only ever added to.
const endSuffix = ".end"

// tensorboard is the logger. The host makes one call at a time.
type tensorboard struct {
	log hclog.Logger
	now func() time.Time

	run      *logger.Run // nil before Open
	dir      string
	file     *events.File // nil once closed
	last     events.Mark  // of the last record that the files hold
	lastStep int64        // of that record
}

func newTensorboard() *tensorboard {
	return &tensorboard{log: plugin.NewLogger("tensorboard"), now: time.Now}
}

// Describe implements logger.Logger.
func (t *tensorboard) Describe(context.Context) (*logger.Description, error) {
	return &logger.Description{
		Name: "tensorboard", Version: "0.1.0", Schema: schema(), Rewind: logger.Purge,
	}, nil
}

// Open finds out what the files of the run's earlier lives hold and begins a new
// one.
func (t *tensorboard) Open(_ context.Context, run *logger.Run) (*logger.Opened, error) {
	if t.run != nil {
		return nil, fault.New(fault.OutOfOrder, "the logger is open already")
	}
	var s settings
	if err := config.Decode(run.Config, &s); err != nil {
		return nil, invalid(err)
	}
	dir, err := eventFolder(s, run.Directory)
	if err != nil {
		return nil, storage(err)
	}
	found, err := events.Recover(dir)
	if err != nil {
		return nil, storage(err)
	}
	if t.file, err = t.begin(dir, run, found); err != nil {
		return nil, storage(err)
	}
	t.run, t.dir, t.last, t.lastStep = run, dir, found.Mark, found.Step
	return &logger.Opened{
		Attempt: found.Mark.Attempt, Seq: found.Mark.Seq,
		Notes: []string{"tensorboard --logdir " + shown(s, dir)},
	}, nil
}

// begin makes the new event file. Its name must be chosen before an older file is
// removed: readers go by the names' order.
func (t *tensorboard) begin(dir string, run *logger.Run, found events.Recovered) (*events.File, error) {
	file, err := events.Create(dir, t.now(), "")
	if err != nil {
		return nil, err
	}
	hparams := hyperparameters(run.Hyperparameters)
	head := []events.Event{{Time: run.Start, Values: []events.Value{
		events.Experiment(run.Name, run.Start, hparams, []string{"train/loss", "eval/loss"}),
		events.SessionStart(hparams, "", run.Start),
	}}}
	if found.Mark == (events.Mark{}) {
		// TensorBoard takes a run's first restart mark for its start and purges at
		// the following ones alone.
		head = append(head, events.Event{Time: run.Start, Restart: true})
	}
	for _, e := range head {
		if err := file.Write(e); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	if err := events.RemoveSuffixed(dir, endSuffix); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Log writes records, each as one event.
func (t *tensorboard) Log(ctx context.Context, records []logger.Record) error {
	if t.file == nil {
		return fault.New(fault.OutOfOrder, "the logger is not open")
	}
	for i := range records {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.write(&records[i]); err != nil {
			return storage(err)
		}
	}
	return nil
}

func (t *tensorboard) write(r *logger.Record) error {
	mark := events.Mark{Attempt: r.Attempt, Seq: r.Seq}
	if !mark.After(t.last) {
		return nil
	}
	if rewound := t.last.Attempt > 0 && r.Attempt > t.last.Attempt && r.Step <= t.lastStep; rewound {
		if err := t.file.Write(events.Event{Time: r.Time, Step: r.Step, Restart: true}); err != nil {
			return err
		}
	}
	event := events.Event{Time: r.Time, Step: r.Step, Mark: mark, Values: t.values(r)}
	if err := t.file.Write(event); err != nil {
		return err
	}
	t.last, t.lastStep = mark, r.Step
	return nil
}

// Close says how the run ended and closes the files. An interrupted run has not
// ended: it can be gone on with.
func (t *tensorboard) Close(_ context.Context, status logger.Status) error {
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file = nil
	switch status.State {
	case "finished":
		err = errors.Join(err, t.end(events.Success))
	case "failed":
		err = errors.Join(err, t.end(events.Failure))
	}
	if err != nil {
		return storage(err)
	}
	return nil
}

func (t *tensorboard) end(status events.SessionStatus) error {
	now := t.now()
	file, err := events.Create(t.dir, now, endSuffix)
	if err != nil {
		return err
	}
	err = file.Write(events.Event{Time: now, Values: []events.Value{events.SessionEnd(status, now)}})
	return errors.Join(err, file.Close())
}

// shown is the folder to give to tensorboard, short where it can be.
func shown(s settings, dir string) string {
	if s.LogDir != "" {
		dir = filepath.Dir(dir)
	}
	if here, err := os.Getwd(); err == nil {
		if short, err := filepath.Rel(here, dir); err == nil && !strings.HasPrefix(short, "..") {
			dir = short
		}
	}
	if strings.ContainsAny(dir, " \t'\"$&;()") {
		return fmt.Sprintf("'%s'", strings.ReplaceAll(dir, "'", `'\''`))
	}
	return dir
}

// invalid is an error in the plugin's block.
func invalid(err error) error {
	e := fault.New(fault.InvalidConfig, "the block of logger \"tensorboard\" is wrong")
	e.Cause = err
	if !errors.As(err, &e.Diagnostics) {
		e.Diagnostics = config.Errorf(nil, "%v", err)
	}
	return e
}

// storage is an error of files.
func storage(err error) error {
	return fault.New(fault.Storage, "%w", err).
		WithHint("no record is lost: metrics.jsonl in the run's folder has them all, and they are written once this is mended")
}

var _ logger.Logger = (*tensorboard)(nil)
