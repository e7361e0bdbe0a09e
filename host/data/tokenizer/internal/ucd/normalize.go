package ucd

import (
	"slices"
	"sync"
	"unicode/utf8"
)

type classRun struct {
	first, last rune
	class       uint8
}

type decomposition struct {
	composite rune
	full      string
}

// Hangul syllables are decomposed and composed by arithmetic (The Unicode
// Standard, section 3.12).
const (
	hangulBase  = 0xAC00
	leadBase    = 0x1100
	vowelBase   = 0x1161
	tailBase    = 0x11A7
	leadCount   = 19
	vowelCount  = 21
	tailCount   = 28
	hangulCount = leadCount * vowelCount * tailCount
)

type pair struct{ first, second rune }

// forms holds what normalisation looks up.
type forms struct {
	class       map[rune]uint8
	decomposed  map[rune]string
	composed    map[pair]rune
	unstableNFC map[rune]bool // may change, or take part in a change, under NFC
	unstableNFD map[rune]bool // the same under NFD
}

var sharedForms = sync.OnceValue(func() *forms {
	f := &forms{
		class:       make(map[rune]uint8),
		decomposed:  make(map[rune]string, len(decompositions)),
		composed:    make(map[pair]rune, len(compositions)),
		unstableNFC: make(map[rune]bool),
		unstableNFD: make(map[rune]bool),
	}
	for _, run := range combiningClasses {
		for r := run.first; r <= run.last; r++ {
			f.class[r] = run.class
			f.unstableNFC[r] = true
			f.unstableNFD[r] = true
		}
	}
	composites := make(map[rune]bool, len(compositions))
	for _, c := range compositions {
		f.composed[pair{c[0], c[1]}] = c[2]
		f.unstableNFC[c[1]] = true
		composites[c[2]] = true
	}
	for _, d := range decompositions {
		f.decomposed[d.composite] = d.full
		f.unstableNFD[d.composite] = true
		if !composites[d.composite] {
			f.unstableNFC[d.composite] = true
		}
	}
	for r := rune(vowelBase); r < vowelBase+vowelCount; r++ {
		f.unstableNFC[r] = true
	}
	for r := rune(tailBase + 1); r < tailBase+tailCount; r++ {
		f.unstableNFC[r] = true
	}
	return f
})

// A Form is a canonical normal form (UAX #15).
type Form uint8

// The canonical normal forms.
const (
	NFC Form = iota
	NFD
)

// firstUnstable is the first code point that any form may change: U+00C0
// decomposes, and U+0300 is the first that composes.
func (form Form) firstUnstable() rune {
	if form == NFD {
		return 0xC0
	}
	return 0x300
}

func (form Form) stable(f *forms, r rune) bool {
	if r < form.firstUnstable() {
		return true
	}
	if form == NFC {
		return !f.unstableNFC[r]
	}
	return !f.unstableNFD[r] && (r < hangulBase || r >= hangulBase+hangulCount)
}

// Normalize passes text, which must be valid UTF-8, to emit in pieces: out is
// what text[start:end] becomes. Most pieces are unchanged, and as long as
// possible; a changed piece is as short as it can be told apart, a base
// character and its marks. It reports whether anything changed; if not, it
// calls emit once at most.
func (form Form) Normalize(text string, emit func(start, end int, out string)) bool {
	from := form.skipStable(text, 0)
	if from == len(text) {
		if text != "" {
			emit(0, len(text), text)
		}
		return false
	}
	f := sharedForms()
	changed := false
	kept := 0 // text[kept:] is not emitted yet
	for from < len(text) {
		// A piece is the unstable run, and for NFC the stable rune before it,
		// with which it may compose.
		start := from
		if form == NFC && start > kept {
			_, size := utf8.DecodeLastRuneInString(text[:start])
			start -= size
		}
		end := from
		for end < len(text) {
			r, size := utf8.DecodeRuneInString(text[end:])
			if form.stable(f, r) {
				break
			}
			end += size
		}
		if out := form.piece(f, text[start:end]); out != text[start:end] {
			if kept < start {
				emit(kept, start, text[kept:start])
			}
			emit(start, end, out)
			kept = end
			changed = true
		}
		from = form.skipStable(text, end)
	}
	if kept < len(text) {
		emit(kept, len(text), text[kept:])
	}
	return changed
}

// skipStable returns the offset of the first unstable rune of text[from:].
func (form Form) skipStable(text string, from int) int {
	var f *forms
	first := form.firstUnstable()
	for from < len(text) {
		if text[from] < utf8.RuneSelf {
			from++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[from:])
		if r >= first {
			if f == nil {
				f = sharedForms()
			}
			if !form.stable(f, r) {
				return from
			}
		}
		from += size
	}
	return from
}

// piece normalises a text of one stable rune at most.
func (form Form) piece(f *forms, text string) string {
	runes := make([]rune, 0, len(text))
	for _, r := range text {
		runes = f.appendDecomposed(runes, r)
	}
	f.reorder(runes)
	if form == NFC {
		runes = f.compose(runes)
	}
	return string(runes)
}

func (f *forms) appendDecomposed(dst []rune, r rune) []rune {
	if s := r - hangulBase; s >= 0 && s < hangulCount {
		dst = append(dst, leadBase+s/(vowelCount*tailCount), vowelBase+s%(vowelCount*tailCount)/tailCount)
		if t := s % tailCount; t != 0 {
			dst = append(dst, tailBase+t)
		}
		return dst
	}
	if full, ok := f.decomposed[r]; ok {
		return append(dst, []rune(full)...)
	}
	return append(dst, r)
}

// reorder puts marks between two starters into the order of their classes,
// keeping the order of equals (definition D108).
func (f *forms) reorder(runes []rune) {
	for i := 0; i < len(runes); {
		if f.class[runes[i]] == 0 {
			i++
			continue
		}
		j := i + 1
		for j < len(runes) && f.class[runes[j]] != 0 {
			j++
		}
		slices.SortStableFunc(runes[i:j], func(a, b rune) int {
			return int(f.class[a]) - int(f.class[b])
		})
		i = j
	}
}

// compose joins each rune to the last starter before it unless one between
// them blocks it (definitions D115 to D117). It works in place.
func (f *forms) compose(runes []rune) []rune {
	out := runes[:0]
	starter := -1 // index in out
	var last uint8
	for _, r := range runes {
		class := f.class[r]
		adjacent := starter >= 0 && starter == len(out)-1
		if starter >= 0 && (adjacent || last < class && last != 0) {
			if c, ok := f.composite(out[starter], r); ok {
				out[starter] = c
				continue
			}
		}
		if class == 0 {
			starter = len(out)
		}
		last = class
		out = append(out, r)
	}
	return out
}

func (f *forms) composite(a, b rune) (rune, bool) {
	if l, v := a-leadBase, b-vowelBase; l >= 0 && l < leadCount && v >= 0 && v < vowelCount {
		return hangulBase + (l*vowelCount+v)*tailCount, true
	}
	if s, t := a-hangulBase, b-tailBase; s >= 0 && s < hangulCount && s%tailCount == 0 && t > 0 && t < tailCount {
		return a + t, true
	}
	c, ok := f.composed[pair{a, b}]
	return c, ok
}
