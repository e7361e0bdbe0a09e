package gguf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

const (
	magic            = "GGUF"
	defaultAlignment = 32
	maxDimensions    = 4
	alignmentKey     = "general.alignment"

	// The fewest bytes of a key-value (an empty key, a type, one byte) and of a
	// tensor (an empty name, no dimension, a type, an offset): what bounds the
	// counts that a file may claim.
	leastKeyValue = 8 + 4 + 1
	leastTensor   = 8 + 4 + 4 + 8
)

// A cursor reads the header from front to back. The first read beyond the end
// sets err, and all after it give zeros.
type cursor struct {
	data []byte
	at   int
	err  error
}

func (c *cursor) left() int { return len(c.data) - c.at }

// bytes gives the next n bytes, which are part of the mapping.
func (c *cursor) bytes(n uint64) []byte {
	if c.err != nil {
		return nil
	}
	if n > uint64(c.left()) {
		c.err = fmt.Errorf("at byte %d: %d bytes are needed and %d are left: the file is cut short or damaged", c.at, n, c.left())
		return nil
	}
	b := c.data[c.at : c.at+int(n) : c.at+int(n)]
	c.at += int(n)
	return b
}

func (c *cursor) uint32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// name reads a string that keys or tensors are called by.
func (c *cursor) name() string {
	b := c.bytes(c.uint64())
	if c.err == nil && !utf8.Valid(b) {
		c.err = fmt.Errorf("at byte %d: the name %.40q is not valid UTF-8", c.at-len(b), b)
	}
	return string(b)
}

// count reads a number of things that take at least size bytes each.
func (c *cursor) count(what string, size int) int {
	n := c.uint64()
	if c.err == nil && n > uint64(c.left()/size) {
		c.err = fmt.Errorf("%d %s cannot be in the %d bytes that are left: the file is cut short or damaged", n, what, c.left())
	}
	if c.err != nil {
		return 0
	}
	return int(n)
}

func (f *File) readHeader() error {
	c := &cursor{data: f.content.Bytes()}
	if m := c.bytes(4); c.err == nil && string(m) != magic {
		return fmt.Errorf("it is no GGUF file: it starts with %q", m)
	}
	f.version = c.uint32()
	switch {
	case c.err != nil:
		return c.err
	case f.version&0xffff == 0 && f.version != 0:
		return errors.New("big-endian files are not supported")
	case f.version != 2 && f.version != 3:
		return fmt.Errorf("version %d of the format is not supported, only 2 and 3", f.version)
	}
	tensors := c.count("tensors", leastTensor)
	keys := c.count("keys", leastKeyValue)
	if err := f.readKeys(c, keys); err != nil {
		return err
	}
	return f.readTensors(c, tensors)
}

func (f *File) readKeys(c *cursor, n int) error {
	if c.err != nil {
		return c.err
	}
	f.values = make(map[string]value, n)
	for i := range n {
		key := c.name()
		if c.err != nil {
			return fmt.Errorf("key %d of %d: %w", i+1, n, c.err)
		}
		v := c.value()
		if c.err != nil {
			return fmt.Errorf("key %q: %w", key, c.err)
		}
		if _, ok := f.values[key]; ok {
			return fmt.Errorf("key %q stands twice", key)
		}
		f.keys = append(f.keys, key)
		f.values[key] = v
	}
	return nil
}

// value reads a type and a value of it, leaving the value's bytes undecoded.
func (c *cursor) value() value {
	v := value{kind: ValueType(c.uint32())}
	if v.kind == Array {
		v.element = ValueType(c.uint32())
		least := v.element.size()
		if v.element == String {
			least = 8
		}
		if c.err == nil && least == 0 {
			c.err = fmt.Errorf("an array of %s is not supported", v.element)
			return v
		}
		v.length = c.count("elements", max(least, 1))
	}
	start := c.at
	switch {
	case v.kind == String:
		v.raw = c.bytes(c.uint64())
	case v.kind == Array && v.element == String:
		for range v.length {
			if c.bytes(c.uint64()); c.err != nil {
				return v
			}
		}
		v.raw = c.data[start:c.at:c.at]
	case v.kind == Array:
		v.raw = c.bytes(uint64(v.length) * uint64(v.element.size()))
	case v.kind.size() > 0:
		v.raw = c.bytes(uint64(v.kind.size()))
	case c.err == nil:
		c.err = fmt.Errorf("a value of %s is not supported", v.kind)
	}
	return v
}

// placed is a tensor and where its data starts, counted from the data section.
type placed struct {
	tensorfile.Info
	offset uint64
	size   int // bytes, math.MaxInt for an unknown type
}

