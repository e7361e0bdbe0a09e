package events

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A frame is
//
//	uint64 length | uint32 masked CRC of length | payload | uint32 masked CRC of payload
//
// in little-endian order.
const (
	frameHead = 12
	frameTail = 4
)

// MaxFrame is the longest payload in bytes that a FrameReader accepts. The
// longest that anyone writes are images, which stay far below it.
const MaxFrame = 1 << 30

// ErrTorn is the error of a frame that ends before its length says so: its
// writer was killed, or is still writing.
var ErrTorn = errors.New("the last frame is incomplete")

// ErrChecksum is the error of a frame whose bytes are not those that were
// written. Nothing after it can be read.
var ErrChecksum = errors.New("checksum mismatch")

// maskedCRC is the Castagnoli CRC of b, rotated by 15 bits and offset, so that a
// checksum over data that contains checksums stays sound.
func maskedCRC(b []byte) uint32 {
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}

// AppendFrame appends payload, framed, to dst.
func AppendFrame(dst, payload []byte) []byte {
	head := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(payload)))
	dst = binary.LittleEndian.AppendUint32(dst, maskedCRC(dst[head:]))
	dst = append(dst, payload...)
	return binary.LittleEndian.AppendUint32(dst, maskedCRC(payload))
}

// A FrameReader reads frames one after the other.
type FrameReader struct {
	r      io.Reader
	offset int64
	buffer bytes.Buffer
}

// NewFrameReader is a reader of the frames in r, which should be buffered.
func NewFrameReader(r io.Reader) *FrameReader { return &FrameReader{r: r} }

// Offset is the number of bytes of all frames that Next has returned.
func (f *FrameReader) Offset() int64 { return f.offset }

// Next is the payload of the next frame; it is overwritten by the following
// call. The error is io.EOF after the last frame, or wraps [ErrTorn] or
// [ErrChecksum]. Memory grows with the bytes that are there, not with the length
// that a damaged frame claims.
func (f *FrameReader) Next() ([]byte, error) {
	var head [frameHead]byte
	if n, err := io.ReadFull(f.r, head[:]); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, f.fail(err)
	}
	length := binary.LittleEndian.Uint64(head[:8])
	if maskedCRC(head[:8]) != binary.LittleEndian.Uint32(head[8:]) {
		return nil, fmt.Errorf("the length of the frame at byte %d: %w", f.offset, ErrChecksum)
	}
	if length > MaxFrame {
		return nil, fmt.Errorf("the frame at byte %d has %d bytes, more than the %d that an event may have", f.offset, length, MaxFrame)
	}
	f.buffer.Reset()
	if _, err := io.CopyN(&f.buffer, f.r, int64(length)+frameTail); err != nil {
		return nil, f.fail(err)
	}
	payload, tail := f.buffer.Bytes()[:length], f.buffer.Bytes()[length:]
	if maskedCRC(payload) != binary.LittleEndian.Uint32(tail) {
		return nil, fmt.Errorf("the payload of the frame at byte %d: %w", f.offset, ErrChecksum)
	}
	f.offset += frameHead + int64(length) + frameTail
	return payload, nil
}

// fail names the offset of a read error, and calls an early end ErrTorn.
func (f *FrameReader) fail(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrTorn
	}
	return fmt.Errorf("the frame at byte %d: %w", f.offset, err)
}
