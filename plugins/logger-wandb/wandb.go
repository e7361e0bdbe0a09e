package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/honeml/hone/plugins/logger-wandb/offline"
	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/plugin"
)

const version = "0.1.0"

// wandb is the logger. The host makes one call at a time.
type wandb struct {
	log hclog.Logger
	now func() time.Time

	opened   bool
	disabled bool
	run      *offline.Run // nil before Open, after Close and when disabled
}

func newWandb() *wandb { return &wandb{log: plugin.NewLogger("wandb"), now: time.Now} }

// Describe implements logger.Logger.
func (w *wandb) Describe(context.Context) (*logger.Description, error) {
	return &logger.Description{Name: "wandb", Version: version, Schema: schema(), Rewind: logger.Keep}, nil
}

// Open begins the W&B run, or goes on with the one that the run's folder notes.
func (w *wandb) Open(_ context.Context, run *logger.Run) (*logger.Opened, error) {
	if w.opened {
		return nil, fault.New(fault.OutOfOrder, "the logger is open already")
	}
	s, err := decode(run.Config)
	if err != nil {
		return nil, invalid(err)
	}
	if s.Mode == disabledMode {
		w.opened, w.disabled = true, true
		return &logger.Opened{Notes: []string{"W&B is disabled"}}, nil
	}
	id, folder, err := place(s.Dir, run)
	if err != nil {
		return nil, storage(err)
	}
	if w.run, err = offline.Open(folder, w.settings(s, id, run)); err != nil {
		return nil, storage(err)
	}
	w.opened = true
	last := w.run.Last()
	return &logger.Opened{
		Attempt: last.Attempt, Seq: last.Seq, Notes: []string{"wandb sync " + shown(folder)},
	}, nil
}

func (w *wandb) settings(s settings, id string, run *logger.Run) offline.Settings {
	name := s.Name
	if name == "" {
		name = run.Name
	}
	return offline.Settings{
		ID: id, Entity: s.Entity, Project: s.Project, Name: name, Group: s.Group, JobType: s.JobType,
		Notes: s.Notes, Tags: s.Tags, Directory: run.Directory, Attempt: run.Attempt, Start: run.Start,
		Config: run.Hyperparameters, Producer: "hone-plugin-logger-wandb " + version, Warn: w.log.Warn,
	}
}

// Log writes records, each as a row of the run's history.
func (w *wandb) Log(ctx context.Context, records []logger.Record) error {
	if w.disabled {
		return nil
	}
	if w.run == nil {
		return fault.New(fault.OutOfOrder, "the logger is not open")
	}
	err := w.run.Log(ctx, records)
	if err != nil && ctx.Err() == nil {
		return storage(err)
	}
	return err
}

// Close ends the W&B run. A run that is resumed takes its end back.
func (w *wandb) Close(_ context.Context, status logger.Status) error {
	if w.run == nil {
		return nil
	}
	end := offline.End{Time: w.now(), Line: "hone: the run " + status.State}
	switch status.State {
	case "finished":
	case "interrupted":
		end.Code, end.Line = 255, "hone: the run was interrupted" // what wandb gives for Ctrl-C
	default:
		end.Code = 1
	}
	if status.Reason != "" {
		end.Line += ": " + status.Reason
	}
	err := w.run.Close(end)
	w.run = nil
	if err != nil {
		return storage(err)
	}
	return nil
}

// shown is the folder to give to wandb sync, short where it can be.
func shown(dir string) string {
	if here, err := os.Getwd(); err == nil {
		if short, err := filepath.Rel(here, dir); err == nil && !strings.HasPrefix(short, "..") {
			dir = short
		}
	}
	if strings.ContainsAny(dir, " \t'\"$&;()") {
		return "'" + strings.ReplaceAll(dir, "'", `'\''`) + "'"
	}
	return dir
}

// invalid is an error in the plugin's block.
func invalid(err error) error {
	e := fault.New(fault.InvalidConfig, "the block of logger \"wandb\" is wrong")
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

var _ logger.Logger = (*wandb)(nil)
