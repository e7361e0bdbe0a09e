package metrics

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/honeml/hone/sdk/logger"
)

// A Connection is a logger plugin that runs.
type Connection interface {
	Logger() logger.Logger
	// Close ends the plugin's process; it may have ended already.
	Close(ctx context.Context) error
}

// A Sink is a logger that a run file names.
type Sink struct {
	Name string // as the run file's block is labelled
	// Start starts the plugin. It is called again after it died.
	Start func(ctx context.Context) (Connection, error)
	// Died reports whether an error means that the plugin's process ended, which
	// says nothing of its block; nil: none does.
	Died func(error) bool
	Run  logger.Run // what it is opened for
}

// A Fanout brings a journal's records to loggers, each at its own pace.
type Fanout struct {
	journal *Journal
	log     hclog.Logger
	workers []*worker
	wait    sync.WaitGroup
}

// Limits of a worker.
const (
	batchRecords = 256              // records a call of Log
	openTimeout  = 30 * time.Second // for a start, and for Open
	logTimeout   = 60 * time.Second // for Log; a logger that takes longer is started again
	firstStarts  = 3                // before the run ends because a logger dies as it begins
	maxRestarts  = 8                // in a row, without a record taken
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 10 * time.Second
)

type worker struct {
	sink    Sink
	log     hclog.Logger
	journal *Journal
	conn    Connection
	failed  int // starts in a row without progress
	stopped atomic.Bool
	cancel  context.CancelFunc
	notes   []string
	err     error // why the worker gave up
}

// NewFanout opens every sink and begins to bring it records. An error of a first
// start or Open is returned, so that a wrong block ends the run before it began,
// but that the plugin died is tried again. So are later errors, which are logged.
func NewFanout(ctx context.Context, j *Journal, log hclog.Logger, sinks []Sink) (*Fanout, error) {
	f := &Fanout{journal: j, log: log}
	// Workers outlive ctx, which may be the run's: what they log last is how it
	// ended. Close stops them.
	background := context.WithoutCancel(ctx)
	for _, sink := range sinks {
		workerCtx, cancel := context.WithCancel(background)
		w := &worker{sink: sink, log: log.Named(sink.Name), journal: j, cancel: cancel}
		position, err := w.openFirst(ctx)
		if err != nil {
			cancel()
			f.abort(ctx)
			return nil, fmt.Errorf("%w: %w", SinkError(sink.Name), err)
		}
		f.workers = append(f.workers, w)
		f.wait.Go(func() { w.run(workerCtx, position) })
	}
	return f, nil
}

// Notes are what the loggers say of where they write, by name.
func (f *Fanout) Notes() map[string][]string {
	out := map[string][]string{}
	for _, w := range f.workers {
		out[w.sink.Name] = w.notes
	}
	return out
}

// openFirst opens the logger as the run begins.
func (w *worker) openFirst(ctx context.Context) (Position, error) {
	for starts := 1; ; starts++ {
		position, err := w.open(ctx)
		if err == nil || starts == firstStarts || w.sink.Died == nil || !w.sink.Died(err) {
			return position, err
		}
		w.log.Warn("logger died as it began, starting it again", "error", err)
	}
}

// open starts the plugin and opens it; it returns what the logger already has.
func (w *worker) open(ctx context.Context) (Position, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	conn, err := w.sink.Start(ctx)
	if err != nil {
		return Position{}, err
	}
	run := w.sink.Run
	opened, err := conn.Logger().Open(ctx, &run)
	if err != nil {
		return Position{}, errors.Join(err, conn.Close(ctx))
	}
	w.conn, w.notes = conn, opened.Notes
	return Position{opened.Attempt, opened.Seq}, nil
}

// run brings records until the journal is closed and read to its end.
func (w *worker) run(ctx context.Context, from Position) {
	for {
		err := w.bring(ctx, from)
		if err == nil || w.stopped.Load() {
			return
		}
		w.log.Warn("logger failed, starting it again", "error", err)
		from, err = w.reopen(ctx)
		if err != nil {
			w.err = err
			if !w.stopped.Load() {
				w.log.Error("logger given up; its records are in metrics.jsonl", "error", err)
			}
			return
		}
	}
}

// bring gives the records after from to the open logger. It returns nil at the
// end of the journal.
func (w *worker) bring(ctx context.Context, from Position) error {
	c, err := newCursor(w.journal)
	if err != nil {
		return err
	}
	defer c.close()
	for {
		records, err := c.next(batchRecords, w.stopped.Load)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			return nil
		}
		for len(records) > 0 && !from.Before(Position{records[0].Attempt, records[0].Seq}) {
			records = records[1:]
		}
		if len(records) == 0 {
			continue
		}
		if err := w.send(ctx, records); err != nil {
			return err
		}
		w.failed = 0
	}
}

func (w *worker) send(ctx context.Context, records []logger.Record) error {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	return w.conn.Logger().Log(ctx, records)
}

// reopen starts the logger again, with pauses that grow.
func (w *worker) reopen(ctx context.Context) (Position, error) {
	pause := firstBackoff
	for {
		w.closeConnection(ctx)
		w.failed++
		if w.failed > maxRestarts {
			return Position{}, fmt.Errorf("it failed %d times in a row", w.failed)
		}
		select {
		case <-ctx.Done():
			return Position{}, ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, lastBackoff)
		position, err := w.open(ctx)
		if err == nil {
			return position, nil
		}
		w.log.Warn("logger did not start", "error", err)
	}
}

func (w *worker) closeConnection(ctx context.Context) {
	if w.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := w.conn.Close(ctx); err != nil {
		w.log.Debug("closing the plugin", "error", err)
	}
	w.conn = nil
}

// Close waits until each logger has every record of the closed journal, closes
// it with status and ends its process. ctx bounds all of it; what a logger did
// not take by then is named in the error, and remains in metrics.jsonl.
func (f *Fanout) Close(ctx context.Context, status logger.Status) error {
	finished := make(chan struct{})
	go func() { f.wait.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-ctx.Done():
		f.stop()
		<-finished
	}
	var errs []error
	for _, w := range f.workers {
		switch {
		case w.err != nil:
			errs = append(errs, fmt.Errorf("logger %q: %w", w.sink.Name, w.err))
		case w.stopped.Load():
			errs = append(errs, fmt.Errorf("logger %q did not take all records in time", w.sink.Name))
		case w.conn != nil:
			if err := w.conn.Logger().Close(ctx, status); err != nil {
				errs = append(errs, fmt.Errorf("logger %q: %w", w.sink.Name, err))
			}
		}
		w.closeConnection(context.WithoutCancel(ctx))
		w.cancel()
	}
	return errors.Join(errs...)
}

func (f *Fanout) stop() {
	for _, w := range f.workers {
		w.stopped.Store(true)
		w.cancel()
	}
	f.journal.wake()
}

// abort ends what a failed start has begun.
func (f *Fanout) abort(ctx context.Context) {
	f.stop()
	f.wait.Wait()
	for _, w := range f.workers {
		w.closeConnection(context.WithoutCancel(ctx))
	}
}

// A SinkError marks errors of the sink of that name: errors.Is(err,
// SinkError("wandb")).
type SinkError string

// Error names the logger.
func (e SinkError) Error() string { return fmt.Sprintf("logger %q", string(e)) }