func (f *File) readTensors(c *cursor, n int) error {
	tensors := make([]placed, n)
	f.index = make(map[string]int, n)
	for i := range tensors {
		t, err := c.tensor()
		if err != nil {
			return fmt.Errorf("tensor %d of %d: %w", i+1, n, err)
		}
		if _, ok := f.index[t.Name]; ok {
			return fmt.Errorf("tensor %q stands twice", t.Name)
		}
		tensors[i] = t
		f.index[t.Name] = i
	}
	if c.err != nil {
		return c.err
	}
	alignment, err := f.alignment()
	if err != nil {
		return err
	}
	start := alignUp(uint64(c.at), alignment)
	if err := place(tensors, c.data[min(start, uint64(len(c.data))):], alignment); err != nil {
		return err
	}
	f.tensors = make([]tensorfile.Info, n)
	for i, t := range tensors {
		f.tensors[i] = t.Info
	}
	return nil
}

func (c *cursor) tensor() (t placed, err error) {
	t.Name = c.name()
	if c.err != nil {
		return t, c.err
	}
	dimensions := c.uint32()
	if dimensions > maxDimensions {
		return t, fmt.Errorf("%q has %d dimensions, the format allows %d", t.Name, dimensions, maxDimensions)
	}
	t.Shape = make([]int, dimensions)
	for i := range t.Shape {
		d := c.uint64()
		if d > math.MaxInt {
			return t, fmt.Errorf("%q has a dimension of %d", t.Name, d)
		}
		t.Shape[len(t.Shape)-1-i] = int(d)
	}
	t.DType, t.TypeName = tensorType(c.uint32())
	t.offset = c.uint64()
	if c.err != nil {
		return t, fmt.Errorf("%q: %w", t.Name, c.err)
	}
	if _, err := dtype.Elements(t.Shape); err != nil {
		return t, fmt.Errorf("%q: %w", t.Name, err)
	}
	return t, nil
}

// alignment is the alignment of the data section and of each tensor in it.
func (f *File) alignment() (uint64, error) {
	v, ok := f.values[alignmentKey]
	if !ok {
		return defaultAlignment, nil
	}
	if v.kind != Uint32 {
		return 0, fmt.Errorf("key %q is of %s, not %s", alignmentKey, v.describe(), Uint32)
	}
	a := binary.LittleEndian.Uint32(v.raw)
	if a == 0 || a&(a-1) != 0 {
		return 0, fmt.Errorf("key %q is %d, no power of two", alignmentKey, a)
	}
	return uint64(a), nil
}

func alignUp(n, alignment uint64) uint64 { return (n + alignment - 1) &^ (alignment - 1) }

// place gives each tensor its bytes and checks that they are aligned, lie in the
// data, and do not overlap. A tensor of unknown type, and so of unknown size, is
// given what there is before the next one.
func place(tensors []placed, data []byte, alignment uint64) error {
	order := make([]*placed, len(tensors))
	for i := range tensors {
		t := &tensors[i]
		order[i] = t
		t.size = math.MaxInt
		if t.DType.Known() {
			n, err := t.DType.Bytes(t.Shape)
			if err != nil {
				return fmt.Errorf("tensor %q: %w", t.Name, err)
			}
			t.size = n
		}
	}
	// An empty tensor shares its place with the next one.
	slices.SortFunc(order, func(a, b *placed) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.size, b.size))
	})
	for i, t := range order {
		var next *placed
		if i+1 < len(order) {
			next = order[i+1]
		}
		if err := t.take(data, next, alignment); err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

// take cuts t's bytes from data. next is the tensor after it, or nil.
func (t *placed) take(data []byte, next *placed, alignment uint64) error {
	if t.offset%alignment != 0 {
		return fmt.Errorf("offset %d is not aligned to %d bytes", t.offset, alignment)
	}
	if t.offset > uint64(len(data)) || t.DType.Known() && t.size > len(data)-int(t.offset) {
		return fmt.Errorf("%v of %s at offset %d reach beyond the file, which has %d bytes of data: it is cut short or damaged",
			t.Shape, t.TypeName, t.offset, len(data))
	}
	end := int(t.offset) + t.size
	if !t.DType.Known() {
		end = len(data)
		if next != nil && next.offset < uint64(end) {
			end = int(next.offset)
		}
	}
	if next != nil && uint64(end) > next.offset {
		return fmt.Errorf("%d bytes at offset %d overlap tensor %q at offset %d", t.size, t.offset, next.Name, next.offset)
	}
	t.Data = data[t.offset:end:end]
	return nil
}
