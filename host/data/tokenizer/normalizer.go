package tokenizer

import (
	"strings"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/bytelevel"
	"github.com/honeml/hone/host/data/tokenizer/internal/pattern"
	"github.com/honeml/hone/host/data/tokenizer/internal/ucd"
)

// A normalizer changes text before it is cut into words.
type normalizer interface {
	normalize(s segment) (segment, error)
}

// normalizers are applied one after the other.
type normalizers []normalizer

func (n normalizers) normalize(s segment) (segment, error) {
	for _, next := range n {
		var err error
		if s, err = next.normalize(s); err != nil {
			return s, err
		}
	}
	return s, nil
}

// form brings text into a canonical normal form.
type form ucd.Form

func (f form) normalize(s segment) (segment, error) {
	r := rewriter{from: s}
	whole := true // nothing is written yet
	ucd.Form(f).Normalize(s.text, func(start, end int, out string) {
		kept := out == s.text[start:end]
		if whole && kept && start == 0 && end == len(s.text) {
			return
		}
		if whole {
			r = *newRewriter(s)
			whole = false
		}
		if kept {
			r.keep(start, end)
		} else {
			r.put(out, start, end)
		}
	})
	if whole {
		return s, nil
	}
	return r.segment()
}

// replace puts content in the place of every match.
type replace struct {
	pattern pattern.Pattern
	content string
}

func (p replace) normalize(s segment) (segment, error) {
	matches, err := p.pattern.Matches(nil, s.text)
	if err != nil || len(matches) == 0 {
		return s, err
	}
	r := newRewriter(s)
	at := 0
	for _, m := range matches {
		r.keep(at, m.Start)
		r.put(p.content, m.Start, m.End)
		at = m.End
	}
	r.keep(at, len(s.text))
	return r.segment()
}

// prepend puts text before a segment that is not empty. It shares the source
// of the first character.
type prepend string

func (p prepend) normalize(s segment) (segment, error) {
	if s.text == "" || p == "" {
		return s, nil
	}
	r := newRewriter(s)
	_, size := utf8.DecodeRuneInString(s.text)
	r.put(string(p), 0, size)
	r.keep(0, len(s.text))
	return r.segment()
}

// strip takes white space off the ends.
type strip struct{ left, right bool }

func (p strip) normalize(s segment) (segment, error) {
	start, end := 0, len(s.text)
	if p.left {
		start = end - len(strings.TrimLeftFunc(s.text, ucd.IsSpace))
	}
	if p.right {
		end = start + len(strings.TrimRightFunc(s.text[start:], ucd.IsSpace))
	}
	return s.slice(start, end), nil
}

// byteChars writes every byte as its character of the byte-level alphabet.
type byteChars struct{}

func (byteChars) normalize(s segment) (segment, error) {
	r := newRewriter(s)
	for i := range len(s.text) {
		r.put(string(bytelevel.Char(s.text[i])), i, i+1)
	}
	return r.segment()
}

var (
	_ normalizer = normalizers(nil)
	_ normalizer = form(ucd.NFC)
	_ normalizer = replace{}
	_ normalizer = prepend("")
	_ normalizer = strip{}
	_ normalizer = byteChars{}
)
