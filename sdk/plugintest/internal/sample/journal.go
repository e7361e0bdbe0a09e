package sample

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/logger"
)

// A Journal is a logger plugin that writes a line a record into journal.jsonl.
type Journal struct {
	// Buffered keeps lines in memory until Close, which loses them when the process
	// is killed.
	Buffered bool

	file *os.File
	out  *bufio.Writer
	last logger.Opened
}

// line is a record of the journal. Numbers are text: JSON has no NaN.
type line struct {
	Attempt int64             `json:"attempt"`
	Seq     int64             `json:"seq"`
	Step    int64             `json:"step"`
	Scalars map[string]string `json:"scalars,omitempty"`
	Texts   map[string]string `json:"texts,omitempty"`
}

// Describe says what it is.
func (*Journal) Describe(context.Context) (*logger.Description, error) {
	return &logger.Description{
		Name: "journal", Version: "1.0.0", Rewind: logger.Keep,
		Schema: config.Schema{Attributes: []config.Attribute{{
			Name: "file", Type: config.Of(config.String), Doc: "The file's name, in the run's folder.", Default: "journal.jsonl",
		}}},
	}, nil
}

// Open reads what is there.
func (j *Journal) Open(_ context.Context, run *logger.Run) (*logger.Opened, error) {
	settings := struct {
		File string `config:"file"`
	}{"journal.jsonl"}
	if err := config.Decode(run.Config, &settings); err != nil {
		return nil, err
	}
	path := filepath.Join(run.Directory, settings.File)
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fault.New(fault.Storage, "%w", err)
	}
	whole := bytes.LastIndexByte(data, '\n') + 1 // a line that a crash cut short has no end
	for text := range bytes.Lines(data[:whole]) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, fault.New(fault.Storage, "%s: %w", path, err)
		}
		j.last.Attempt, j.last.Seq = l.Attempt, l.Seq
	}
	if j.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644); err != nil {
		return nil, fault.New(fault.Storage, "%w", err)
	}
	if err := j.file.Truncate(int64(whole)); err != nil {
		return nil, fault.New(fault.Storage, "%w", err)
	}
	if _, err := j.file.Seek(int64(whole), 0); err != nil {
		return nil, fault.New(fault.Storage, "%w", err)
	}
	j.out = bufio.NewWriterSize(j.file, 1<<20)
	opened := j.last
	opened.Notes = []string{path}
	return &opened, nil
}

// Log writes records that are not there yet.
func (j *Journal) Log(_ context.Context, records []logger.Record) error {
	if j.out == nil {
		return fault.New(fault.OutOfOrder, "Open has to come first")
	}
	encoder := json.NewEncoder(j.out)
	for _, r := range records {
		if r.Attempt < j.last.Attempt || r.Attempt == j.last.Attempt && r.Seq <= j.last.Seq {
			continue
		}
		l := line{Attempt: r.Attempt, Seq: r.Seq, Step: r.Step, Texts: r.Texts, Scalars: map[string]string{}}
		for name, v := range r.Scalars {
			l.Scalars[name] = fmt.Sprint(v)
		}
		if err := encoder.Encode(l); err != nil {
			return fault.New(fault.Storage, "%w", err)
		}
		j.last.Attempt, j.last.Seq = r.Attempt, r.Seq
	}
	if j.Buffered {
		return nil
	}
	return j.flush()
}

// Forget makes the journal take records again that it has.
func (j *Journal) Forget() { j.last = logger.Opened{} }

func (j *Journal) flush() error {
	if err := j.out.Flush(); err != nil {
		return fault.New(fault.Storage, "%w", err)
	}
	return nil
}

// Close ends the file.
func (j *Journal) Close(context.Context, logger.Status) error {
	if j.out == nil {
		return nil
	}
	return errors.Join(j.flush(), j.file.Close())
}

// ReadJournal gives the (attempt, seq) of each line of a run's journal.
func ReadJournal(directory string) ([][2]int64, error) {
	data, err := os.ReadFile(filepath.Join(directory, "journal.jsonl"))
	if err != nil {
		return nil, err
	}
	var out [][2]int64
	for text := range bytes.Lines(data) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, err
		}
		out = append(out, [2]int64{l.Attempt, l.Seq})
	}
	return out, nil
}

// Interface guard.
var _ logger.Logger = (*Journal)(nil)
