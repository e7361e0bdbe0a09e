package events

import (
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// A message is an encoded protocol-buffer message. Its methods append one field
// each. Fields are appended in the order of their numbers and, unless the name
// says Always, left out when zero: so the bytes are those of the reference
// implementation, and tests can compare them.
type message []byte

func (m message) double(field protowire.Number, v float64) message {
	if v == 0 && !math.Signbit(v) {
		return m
	}
	return m.doubleAlways(field, v)
}

func (m message) doubleAlways(field protowire.Number, v float64) message {
	m = protowire.AppendTag(m, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(m, math.Float64bits(v))
}

func (m message) floatAlways(field protowire.Number, v float32) message {
	m = protowire.AppendTag(m, field, protowire.Fixed32Type)
	return protowire.AppendFixed32(m, math.Float32bits(v))
}

func (m message) int64(field protowire.Number, v int64) message {
	if v == 0 {
		return m
	}
	m = protowire.AppendTag(m, field, protowire.VarintType)
	return protowire.AppendVarint(m, uint64(v))
}

func (m message) boolAlways(field protowire.Number, v bool) message {
	m = protowire.AppendTag(m, field, protowire.VarintType)
	return protowire.AppendVarint(m, protowire.EncodeBool(v))
}

func (m message) text(field protowire.Number, v string) message {
	if v == "" {
		return m
	}
	return m.textAlways(field, v)
}

// textAlways replaces what is no UTF-8, which readers would refuse the whole
// message for.
func (m message) textAlways(field protowire.Number, v string) message {
	return m.bytesAlways(field, []byte(strings.ToValidUTF8(v, "\uFFFD")))
}

func (m message) bytes(field protowire.Number, v []byte) message {
	if len(v) == 0 {
		return m
	}
	return m.bytesAlways(field, v)
}

func (m message) bytesAlways(field protowire.Number, v []byte) message {
	m = protowire.AppendTag(m, field, protowire.BytesType)
	return protowire.AppendBytes(m, v)
}

func (m message) packedDoubles(field protowire.Number, v []float64) message {
	if len(v) == 0 {
		return m
	}
	packed := make([]byte, 0, 8*len(v))
	for _, x := range v {
		packed = protowire.AppendFixed64(packed, math.Float64bits(x))
	}
	return m.bytesAlways(field, packed)
}

// sub appends a message field, empty or not.
func (m message) sub(field protowire.Number, v message) message { return m.bytesAlways(field, v) }
