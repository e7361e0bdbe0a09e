package metrics

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/honeml/hone/sdk/logger"
)

// Read gives each record of the journal at path to f, in the order in which they
// were written. A torn last line is passed over.
func Read(path string, f func(*logger.Record) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<16)
	for n := 1; ; n++ {
		data, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
		record, err := Decode(bytes.TrimSuffix(data, []byte{'\n'}))
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if err := f(record); err != nil {
			return err
		}
	}
}

// Latest reads the journal at path and keeps, of each step, the records of its
// highest attempt, in order.
func Latest(path string) ([]*logger.Record, error) {
	var all []*logger.Record
	highest := map[int64]int64{}
	err := Read(path, func(r *logger.Record) error {
		all = append(all, r)
		highest[r.Step] = max(highest[r.Step], r.Attempt)
		return nil
	})
	if err != nil {
		return nil, err
	}
	kept := all[:0]
	for _, r := range all {
		if r.Attempt == highest[r.Step] {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// A cursor follows a journal that is being written.
type cursor struct {
	journal *Journal
	file    *os.File
	in      *bufio.Reader
	at      int64 // bytes read
}

func newCursor(j *Journal) (*cursor, error) {
	file, err := os.Open(j.path)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return &cursor{journal: j, file: file, in: bufio.NewReaderSize(file, 1<<16)}, nil
}

// next waits for records and returns up to limit of them; none means that the
// journal is closed and read to its end, or that stopped.
func (c *cursor) next(limit int, stopped func() bool) ([]logger.Record, error) {
	written, more := c.journal.await(c.at, stopped)
	var out []logger.Record
	for c.at < written && len(out) < limit {
		data, err := c.in.ReadBytes('\n')
		if err != nil {
			return nil, fmt.Errorf("metrics: %s: byte %d: %w", c.journal.path, c.at, err)
		}
		record, err := Decode(bytes.TrimSuffix(data, []byte{'\n'}))
		if err != nil {
			return nil, fmt.Errorf("metrics: %s: byte %d: %w", c.journal.path, c.at, err)
		}
		c.at += int64(len(data))
		out = append(out, *record)
	}
	if len(out) == 0 && more && !stopped() {
		return nil, io.ErrNoProgress
	}
	return out, nil
}

func (c *cursor) close() { c.file.Close() }
