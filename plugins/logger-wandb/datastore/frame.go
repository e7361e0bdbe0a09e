package datastore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The file begins with ":W&B", a magic number and a version. Behind it the
// framing is that of LevelDB's log, but for the checksum: blocks of 32 KiB,
// counted from the start of the file, hold chunks
//
//	uint32 CRC-32 (IEEE) of type and data | uint16 length | uint8 type | data
//
// in little-endian order. A record is one chunk, or several where it does not
// fit its block. A block's last bytes are zero where no chunk's head fits.
const (
	fileHead  = ":W&B\xe1\xbe\x00"
	blockSize = 32768
	chunkHead = 7

	chunkFull   = 1
	chunkFirst  = 2
	chunkMiddle = 3
	chunkLast   = 4
)

// MaxRecord is the longest record in bytes that a Reader accepts.
const MaxRecord = 1 << 28

// ErrTorn is the error of a log whose end is no whole record: its writer was
// killed, or is still writing, or the file is damaged there.
var ErrTorn = errors.New("the log ends in no whole record")

// ErrForeign is the error of a file that is no log.
var ErrForeign = errors.New("the file is no W&B transaction log")

// An Appender frames records for the end of a log.
type Appender struct {
	offset  int64 // where the next byte goes
	pending []byte
}

// NewAppender is an appender to a log of that many bytes; 0 for a new one, which
// then begins with the file's head.
func NewAppender(size int64) *Appender {
	a := &Appender{offset: size}
	if size == 0 {
		a.emit([]byte(fileHead))
	}
	return a
}

func (a *Appender) emit(b []byte) {
	a.pending = append(a.pending, b...)
	a.offset += int64(len(b))
}

// Add frames a record.
func (a *Appender) Add(record []byte) {
	if room := a.room(); room < chunkHead {
		a.emit(make([]byte, room))
	}
	for first := true; ; first = false {
		room := a.room() - chunkHead
		if len(record) <= room {
			a.chunk(pick(first, chunkFull, chunkLast), record)
			return
		}
		a.chunk(pick(first, chunkFirst, chunkMiddle), record[:room])
		record = record[room:]
	}
}

// room is what is left of the block that the next byte goes to.
func (a *Appender) room() int { return blockSize - int(a.offset%blockSize) }

func pick(first bool, yes, no byte) byte {
	if first {
		return yes
	}
	return no
}

func (a *Appender) chunk(kind byte, data []byte) {
	head := make([]byte, 0, chunkHead)
	head = binary.LittleEndian.AppendUint32(head, checksum(kind, data))
	head = binary.LittleEndian.AppendUint16(head, uint16(len(data)))
	a.emit(append(head, kind))
	a.emit(data)
}

func checksum(kind byte, data []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte{kind}), crc32.IEEETable, data)
}

// Take is the bytes to write for the records added since the last call. They are
// overwritten by the next Add.
func (a *Appender) Take() []byte {
	b := a.pending
	a.pending = a.pending[:0]
	return b
}

// A Reader reads the records of a log one after the other.
type Reader struct {
	r      io.Reader
	offset int64 // of what was read
	end    int64 // of the last whole record, or the file's head
	record []byte
}

// NewReader is a reader of the log in r, which should be buffered. A file that
// does not begin as a log is an error that wraps [ErrForeign], an empty one or
// one cut in its head one that wraps [ErrTorn].
func NewReader(r io.Reader) (*Reader, error) {
	head := make([]byte, len(fileHead))
	n, err := io.ReadFull(r, head)
	switch {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, err
	case string(head[:n]) != fileHead[:n]:
		return nil, fmt.Errorf("it begins with %q: %w", head[:n], ErrForeign)
	case n < len(head):
		return nil, fmt.Errorf("it has %d bytes: %w", n, ErrTorn)
	}
	return &Reader{r: r, offset: int64(n), end: int64(n)}, nil
}

// End is where the last record that Next returned ends: what a writer that goes
// on keeps of the file.
func (r *Reader) End() int64 { return r.end }

// Next is the next record; it is overwritten by the following call. The error is
// io.EOF after the last record, wraps [ErrTorn] where no whole record follows, or
// is that of reading.
func (r *Reader) Next() ([]byte, error) {
	if room := blockSize - int(r.offset%blockSize); room < chunkHead {
		padding := make([]byte, room)
		if err := r.read(padding, true); err != nil {
			return nil, err
		}
		if string(padding) != string(make([]byte, room)) {
			return nil, r.torn("the padding before byte %d is not zero", r.offset)
		}
	}
	r.record = r.record[:0]
	for first := true; ; first = false {
		kind, err := r.chunk(first)
		if err != nil {
			return nil, err
		}
		if starts := kind == chunkFull || kind == chunkFirst; starts != first {
			return nil, r.torn("a chunk of type %d before byte %d", kind, r.offset)
		}
		if len(r.record) > MaxRecord {
			return nil, r.torn("the record before byte %d has more than %d bytes", r.offset, MaxRecord)
		}
		if kind == chunkFull || kind == chunkLast {
			r.end = r.offset
			return r.record, nil
		}
	}
}

// chunk appends the next chunk's data to the record.
func (r *Reader) chunk(first bool) (kind byte, err error) {
	room := blockSize - int(r.offset%blockSize)
	var head [chunkHead]byte
	if err := r.read(head[:], first); err != nil {
		return 0, err
	}
	length, kind := int(binary.LittleEndian.Uint16(head[4:])), head[6]
	if kind < chunkFull || kind > chunkLast || length > room-chunkHead {
		return 0, r.torn("a chunk of type %d and %d bytes before byte %d", kind, length, r.offset)
	}
	start := len(r.record)
	r.record = append(r.record, make([]byte, length)...)
	if err := r.read(r.record[start:], false); err != nil {
		return 0, err
	}
	if checksum(kind, r.record[start:]) != binary.LittleEndian.Uint32(head[:]) {
		return 0, r.torn("the checksum of the chunk before byte %d is wrong", r.offset)
	}
	return kind, nil
}

// read fills b. Where the log may end, an end is io.EOF, elsewhere ErrTorn.
func (r *Reader) read(b []byte, mayEnd bool) error {
	n, err := io.ReadFull(r.r, b)
	r.offset += int64(n)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF) && mayEnd:
		return io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return r.torn("it ends at byte %d", r.offset)
	}
	return err
}

func (r *Reader) torn(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrTorn)
}
