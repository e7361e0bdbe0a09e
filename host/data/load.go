package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/honeml/hone/sdk/fault"
)

// Load reads the files of spec and makes documents of their rows, in order. The
// report says what became of every row.
//
// Rows that cannot be used are a [*ProblemsError], after the report, unless their
// source leaves them out. Other errors are of files that cannot be read, or of
// rows that no setting could make use of.
func Load(ctx context.Context, spec Spec, encoder *Encoder) (*Dataset, *Report, error) {
	l := &loader{encoder: encoder, spec: spec, report: newReport()}
	if err := l.prepare(); err != nil {
		return nil, nil, err
	}
	if err := l.run(ctx); err != nil {
		return nil, nil, err
	}
	l.finishReport()
	if l.failed.Count > 0 {
		err := fault.New(fault.BadInput, "%w", &l.failed)
		if l.skippable {
			err = err.WithHint(`correct these rows, or set data.on_error = "skip" to leave them out`)
		}
		return nil, l.report, err
	}
	if l.report.Rows == 0 {
		return nil, l.report, fault.New(fault.BadInput, "the data has no rows: %s", listPaths(l.report.paths()))
	}
	if len(l.set.set.Documents) == 0 {
		return nil, l.report, fault.New(fault.BadInput, "no document is left of %d rows", l.report.Rows).
			WithHint("the report names the rows that were left out, and why")
	}
	return &l.set.set, l.report, nil
}

// A loader is one Load under way. The reader's goroutine makes batches of rows,
// workers encode them, and the collector takes them in order: whatever the
// workers' number, the data set is the same.
type loader struct {
	spec    Spec
	encoder *Encoder

	set       builder
	report    *Report
	straddles int
	failed    ProblemsError
	skippable bool // all that failed could be left out
}

// A batch is rows of one file, to be encoded by one worker.
type batch struct {
	source *Source
	path   string
	rows   []rawRow
	bytes  int

	file *FileReport // the file's, once it is read to its end

	done    chan struct{} // closed when the results are there
	results []result
	err     error // ends loading
}

// A result is what became of a row: documents, or a problem.
type result struct {
	row     *row // nil where it could not be read
	encoded *encoded
	problem *Problem
}

const (
	batchRows  = 64
	batchBytes = 256 << 10
	// inFlight bounds the bytes of rows that are read and not collected.
	// Hostile JSON takes some twenty times its size when parsed.
	inFlight = 64 << 20
	// tooMany problems end the reading of files that may not have any.
	tooMany = 100
)

func (l *loader) prepare() error {
	if l.spec.MaxLength < 2 {
		return fmt.Errorf("a greatest length of %d tokens: there have to be 2 at least, one to predict from", l.spec.MaxLength)
	}
	if len(l.spec.Sources) == 0 {
		return fmt.Errorf("no data sources")
	}
	sources := make([]Source, len(l.spec.Sources)) // the caller's stay as they are
	copy(sources, l.spec.Sources)
	for i := range sources {
		if err := sources[i].check(); err != nil {
			return err
		}
		if sources[i].AppendEOS == AppendAlways && l.encoder.EOS == NoToken {
			return fault.New(fault.BadInput, "end-of-sequence tokens are to be appended, and the tokenizer has none").
				WithHint("set data.append_eos = false")
		}
	}
	l.spec.Sources = sources
	return nil
}

func (l *loader) run(ctx context.Context) error {
	workers := l.spec.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	group, ctx := errgroup.WithContext(ctx)
	jobs := make(chan *batch, workers)
	ordered := make(chan *batch, inFlight/batchBytes)
	room := newRoom(inFlight)
	emit := func(b *batch) error {
		if err := room.take(ctx, b.bytes); err != nil {
			return err
		}
		for _, to := range []chan *batch{ordered, jobs} {
			select {
			case to <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
	group.Go(func() error {
		defer close(jobs)
		defer close(ordered)
		if err := l.read(ctx, emit); err != nil {
			// It takes its place after the rows before it.
			return emit(&batch{err: err, done: make(chan struct{})})
		}
		return nil
	})
	for range workers {
		group.Go(func() error {
			for b := range jobs {
				l.encode(ctx, b)
				close(b.done)
			}
			return nil
		})
	}
	group.Go(func() error {
		for b := range ordered {
			select {
			case <-b.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := l.collect(b); err != nil {
				return err
			}
			room.give(b.bytes)
		}
		return nil
	})
	err := group.Wait()
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// errEnough ends the reading when there are too many problems.
var errEnough = errors.New("enough problems")

// read makes batches of all files' rows.
func (l *loader) read(ctx context.Context, emit func(*batch) error) error {
	for i := range l.spec.Sources {
		source := &l.spec.Sources[i]
		for _, path := range source.Files {
			if err := l.readFile(ctx, source, path, emit); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loader) readFile(ctx context.Context, source *Source, path string, emit func(*batch) error) error {
	f, err := open(path)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	defer f.Close()
	reader, err := newRawReader(f, source.Format)
	if err != nil {
		return fmt.Errorf("data: %s: %w", path, err)
	}
	fresh := func() *batch { return &batch{source: source, path: path, done: make(chan struct{})} }
	b := fresh()
	rows := 0
	for {
		raw, err := reader.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if err := emit(b); err != nil {
				return err
			}
			return fmt.Errorf("data: %s: %w", path, err)
		}
		rows++
		b.rows = append(b.rows, raw)
		b.bytes += len(raw.data)
		if len(b.rows) >= batchRows || b.bytes >= batchBytes {
			if err := emit(b); err != nil {
				return err
			}
			b = fresh()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	report, err := f.finish()
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	report.Rows = rows
	b.file = &report
	return emit(b)
}

// encode fills in a batch's results.
func (l *loader) encode(ctx context.Context, b *batch) {
	b.results = make([]result, len(b.rows))
	for i, raw := range b.rows {
		r := &b.results[i]
		r.row, r.problem = parseRow(raw)
		if r.problem != nil {
			continue
		}
		var err error
		r.encoded, r.problem, err = l.encoder.encode(ctx, r.row, b.source)
		if err != nil {
			b.err = fmt.Errorf("data: %s: %w", where(b.path, raw.line), err)
			return
		}
	}
}

func where(path string, line int) string { return fmt.Sprintf("%s:%d", path, line) }
