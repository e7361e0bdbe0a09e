package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// maxRow bounds a row, in bytes: beyond any context a model has, and small
// enough that several can be under way.
const maxRow = 16 << 20

// A rawRow is a row as it stands in its file.
type rawRow struct {
	line int // from 1; where it begins
	data []byte
	text bool     // a line of plain text, not JSON
	lost *Problem // why there is no data
}

// A rawReader gives the rows of a file one by one, io.EOF after the last. Any
// other error means that the rest of the file cannot be read.
type rawReader interface {
	next() (rawRow, error)
}

// newRawReader is the reader for a file's format.
func newRawReader(f *openFile, format Format) (rawReader, error) {
	if format == FormatAuto {
		var err error
		if format, err = detectFormat(f); err != nil {
			return nil, err
		}
	}
	switch format {
	case FormatText:
		return &lineReader{from: f.Reader, text: true}, nil
	case FormatJSON:
		return &arrayReader{from: f.Reader, line: 1}, nil
	}
	return &lineReader{from: f.Reader}, nil
}

// detectFormat goes by the file's name, and by its first character where the
// name says JSON or nothing: rows are objects, so "[" begins an array of them
// even in a .jsonl file.
func detectFormat(f *openFile) (Format, error) {
	name := strings.ToLower(filepath.Base(f.path))
	name = strings.TrimSuffix(name, ".gz")
	switch filepath.Ext(name) {
	case ".txt", ".text":
		return FormatText, nil
	case ".csv", ".tsv", ".xlsx":
		return "", fmt.Errorf("a table: hone reads .jsonl, .json and .txt files, gzipped too; convert it to one JSON object a line")
	case ".json", ".jsonl", ".ndjson":
		if firstCharacter(f.Reader) == '[' {
			return FormatJSON, nil
		}
		return FormatJSONLines, nil
	}
	switch firstCharacter(f.Reader) {
	case '[':
		return FormatJSON, nil
	case '{':
		return FormatJSONLines, nil
	}
	return "", fmt.Errorf("neither its name nor its first character says what it is: hone reads .jsonl, .json and .txt files, gzipped too")
}

// firstCharacter is the first byte that is no white space, of those at hand.
func firstCharacter(r *bufio.Reader) byte {
	head, _ := r.Peek(4096) // at the end of the file, what there is
	if head = bytes.TrimLeft(head, " \t\r\n"); len(head) > 0 {
		return head[0]
	}
	return 0
}

// A lineReader gives each line that is not blank.
type lineReader struct {
	from *bufio.Reader
	text bool
	line int
}

func (r *lineReader) next() (rawRow, error) {
	for {
		data, tooLong, err := r.readLine()
		if err != nil {
			return rawRow{}, err
		}
		row := rawRow{line: r.line, data: data, text: r.text}
		if tooLong {
			row.lost = problem(Broken, "a line of more than %d MiB", maxRow>>20)
			row.data = nil
			return row, nil
		}
		if len(bytes.TrimSpace(data)) > 0 {
			return row, nil
		}
	}
}

// readLine is the next line without its end, in memory of its own. Of a line
// that is too long nothing is kept.
func (r *lineReader) readLine() (line []byte, tooLong bool, err error) {
	const most = maxRow + len("\r\n")
	r.line++
	for {
		part, err := r.from.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > most; tooLong {
			line = nil
		} else {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0 && !tooLong) {
			return nil, false, err
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		return line, tooLong || len(line) > maxRow, nil
	}
}

var _ rawReader = (*lineReader)(nil)
