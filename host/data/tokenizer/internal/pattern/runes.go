package pattern

import (
	"slices"
	"unicode"

	"github.com/honeml/hone/host/data/tokenizer/internal/ucd"
)

// runeSet is a set of code points: sorted, disjoint, non-adjacent ranges.
type runeSet []ucd.Range

func newRuneSet(ranges []ucd.Range) runeSet {
	if len(ranges) == 0 {
		return nil
	}
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b ucd.Range) int { return int(a.First - b.First) })
	out := sorted[:1]
	for _, r := range sorted[1:] {
		if last := &out[len(out)-1]; r.First <= last.Last+1 {
			last.Last = max(last.Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

func (s runeSet) union(t runeSet) runeSet {
	return newRuneSet(append(slices.Clone(s), t...))
}

func (s runeSet) complement() runeSet {
	var out runeSet
	next := rune(0)
	for _, r := range s {
		if next < r.First {
			out = append(out, ucd.Range{First: next, Last: r.First - 1})
		}
		next = r.Last + 1
	}
	if next <= 0x10FFFF {
		out = append(out, ucd.Range{First: next, Last: 0x10FFFF})
	}
	return out
}

func (s runeSet) intersect(t runeSet) runeSet {
	return s.complement().union(t.complement()).complement()
}

// folded returns s with every character that differs from one of s by case
// alone (simple case folding).
func (s runeSet) folded() runeSet {
	out := slices.Clone(s)
	for _, r := range s {
		for c := r.First; c <= r.Last; c++ {
			for other := unicode.SimpleFold(c); other != c; other = unicode.SimpleFold(other) {
				out = append(out, ucd.Range{First: other, Last: other})
			}
			if c >= lastCased {
				break
			}
		}
	}
	return newRuneSet(out)
}

// lastCased is above every character that has a case.
const lastCased = 0x20000

// property returns the set that \p{name} stands for.
func property(name string) (runeSet, bool) {
	ranges, ok := ucd.Ranges(name)
	return newRuneSet(ranges), ok
}

// latin1Numbers are word characters for \w, but not for [\w].
var latin1Numbers = runeSet{{First: 0xB2, Last: 0xB3}, {First: 0xB9, Last: 0xB9}, {First: 0xBC, Last: 0xBE}}

// shorthand returns the set of the escapes \s, \w, \d and \h, in upper case
// the complement.
func shorthand(letter rune, inClass bool) (runeSet, bool) {
	var s runeSet
	switch letter {
	case 's', 'S':
		s, _ = property("Space")
	case 'w', 'W':
		s, _ = property("Word")
		if !inClass {
			s = s.union(latin1Numbers)
		}
	case 'd', 'D':
		s, _ = property("Nd")
	case 'h', 'H':
		s = runeSet{{First: '0', Last: '9'}, {First: 'A', Last: 'F'}, {First: 'a', Last: 'f'}}
	default:
		return nil, false
	}
	if letter < 'a' {
		s = s.complement()
	}
	return s, true
}

// bracket returns the set of a POSIX bracket such as [:digit:].
func bracket(name string) (runeSet, bool) {
	switch name {
	case "digit":
		return property("Nd")
	case "space":
		return property("Space")
	case "word":
		return property("Word")
	case "cntrl":
		return property("Cc")
	case "ascii":
		return runeSet{{First: 0, Last: 0x7F}}, true
	case "xdigit":
		return shorthand('h', true)
	}
	return nil, false
}

// appendSet writes s as a class of the target syntax.
func appendSet(dst []rune, s runeSet, negated bool) []rune {
	switch {
	case len(s) == 0 && negated:
		return append(dst, []rune(`[\s\S]`)...)
	case len(s) == 0:
		return append(dst, []rune(`(?!)`)...)
	}
	dst = append(dst, '[')
	if negated {
		dst = append(dst, '^')
	}
	for _, r := range s {
		dst = appendRune(dst, r.First)
		if r.Last > r.First {
			dst = append(dst, '-')
			dst = appendRune(dst, r.Last)
		}
	}
	return append(dst, ']')
}

// appendRune writes a literal character, inside a class or outside.
func appendRune(dst []rune, r rune) []rune {
	const hex = "0123456789ABCDEF"
	switch {
	case '0' <= r && r <= '9', 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z', r > 0xFFFF:
		return append(dst, r)
	}
	return append(dst, '\\', 'u', rune(hex[r>>12&15]), rune(hex[r>>8&15]), rune(hex[r>>4&15]), rune(hex[r&15]))
}
