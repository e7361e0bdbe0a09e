package datastore

import (
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// A message is an encoded protocol-buffer message. Its methods append one field
// each. Fields are appended in the order of their numbers and left out when zero
// or empty: so the bytes are those of the reference implementation, and tests can
// compare them.
type message []byte

func (m message) int64(field protowire.Number, v int64) message {
	if v == 0 {
		return m
	}
	m = protowire.AppendTag(m, field, protowire.VarintType)
	return protowire.AppendVarint(m, uint64(v))
}

func (m message) bool(field protowire.Number, v bool) message {
	return m.int64(field, int64(protowire.EncodeBool(v)))
}

// text replaces what is no UTF-8, which readers would refuse the whole message
// for.
func (m message) text(field protowire.Number, v string) message {
	if v == "" {
		return m
	}
	return m.element(field, v)
}

// element appends a text, empty or not, as repeated fields have them.
func (m message) element(field protowire.Number, v string) message {
	m = protowire.AppendTag(m, field, protowire.BytesType)
	return protowire.AppendString(m, strings.ToValidUTF8(v, "\uFFFD"))
}

// sub appends a message field, empty or not.
func (m message) sub(field protowire.Number, v message) message {
	m = protowire.AppendTag(m, field, protowire.BytesType)
	return protowire.AppendBytes(m, v)
}

// time appends a google.protobuf.Timestamp.
func (m message) time(field protowire.Number, t time.Time) message {
	return m.sub(field, message(nil).int64(1, t.Unix()).int64(2, int64(t.Nanosecond())))
}

// fields calls visit with each field of a message: its number, its type and the
// bytes of its value (of its content, for length-prefixed ones). It reports
// whether the message is whole.
func fields(b []byte, visit func(field protowire.Number, kind protowire.Type, value []byte)) bool {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(field, kind, b)
		if size < 0 {
			return false
		}
		value := b[:size]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		visit(field, kind, value)
		b = b[size:]
	}
	return true
}

// whole is a varint field's number as a signed one.
func whole(value []byte) int64 {
	v, _ := protowire.ConsumeVarint(value)
	return int64(v)
}
