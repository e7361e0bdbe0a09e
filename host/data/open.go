package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// What a compressed file may grow to: JSON and prose shrink by a factor of 3 to
// 20, rows that repeat each other by some 100. Data beyond growth times the size
// read so far, and beyond growthFree bytes, is refused: a file made to fill the
// disk or the memory of whoever opens it.
const (
	growth     = 250
	growthFree = 64 << 20
)

// An openFile is a file of a user under way: unzipped, without its byte order
// mark.
type openFile struct {
	path string
	file *os.File
	raw  *hashingReader
	*bufio.Reader
}

// open opens a regular file for reading.
func open(path string) (*openFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder, not a file", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file: a run reads its data more than once", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	raw := &hashingReader{from: f, hash: sha256.New()}
	buffered, err := decompress(raw)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &openFile{path: path, file: f, raw: raw, Reader: buffered}, nil
}

// finish reads what is left, so that the report's checksum is the whole file's.
func (f *openFile) finish() (FileReport, error) {
	if _, err := io.Copy(io.Discard, f.raw); err != nil {
		return FileReport{}, fmt.Errorf("%s: %w", f.path, err)
	}
	return FileReport{Path: f.path, Bytes: f.raw.bytes, SHA256: hex.EncodeToString(f.raw.hash.Sum(nil))}, nil
}

// Close closes the file.
func (f *openFile) Close() error { return f.file.Close() }

// decompress is the text in raw, by its first bytes and not by its name.
func decompress(raw *hashingReader) (*bufio.Reader, error) {
	buffered := bufio.NewReaderSize(raw, 64<<10)
	head, err := buffered.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.Equal(head, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, err
		}
		buffered = bufio.NewReaderSize(&growthReader{from: unzipped, raw: raw}, 64<<10)
	}
	return buffered, checkHead(buffered)
}

// heads are the first bytes of files that hold no text, or text that has to be
// converted.
var heads = []struct{ head, message string }{
	{"PAR1", "a Parquet file: hone reads JSON and text; convert it"},
	{"ARROW1", "an Arrow file: hone reads JSON and text; convert it"},
	{"PK\x03\x04", "a zip archive: unpack it"},
	{"\x28\xb5\x2f\xfd", "compressed with zstd: of compressed files, hone reads gzip"},
	{"\xfd7zXZ\x00", "compressed with xz: of compressed files, hone reads gzip"},
	{"BZh", "compressed with bzip2: of compressed files, hone reads gzip"},
	{"\x1f\x8b", "compressed twice: unzip it once"},
	{"\xff\xfe", "text in UTF-16: save it as UTF-8"},
	{"\xfe\xff", "text in UTF-16: save it as UTF-8"},
	{"version https://git-lfs", "a pointer of Git LFS, not the file itself: run git lfs pull"},
}

// checkHead skips a byte order mark and refuses what is surely no text.
func checkHead(r *bufio.Reader) error {
	head, err := r.Peek(32)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for _, h := range heads {
		if bytes.HasPrefix(head, []byte(h.head)) {
			return errors.New(h.message)
		}
	}
	if bytes.HasPrefix(head, []byte("\ufeff")) {
		_, err = r.Discard(3)
		return err
	}
	return nil
}

// A hashingReader counts and hashes what is read.
type hashingReader struct {
	from  io.Reader
	hash  hash.Hash
	bytes int64
}

// Read reads from the file.
func (r *hashingReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.hash.Write(p[:n])
	r.bytes += int64(n)
	return n, err
}

// A growthReader ends with an error where data grows out of proportion.
type growthReader struct {
	from  io.Reader
	raw   *hashingReader
	bytes int64
}

// Read reads unzipped data.
func (r *growthReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.bytes += int64(n)
	if r.bytes > growthFree && r.bytes > growth*r.raw.bytes {
		return 0, fmt.Errorf("it unzips to more than %d times its size; unzip it yourself if it is what it should be", growth)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("the compressed data is cut short: %w", err)
	}
	return n, err
}

var (
	_ io.Reader = (*hashingReader)(nil)
	_ io.Reader = (*growthReader)(nil)
)
