package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// A Span is a half-open range of bytes of the text that was encoded.
type Span struct{ Start, End int }

// sourceRange is a Span in less space: one for each byte of changed text.
type sourceRange struct{ start, end int32 }

// maxText bounds a text's length, so that a sourceRange can hold its offsets.
const maxText = 1<<31 - 1

// A segment is a piece of text on its way through the pipeline, which knows
// what part of the source it came from.
type segment struct {
	text string
	// align holds the source of every byte of text: the range of the whole
	// character that it came from. It is nil where text is still the source
	// itself; byte i is byte base+i then.
	align []sourceRange
	base  int
}

func (s segment) slice(start, end int) segment {
	out := segment{text: s.text[start:end], base: s.base + start}
	if s.align != nil {
		out.align = s.align[start:end]
	}
	return out
}

// start returns where in the source the segment, which is not empty, begins.
func (s segment) start() int {
	if s.align != nil {
		return int(s.align[0].start)
	}
	return s.base
}

// sourceLength returns how long the source of the segment is.
func (s segment) sourceLength() int {
	if n := len(s.align); n > 0 {
		return int(s.align[n-1].end - s.align[0].start)
	}
	return len(s.text)
}

// span returns the source of text[start:end]: whole characters, even where
// the range ends within one.
func (s segment) span(start, end int) Span {
	if start >= end {
		if s.align == nil {
			return Span{s.base + start, s.base + start}
		}
		if start > 0 {
			at := int(s.align[start-1].end)
			return Span{at, at}
		}
		return Span{s.start(), s.start()}
	}
	if s.align != nil {
		return Span{int(s.align[start].start), int(s.align[end-1].end)}
	}
	for start > 0 && !utf8.RuneStart(s.text[start]) {
		start--
	}
	for end < len(s.text) && !utf8.RuneStart(s.text[end]) {
		end++
	}
	return Span{s.base + start, s.base + end}
}

// A rewriter builds the segment that another one becomes.
type rewriter struct {
	from  segment
	text  []byte
	align []sourceRange
	limit int // of the text's length; beyond it, put does nothing
	over  bool
}

// A text may not become longer than maxGrowth times its source and a little: a
// short file can describe stages that each double it.
const maxGrowth = 64

func newRewriter(from segment) *rewriter {
	return &rewriter{
		from:  from,
		text:  make([]byte, 0, len(from.text)+16),
		align: make([]sourceRange, 0, len(from.text)+16),
		limit: maxGrowth * (from.sourceLength() + 64),
	}
}

// keep copies from.text[start:end], whole characters.
func (r *rewriter) keep(start, end int) {
	r.text = append(r.text, r.from.text[start:end]...)
	if r.from.align != nil {
		r.align = append(r.align, r.from.align[start:end]...)
		return
	}
	for start < end {
		_, size := utf8.DecodeRuneInString(r.from.text[start:end])
		at := sourceRange{int32(r.from.base + start), int32(r.from.base + start + size)}
		for range size {
			r.align = append(r.align, at)
		}
		start += size
	}
}

// put adds text that stands for from.text[start:end].
func (r *rewriter) put(text string, start, end int) {
	if r.over = r.over || len(r.text)+len(text) > r.limit; r.over {
		return
	}
	span := r.from.span(start, end)
	at := sourceRange{int32(span.Start), int32(span.End)}
	r.text = append(r.text, text...)
	for range len(text) {
		r.align = append(r.align, at)
	}
}

func (r *rewriter) segment() (segment, error) {
	if r.over || len(r.text) > r.limit {
		return segment{}, fmt.Errorf("the tokenizer makes more than %d bytes of %d", r.limit, r.from.sourceLength())
	}
	return segment{text: string(r.text), align: r.align}, nil
}
