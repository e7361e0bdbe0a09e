package ucd

import (
	"sort"
)

// span is an inclusive range of code points.
type span struct{ first, last rune }

func inSpans(spans []span, r rune) bool {
	i := sort.Search(len(spans), func(i int) bool { return spans[i].last >= r })
	return i < len(spans) && spans[i].first <= r
}

// IsNumeric reports what the library's digit test does: the categories Nd, Nl
// and No, of a later Unicode version than that of [Table].
func IsNumeric(r rune) bool {
	return Shared().Is(r, Number) || inSpans(numericExtra[:], r)
}

// IsSpace reports whether r has the property White_Space.
func IsSpace(r rune) bool { return Shared().Is(r, Space) }

// IsWord reports whether r is a word character (\w) where added tokens are
// looked for as whole words: letters, marks, digits, connector punctuation,
// other alphabetic characters and the two joiners (UTS #18, annex C).
func IsWord(r rune) bool { return inSpans(wordRanges[:], r) }

// IsPunctuation reports whether the Punctuation pre-tokenizer takes r for
// punctuation: ASCII punctuation and symbols, and the categories P of an old
// Unicode version.
func IsPunctuation(r rune) bool { return inSpans(punctuationRanges[:], r) }

// Range is an inclusive range of code points.
type Range struct{ First, Last rune }

// categorySets maps the names that \p{…} takes.
var categorySets = map[string]Set{
	"L": Letter, "M": Mark, "N": Number, "P": Punctuation, "S": Symbol, "Z": Separator,
	"C": 1<<Cn | 1<<Cc | 1<<CcSpace | 1<<Cf | 1<<Co,

	"Lu": 1 << Lu, "Ll": 1 << Ll, "Lt": 1 << Lt, "Lm": 1 << Lm, "Lo": 1 << Lo,
	"Mn": 1 << Mn, "Mc": 1 << Mc, "Me": 1 << Me,
	"Nd": 1 << Nd, "Nl": 1 << Nl, "No": 1 << No,
	"Pc": 1 << Pc, "Pd": 1 << Pd, "Ps": 1 << Ps, "Pe": 1 << Pe, "Pi": 1 << Pi, "Pf": 1 << Pf, "Po": 1 << Po,
	"Sm": 1 << Sm, "Sc": 1 << Sc, "Sk": 1 << Sk, "So": 1 << So,
	"Zs": 1 << Zs, "Zl": 1 << Zl, "Zp": 1 << Zp,
	"Cn": 1 << Cn, "Cc": 1<<Cc | 1<<CcSpace, "Cf": 1 << Cf, "Co": 1 << Co,
}

// Ranges returns the code points of a general category, by its one- or
// two-letter name, sorted and disjoint; or of "Space" (\s), "Word" ([\w]) and "Any".
func Ranges(name string) ([]Range, bool) {
	switch name {
	case "Any":
		return []Range{{0, 0x10FFFF}}, true
	case "Space":
		return setRanges(Space), true
	case "Word":
		return patternWord(), true
	}
	s, ok := categorySets[name]
	if !ok {
		return nil, false
	}
	return setRanges(s), true
}

func setRanges(s Set) []Range {
	var out []Range
	for i, run := range categoryRuns {
		if !s.Has(Category(run & 0xFF)) {
			continue
		}
		last := rune(0x10FFFF)
		if i+1 < len(categoryRuns) {
			last = rune(categoryRuns[i+1]>>8) - 1
		}
		first := rune(run >> 8)
		if n := len(out); n > 0 && out[n-1].Last == first-1 {
			out[n-1].Last = last
			continue
		}
		out = append(out, Range{first, last})
	}
	return out
}

// patternWord is [\w] of Oniguruma: the regex crate's \w without the joiners.
func patternWord() []Range {
	out := make([]Range, 0, len(wordRanges))
	for _, s := range wordRanges {
		if s.first <= 0x200C && 0x200D <= s.last {
			continue
		}
		out = append(out, Range{s.first, s.last})
	}
	return out
}
