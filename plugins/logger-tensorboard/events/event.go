package events

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// FileVersion is what the first event of every file says. From version 2 on a
// reader drops the steps of a lost attempt at a restart mark, and only there.
const FileVersion = "brain.Event:2"

// Fields of the message Event.
const (
	eventWallTime       = 1
	eventStep           = 2
	eventFileVersion    = 3
	eventSummary        = 5
	eventSessionLog     = 7
	eventSourceMetadata = 10

	summaryValue         = 1
	sessionLogStatus     = 1
	sessionLogStart      = 1
	sourceMetadataWriter = 1
)

// An Event is one entry of an event file. Exactly one of Version, Restart and
// Values says what happened.
type Event struct {
	Time time.Time // when; written in seconds
	Step int64

	Version string  // the file's version
	Restart bool    // a session starts: readers drop what they hold of Step and later, except at the run's first
	Values  []Value // what was measured at Step

	Mark Mark // the record that the event stands for; zero: none
}

// A Mark names a record of a run: its attempt and its sequence number, which
// never restarts. It is written as the event's source, a field that readers
// ignore.
type Mark struct {
	Attempt, Seq int64
}

// After reports whether m's record comes after that of other.
func (m Mark) After(other Mark) bool {
	return m.Attempt > other.Attempt || m.Attempt == other.Attempt && m.Seq > other.Seq
}

const markPrefix = "hone/"

// String is the mark as written in a file.
func (m Mark) String() string { return fmt.Sprintf("%s%d/%d", markPrefix, m.Attempt, m.Seq) }

// ParseMark is the inverse of String. Other writers' sources are no marks.
func ParseMark(s string) (Mark, bool) {
	rest, ok := strings.CutPrefix(s, markPrefix)
	attempt, seq, slash := strings.Cut(rest, "/")
	if !ok || !slash {
		return Mark{}, false
	}
	var m Mark
	var err error
	if m.Attempt, err = strconv.ParseInt(attempt, 10, 64); err != nil {
		return Mark{}, false
	}
	if m.Seq, err = strconv.ParseInt(seq, 10, 64); err != nil {
		return Mark{}, false
	}
	return m, m.String() == s
}

// Append appends the event's message to dst.
func (e Event) Append(dst []byte) []byte {
	m := message(dst).double(eventWallTime, seconds(e.Time)).int64(eventStep, e.Step)
	switch {
	case e.Version != "":
		m = m.text(eventFileVersion, e.Version)
	case e.Restart:
		m = m.sub(eventSessionLog, message(nil).int64(sessionLogStatus, sessionLogStart))
	default:
		m = m.sub(eventSummary, appendValues(e.Values))
	}
	if e.Mark != (Mark{}) {
		m = m.sub(eventSourceMetadata, message(nil).text(sourceMetadataWriter, e.Mark.String()))
	}
	return m
}

func appendValues(values []Value) message {
	var m message
	for _, v := range values {
		m = m.sub(summaryValue, v.encoded)
	}
	return m
}

// seconds is t in seconds since 1970, to the microsecond; 0 for the zero time.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}

// A Head is what a writer reads back of an event.
type Head struct {
	Time    float64 // seconds since 1970
	Step    int64
	Version string
	Restart bool
	Mark    Mark // zero: none
}

// ParseHead reads an event's message. Values are skipped unread.
func ParseHead(b []byte) (Head, error) {
	var h Head
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return Head{}, fmt.Errorf("an event's message: %w", protowire.ParseError(n))
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(field, kind, b)
		if size < 0 {
			return Head{}, fmt.Errorf("field %d of an event's message: %w", field, protowire.ParseError(size))
		}
		h.set(field, kind, b[:size])
		b = b[size:]
	}
	return h, nil
}

// set takes one field, whose bytes are known to be complete. Fields of a type
// that the message does not give them are ignored, as unknown ones are.
func (h *Head) set(field protowire.Number, kind protowire.Type, value []byte) {
	switch {
	case field == eventWallTime && kind == protowire.Fixed64Type:
		bits, _ := protowire.ConsumeFixed64(value)
		h.Time = math.Float64frombits(bits)
	case field == eventStep && kind == protowire.VarintType:
		v, _ := protowire.ConsumeVarint(value)
		h.Step = int64(v)
	case field == eventFileVersion && kind == protowire.BytesType:
		v, _ := protowire.ConsumeBytes(value)
		h.Version = string(v)
	case field == eventSessionLog && kind == protowire.BytesType:
		v, _ := protowire.ConsumeBytes(value)
		status, ok := varintField(v, sessionLogStatus)
		h.Restart = ok && status == sessionLogStart
	case field == eventSourceMetadata && kind == protowire.BytesType:
		v, _ := protowire.ConsumeBytes(value)
		if writer, ok := bytesField(v, sourceMetadataWriter); ok {
			h.Mark, _ = ParseMark(string(writer))
		}
	}
}

// varintField is the number in a message's field.
func varintField(b []byte, want protowire.Number) (uint64, bool) {
	value, kind, ok := findField(b, want)
	if !ok || kind != protowire.VarintType {
		return 0, false
	}
	v, n := protowire.ConsumeVarint(value)
	return v, n >= 0
}

// bytesField is the content of a message's length-prefixed field.
func bytesField(b []byte, want protowire.Number) ([]byte, bool) {
	value, kind, ok := findField(b, want)
	if !ok || kind != protowire.BytesType {
		return nil, false
	}
	v, n := protowire.ConsumeBytes(value)
	return v, n >= 0
}

func findField(b []byte, want protowire.Number) (value []byte, kind protowire.Type, ok bool) {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, 0, false
		}
		size := protowire.ConsumeFieldValue(field, kind, b[n:])
		if size < 0 {
			return nil, 0, false
		}
		if field == want {
			return b[n : n+size], kind, true
		}
		b = b[n+size:]
	}
	return nil, 0, false
}
