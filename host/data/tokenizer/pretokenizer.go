package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/pattern"
	"github.com/honeml/hone/host/data/tokenizer/internal/ucd"
)

// A preTokenizer cuts a segment, which is not empty, into words, or into
// segments for the next pre-tokenizer. It passes none that is empty.
type preTokenizer interface {
	preTokenize(s segment, next func(segment) error) error
}

// scan makes a word of every match of a scanner.
type scan struct{ pattern.Scanner }

func (p scan) preTokenize(s segment, next func(segment) error) error {
	for from := 0; from < len(s.text); {
		end := p.Next(s.text, from)
		if err := next(s.slice(from, end)); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// behavior says what a split does with its matches.
type behavior string

// The behaviours. Split on "-", "a--b" becomes:
const (
	removed            behavior = "Removed"            // a b
	isolated           behavior = "Isolated"           // a - - b
	mergedWithPrevious behavior = "MergedWithPrevious" // a- - b
	mergedWithNext     behavior = "MergedWithNext"     // a - -b
	contiguous         behavior = "Contiguous"         // a -- b
)

// split cuts at the matches of a pattern; inverted, at what lies between them.
type split struct {
	pattern  pattern.Pattern
	behavior behavior
	invert   bool
}

// cut is a piece of a text, matched or not.
type cut struct {
	start, end int
	match      bool
}

func (p split) preTokenize(s segment, next func(segment) error) error {
	matches, err := p.pattern.Matches(nil, s.text)
	if err != nil {
		return err
	}
	if len(matches) == 0 && !p.invert {
		return next(s)
	}
	for _, c := range p.behave(p.cuts(matches, len(s.text))) {
		if c.start == c.end {
			continue
		}
		if err := next(s.slice(c.start, c.end)); err != nil {
			return err
		}
	}
	return nil
}

// cuts returns the matches and what lies between them.
func (p split) cuts(matches []pattern.Match, length int) []cut {
	out := make([]cut, 0, 2*len(matches)+1)
	at := 0
	for _, m := range matches {
		if at != m.Start {
			out = append(out, cut{at, m.Start, p.invert})
		}
		out = append(out, cut{m.Start, m.End, !p.invert})
		at = m.End
	}
	if at != length {
		out = append(out, cut{at, length, p.invert})
	}
	return out
}

// behave applies the behaviour; it works in place.
func (p split) behave(cuts []cut) []cut {
	switch p.behavior {
	case removed:
		return slices.DeleteFunc(cuts, func(c cut) bool { return c.match })
	case contiguous:
		return join(cuts, func(before, c bool) bool { return before == c })
	case mergedWithPrevious:
		return join(cuts, func(before, c bool) bool { return c && !before })
	case mergedWithNext:
		slices.Reverse(cuts)
		cuts = join(cuts, func(before, c bool) bool { return c && !before })
		slices.Reverse(cuts)
	}
	return cuts
}

// join extends a piece by the one after it, where joins says so of what they
// were: matches or not.
func join(cuts []cut, joins func(before, c bool) bool) []cut {
	out := cuts[:0]
	before := false
	for _, c := range cuts {
		match := c.match
		if last := len(out) - 1; last >= 0 && joins(before, match) {
			out[last].start = min(out[last].start, c.start)
			out[last].end = max(out[last].end, c.end)
		} else {
			out = append(out, c)
		}
		before = match
	}
	return out
}

// prefixSpace puts a space before a segment that does not begin with one.
type prefixSpace struct{}

func (prefixSpace) preTokenize(s segment, next func(segment) error) error {
	if !strings.HasPrefix(s.text, " ") {
		var err error
		if s, err = prepend(" ").normalize(s); err != nil {
			return err
		}
	}
	return next(s)
}

// normalized makes a pre-tokenizer of a normalizer.
type normalized struct{ normalizer }

func (p normalized) preTokenize(s segment, next func(segment) error) error {
	s, err := p.normalize(s)
	if err != nil || s.text == "" {
		return err
	}
	return next(s)
}

// prependScheme says before which segments a metaspace is put.
type prependScheme string

const (
	prependAlways prependScheme = "always"
	prependFirst  prependScheme = "first" // only at the start of the source
	prependNever  prependScheme = "never"
)

// metaspace writes spaces as another character, ▁, and makes words that begin
// with it.
type metaspace struct {
	replacement string
	scheme      prependScheme
	split       bool
}

func (p metaspace) preTokenize(s segment, next func(segment) error) error {
	space, err := pattern.Literal(" ")
	if err != nil {
		return err
	}
	first := s.start() == 0
	if s, err = (replace{space, p.replacement}).normalize(s); err != nil {
		return err
	}
	if p.scheme == prependAlways || p.scheme == prependFirst && first {
		if !strings.HasPrefix(s.text, p.replacement) {
			if s, err = prepend(p.replacement).normalize(s); err != nil {
				return err
			}
		}
	}
	if !p.split {
		return next(s)
	}
	mark, err := pattern.Literal(p.replacement)
	if err != nil {
		return err
	}
	return split{pattern: mark, behavior: mergedWithNext}.preTokenize(s, next)
}

// wordRuns matches runs of word characters and runs of what is neither that
// nor white space: \w+|[^\w\s]+ of the regex crate.
type wordRuns struct{}

func (wordRuns) Matches(dst []pattern.Match, text string) ([]pattern.Match, error) {
	const none, word, mark = 0, 1, 2
	state, start := none, 0
	for i := 0; i <= len(text); {
		now, size := none, 1
		if i < len(text) {
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			switch {
			case ucd.IsWord(r):
				now = word
			case !ucd.IsSpace(r):
				now = mark
			}
		}
		if now != state {
			if state != none {
				dst = append(dst, pattern.Match{Start: start, End: i})
			}
			state, start = now, i
		}
		i += size
	}
	return dst, nil
}

var (
	_ preTokenizer    = scan{}
	_ preTokenizer    = split{}
	_ preTokenizer    = prefixSpace{}
	_ preTokenizer    = normalized{}
	_ preTokenizer    = metaspace{}
	_ pattern.Pattern = wordRuns{}
)
