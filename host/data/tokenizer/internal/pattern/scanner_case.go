package pattern

import (
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/ucd"
)

// gpt4o scans [GPT4o] and [Tekken], whose words are capitals and then small
// letters. Letters without case and marks are of both classes.
type gpt4o struct {
	*kinds
	most         int // digits in a match
	contractions bool
}

const (
	caseless ucd.Set = 1<<ucd.Lm | 1<<ucd.Lo | ucd.Mark
	upper    ucd.Set = 1<<ucd.Lu | 1<<ucd.Lt | caseless
	lower    ucd.Set = 1<<ucd.Ll | caseless
)

func (s gpt4o) Next(text string, i int) int {
	k, size := s.at(text, i)
	j := i + size
	// The optional first character is none of \r, \n, letter and number. The
	// pattern tries its alternatives in order, each with that character first.
	prefix := k != letter && k != number && text[i] != '\r' && text[i] != '\n'
	if k == letter || prefix {
		if end := s.word(text, i, j, prefix); end > i {
			return end
		}
	}
	if k == number {
		return s.digits(text, i, s.most)
	}
	if end := s.others(text, i, j, k, true); end > i {
		return end
	}
	if end := s.lineEnds(text, i); end > i {
		return end
	}
	return s.spaces(text, i)
}

// word returns the end of one of the two alternatives for words, or i.
func (s gpt4o) word(text string, i, j int, prefix bool) int {
	if prefix {
		if end := s.smallEnd(text, j); end > j {
			return s.suffix(text, end)
		}
	}
	if end := s.smallEnd(text, i); end > i {
		return s.suffix(text, end)
	}
	if prefix {
		if end := s.capitalStart(text, j); end > j {
			return s.suffix(text, end)
		}
	}
	if end := s.capitalStart(text, i); end > i {
		return s.suffix(text, end)
	}
	return i
}

func (s gpt4o) suffix(text string, end int) int {
	if s.contractions {
		return contraction(text, end, true)
	}
	return end
}

func (s gpt4o) category(text string, i int) (ucd.Category, int) {
	if b := text[i]; b < utf8.RuneSelf {
		return s.table.ASCII(b), 1
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	return s.table.Category(r), size
}

// set returns the end of the run of set at i, and the start of its last
// caseless rune, or -1.
func (s gpt4o) set(text string, i int, set ucd.Set) (end, last int) {
	last = -1
	for i < len(text) {
		c, size := s.category(text, i)
		if !set.Has(c) {
			break
		}
		if caseless.Has(c) {
			last = i
		}
		i += size
	}
	return i, last
}

// smallEnd returns the end of upper*lower+ at i, or i. Where no small letter
// follows the capitals, the run gives back characters until one can stand for
// it: the last caseless one.
func (s gpt4o) smallEnd(text string, i int) int {
	capitals, last := s.set(text, i, upper)
	if end, _ := s.set(text, capitals, lower); end > capitals {
		return end
	}
	if last < 0 {
		return i
	}
	_, size := utf8.DecodeRuneInString(text[last:])
	return last + size
}

// capitalStart returns the end of upper+lower* at i, or i.
func (s gpt4o) capitalStart(text string, i int) int {
	capitals, _ := s.set(text, i, upper)
	if capitals == i {
		return i
	}
	end, _ := s.set(text, capitals, lower)
	return end
}

func (s gpt4o) Matches(dst []Match, text string) ([]Match, error) {
	return all(s, dst, text), nil
}

var _ Scanner = gpt4o{}
