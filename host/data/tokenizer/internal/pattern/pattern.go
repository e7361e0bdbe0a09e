// Package pattern finds the matches of split patterns: the regular expressions
// that cut text into words before byte-pair encoding.
//
// The meaning of a pattern is that of the Python tokenizers library (0.23),
// which runs them through Oniguruma. The few patterns that nearly every model
// uses have scanners written by hand ([Scanner]), some ten times as fast;
// any other is translated to the syntax of regexp2, with the library's
// character classes spelled out, and run under a time limit, since a
// tokenizer file can hold a pattern that backtracks for ever.
//
// It is not a general regular expression package: there are no captures, and
// what Oniguruma has beyond the usual (subexpression calls, absence operators,
// conditionals) is refused with an error.
package pattern

import (
	"errors"
	"strings"
)

// A Match is a half-open range of bytes of the text searched.
type Match struct{ Start, End int }

// A Pattern finds matches. It is safe for concurrent use.
type Pattern interface {
	// Matches appends the matches in text, from left to right. They do not
	// overlap. A match can be empty, if the expression can: it cuts the text
	// where it stands. text must be valid UTF-8. The error is that of a search
	// that took too long.
	Matches(dst []Match, text string) ([]Match, error)
}

// A Scanner is a Pattern that leaves nothing out: every text is a sequence of
// its matches.
type Scanner interface {
	Pattern
	// Next returns the end of the match that starts at byte from, which must
	// be the end of the match before, or 0.
	Next(text string, from int) int
}

// Compile returns the pattern of an Oniguruma expression.
func Compile(expr string) (Pattern, error) {
	if s := known(expr); s != nil {
		return s, nil
	}
	return compile(expr)
}

// Literal returns the pattern that matches s itself; s must not be empty.
func Literal(s string) (Pattern, error) {
	if s == "" {
		return nil, errors.New("the empty string as a pattern")
	}
	return literal(s), nil
}

type literal string

func (l literal) Matches(dst []Match, text string) ([]Match, error) {
	for from := 0; ; {
		i := strings.Index(text[from:], string(l))
		if i < 0 {
			return dst, nil
		}
		from += i
		dst = append(dst, Match{from, from + len(l)})
		from += len(l)
	}
}

// Class is the pattern that matches single characters.
type Class func(r rune) bool

// Matches implements [Pattern].
func (c Class) Matches(dst []Match, text string) ([]Match, error) {
	last := -1
	for i, r := range text {
		if last >= 0 {
			dst = append(dst, Match{last, i})
			last = -1
		}
		if c(r) {
			last = i
		}
	}
	if last >= 0 {
		dst = append(dst, Match{last, len(text)})
	}
	return dst, nil
}

var (
	_ Pattern = literal("")
	_ Pattern = Class(nil)
)
