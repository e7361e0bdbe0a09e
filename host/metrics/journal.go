package metrics

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/honeml/hone/sdk/logger"
)

// A Position names a record. The zero Position is before the first.
type Position struct{ Attempt, Seq int64 }

// Before reports whether p comes before q. Seq never restarts, so it decides.
func (p Position) Before(q Position) bool { return p.Seq < q.Seq }

// A Journal is metrics.jsonl, open for the run that writes it. Append may be
// called from one goroutine at a time; the other methods from any.
type Journal struct {
	path    string
	file    *os.File
	attempt int64

	mu      sync.Mutex
	changed *sync.Cond
	queue   []*logger.Record // appended, not yet written
	seq     int64            // of the last appended record
	written int64            // bytes in the file that are whole lines
	pending int              // queued or being written
	closed  bool             // no more records come
	err     error            // the first failure to write
	done    chan struct{}    // the writer has ended
}

// OpenJournal opens the journal at path, or begins it, for a new attempt. A torn
// last line, left by a host that was killed, is cut off.
func OpenJournal(path string) (*Journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	last, end, err := scan(file)
	if err == nil {
		err = file.Truncate(end)
	}
	if err == nil {
		_, err = file.Seek(end, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("metrics: %s: %w", path, err)
	}
	j := &Journal{
		path: path, file: file, attempt: last.Attempt + 1, seq: last.Seq, written: end, done: make(chan struct{}),
	}
	j.changed = sync.NewCond(&j.mu)
	go j.write()
	return j, nil
}

// scan finds the last record and the end of the last whole line.
func scan(r io.Reader) (last Position, end int64, err error) {
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		data, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return last, end, nil
		}
		if err != nil {
			return last, end, err
		}
		record, err := Decode(bytes.TrimSuffix(data, []byte{'\n'}))
		if err != nil {
			return last, end, fmt.Errorf("byte %d: %w", end, err)
		}
		last = Position{max(last.Attempt, record.Attempt), max(last.Seq, record.Seq)}
		end += int64(len(data))
	}
}

// Attempt is the attempt under which records are appended now.
func (j *Journal) Attempt() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.attempt
}

// NextAttempt begins a new attempt: steps that were logged may be logged again.
func (j *Journal) NextAttempt() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.attempt++
}

// Append takes a record, numbers it and returns at once; it is written soon.
func (j *Journal) Append(r *logger.Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	r.Attempt, r.Seq = j.attempt, j.seq
	j.queue = append(j.queue, r)
	j.pending++
	j.changed.Broadcast()
}

// write is the writer: it takes what is queued and puts it into the file. Once
// something could not be written, nothing after it is: no record is missing between
// two that are there.
func (j *Journal) write() {
	defer close(j.done)
	for {
		j.mu.Lock()
		for len(j.queue) == 0 && !j.closed {
			j.changed.Wait()
		}
		batch, failed := j.queue, j.err != nil
		j.queue = nil
		j.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		var n int64
		var err error
		if !failed {
			n, err = j.writeBatch(batch)
		}
		j.mu.Lock()
		j.written += n
		j.pending -= len(batch)
		if j.err == nil && err != nil {
			j.err = fmt.Errorf("metrics: %w", err)
		}
		j.changed.Broadcast()
		j.mu.Unlock()
	}
}

// writeBatch writes whole lines; after a failure, which leaves a torn one, it
// cuts the file back.
func (j *Journal) writeBatch(batch []*logger.Record) (int64, error) {
	var lines bytes.Buffer
	for _, r := range batch {
		data, err := Encode(r)
		if err != nil {
			return 0, err
		}
		lines.Write(data)
		lines.WriteByte('\n')
	}
	n, err := j.file.Write(lines.Bytes())
	if err != nil {
		end, seekErr := j.file.Seek(-int64(n), io.SeekCurrent)
		if seekErr == nil {
			seekErr = j.file.Truncate(end)
		}
		return 0, errors.Join(err, seekErr)
	}
	return int64(n), nil
}

// Sync returns when every record appended so far is on the disk, or cannot be.
func (j *Journal) Sync() error {
	j.mu.Lock()
	for j.pending > 0 {
		j.changed.Wait()
	}
	err := j.err
	j.mu.Unlock()
	if err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// Close writes what is queued, syncs and closes. Readers end after the last
// record.
func (j *Journal) Close() error {
	j.mu.Lock()
	j.closed = true
	j.changed.Broadcast()
	j.mu.Unlock()
	<-j.done
	err := j.Sync()
	return errors.Join(err, j.file.Close())
}

// await returns how far the file is written once that is beyond from, and
// whether more may come. stop ends the wait.
func (j *Journal) await(from int64, stopped func() bool) (written int64, more bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	ended := func() bool { return j.closed && j.pending == 0 }
	for j.written <= from && !ended() && !stopped() {
		j.changed.Wait()
	}
	return j.written, !ended()
}

// wake makes waiting readers look at their stop condition again.
func (j *Journal) wake() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.changed.Broadcast()
}
