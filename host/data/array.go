package data

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// An arrayReader gives the elements of a JSON array as they stand, without
// holding more than one. It tells where an element ends by brackets and quotes;
// whether it is sound JSON is found out by whoever parses it.
type arrayReader struct {
	from    *bufio.Reader
	line    int // of the next byte, from 1
	started bool
	ended   bool
}

func (r *arrayReader) next() (rawRow, error) {
	if r.ended {
		return rawRow{}, io.EOF
	}
	first, err := r.beginElement()
	if err != nil {
		return rawRow{}, err
	}
	if first == ']' {
		r.ended = true
		if c, err := r.skipSpace(); err == nil {
			return rawRow{}, fmt.Errorf("line %d: %q after the end of the array", r.line, c)
		} else if !errors.Is(err, io.EOF) {
			return rawRow{}, err
		}
		return rawRow{}, io.EOF
	}
	return r.element(first)
}

// beginElement reads up to the first byte of the next element, or the array's
// end.
func (r *arrayReader) beginElement() (byte, error) {
	c, err := r.skipSpace()
	switch {
	case errors.Is(err, io.EOF) && !r.started:
		r.ended = true // an empty file holds no rows
		return 0, io.EOF
	case errors.Is(err, io.EOF):
		return 0, fmt.Errorf("line %d: the array has no end; the file is cut short", r.line)
	case err != nil:
		return 0, err
	}
	if !r.started {
		if c != '[' {
			return 0, fmt.Errorf("line %d: %q where an array of rows should begin", r.line, c)
		}
		r.started = true
		c, err = r.skipSpace()
		if err == nil && c == ',' {
			return 0, fmt.Errorf("line %d: a comma without a row before it", r.line)
		}
		return c, r.noEnd(err)
	}
	switch c {
	case ']':
		return c, nil
	case ',':
		c, err = r.skipSpace()
		if err == nil && (c == ']' || c == ',') {
			return 0, fmt.Errorf("line %d: a comma without a row after it", r.line)
		}
		return c, r.noEnd(err)
	}
	return 0, fmt.Errorf("line %d: %q where a comma or the array's end should be", r.line, c)
}

func (r *arrayReader) noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("line %d: the array has no end; the file is cut short", r.line)
	}
	return err
}

func (r *arrayReader) skipSpace() (byte, error) {
	for {
		c, err := r.read()
		if err != nil {
			return 0, err
		}
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c, nil
		}
	}
}

// read is the next byte; r.line counts the newlines before it.
func (r *arrayReader) read() (byte, error) {
	c, err := r.from.ReadByte()
	if c == '\n' && err == nil {
		r.line++
	}
	return c, err
}

// element reads the rest of an element.
func (r *arrayReader) element(first byte) (rawRow, error) {
	row := rawRow{line: r.line}
	var scan elementScanner
	tooLong := false
	for c := first; ; {
		if !tooLong {
			row.data = append(row.data, c)
			tooLong = len(row.data) > maxRow
		}
		scan.take(c)
		if scan.complete() {
			break
		}
		if scan.depth == 0 && !scan.quoted { // a number or a word: ends before , or ]
			if next, err := r.from.Peek(1); err == nil && (next[0] == ',' || next[0] == ']') {
				break
			}
		}
		var err error
		if c, err = r.read(); err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("line %d: the row that begins here has no end", row.line)
			}
			return rawRow{}, err
		}
	}
	if tooLong {
		row.data, row.lost = nil, problem(Broken, "a row of more than %d MiB", maxRow>>20)
	}
	return row, nil
}

// An elementScanner knows how deep in brackets and quotes it is.
type elementScanner struct {
	depth           int
	quoted, escaped bool
	closed          bool // the last byte closed a bracket or a quote
}

func (s *elementScanner) take(c byte) {
	s.closed = false
	switch {
	case s.escaped:
		s.escaped = false
	case s.quoted:
		s.escaped = c == '\\'
		s.closed = c == '"'
		s.quoted = !s.closed
	case c == '"':
		s.quoted = true
	case c == '{' || c == '[':
		s.depth++
	case c == '}' || c == ']':
		s.depth--
		s.closed = true
	}
}

// complete reports whether the last byte ended an object, array or string.
func (s *elementScanner) complete() bool { return s.closed && s.depth <= 0 }

var _ rawReader = (*arrayReader)(nil)
