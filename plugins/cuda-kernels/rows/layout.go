package rows

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed layout.cu
var layoutText string

// part is one of the parts that a split cuts rows into or a concat joins: kernels
// that go from the part's matrix to the whole, and back.
type part struct {
	groups, size int
	repeat       bool
	vector       int
	offset       int64 // bytes from a group's begin
	out, in      *device.Kernel
}

// newPart is a part of size numbers at an offset in groups of whole numbers. out
// takes it out of the whole, in puts it in.
func newPart(set *device.Set, t device.Type, groups, whole, offset, size int, repeat bool) part {
	p := part{
		groups: groups, size: size, repeat: repeat,
		vector: Vector(t.Size(), size, whole, offset),
		offset: int64(offset) * t.Size(),
	}
	source := func(to, from int) device.Source {
		return device.Source{Name: "layout.cu", Text: layoutText, Defines: []string{
			DefineType("TYPE", t), Define("GROUPS", groups), Define("SIZE", size),
			Define("TO_STRIDE", to), Define("FROM_STRIDE", from), Define("VEC", p.vector),
		}}
	}
	out, in := "copy", "copy"
	if repeat {
		out, in = "sum_groups", "repeat"
	}
	p.out, p.in = set.Kernel(source(size, whole), out), set.Kernel(source(whole, size), in)
	return p
}

func (p part) grid(segments int64) device.Grid {
	return Blocks(segments * int64(p.size/p.vector))
}

// take is part = whole's, or part += whole's.
func (p part) take(q *device.Queue, rows int, dst, whole device.Pointer, accumulate bool) {
	segments := int64(rows)
	if !p.repeat {
		segments *= int64(p.groups)
	}
	q.Launch(p.out, p.grid(segments), dst, whole.Offset(p.offset), segments, Flag(accumulate))
}

// put is whole's = part, or whole's += part; without a part, zeros.
func (p part) put(q *device.Queue, rows int, whole, src device.Pointer, accumulate bool) {
	segments := int64(rows) * int64(p.groups)
	args := []any{whole.Offset(p.offset), src, segments}
	if !p.repeat {
		args = append(args, Flag(accumulate))
	}
	q.Launch(p.in, p.grid(segments), args...)
}

func newParts(set *device.Set, t device.Type, groups int, sizes []int, repeat []bool) []part {
	whole := 0
	for _, size := range sizes {
		whole += size
	}
	parts, offset := make([]part, len(sizes)), 0
	for i, size := range sizes {
		parts[i] = newPart(set, t, groups, whole, offset, size, repeat != nil && repeat[i])
		offset += size
	}
	return parts
}

// A Split cuts rows apart, as graph.Split does.
type Split struct{ parts []part }

// NewSplit is for x [rows, groups·Σsizes] into parts [rows, groups·sizes[i]], all of
// a type.
func NewSplit(set *device.Set, groups int, sizes []int, t device.Type) *Split {
	return &Split{newParts(set, t, groups, sizes, nil)}
}

// Forward writes the parts y of x. A part of 0 is left out.
func (s *Split) Forward(q *device.Queue, rows int, y []device.Pointer, x device.Pointer) {
	for i, p := range s.parts {
		if y[i] != 0 {
			p.take(q, rows, y[i], x, false)
		}
	}
}

// Backward is dx from the gradients of the parts, written or added. A gradient of 0
// is a part without one, which counts as zeros.
func (s *Split) Backward(q *device.Queue, rows int, dx device.Pointer, dy []device.Pointer, accumulate bool) {
	for i, p := range s.parts {
		if dy[i] != 0 || !accumulate {
			p.put(q, rows, dx, dy[i], accumulate)
		}
	}
}

// A Concat joins rows, as graph.Concat does.
type Concat struct{ parts []part }

// NewConcat is for inputs [rows, groups·widths[i]], or [rows, widths[i]] where repeat
// says so, into y [rows, groups·Σwidths], all of a type.
func NewConcat(set *device.Set, groups int, widths []int, repeat []bool, t device.Type) *Concat {
	return &Concat{newParts(set, t, groups, widths, repeat)}
}

// Forward writes y from the inputs.
func (c *Concat) Forward(q *device.Queue, rows int, y device.Pointer, x []device.Pointer) {
	for i, p := range c.parts {
		p.put(q, rows, y, x[i], false)
	}
}

// Backward is the gradients of the inputs, written or, where accumulate[i], added.
// A gradient of 0 is not wanted. That of a repeated input is the sum over the
// groups.
func (c *Concat) Backward(q *device.Queue, rows int, dx []device.Pointer, dy device.Pointer, accumulate []bool) {
	for i, p := range c.parts {
		if dx[i] != 0 {
			p.take(q, rows, dx[i], dy, accumulate[i])
		}
	}
}
