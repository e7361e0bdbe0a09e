package pattern

import (
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/ucd"
)

// GPT2 is the split pattern of GPT-2, which the ByteLevel pre-tokenizer has
// built in (Radford et al. 2019, "Language Models are Unsupervised Multitask
// Learners"; their released encoder).
const GPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// Split patterns that tokenizer.json files hold, by the models that brought
// them: Llama 3 (and GPT-4) takes three digits at a time, Qwen 2 one; Qwen 3.5
// takes marks for letters; GPT-4o (and gpt-oss, Llama 4) tells cases apart;
// Mistral's Tekken does so without contractions.
const (
	Llama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	Qwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	Qwen35 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	GPT4o  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	Tekken = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// known returns the scanner of a pattern that has one, or nil.
func known(expr string) Scanner {
	switch expr {
	case GPT2:
		return gpt2{newKinds(other)}
	case Llama3:
		return gpt4{newKinds(other), 3}
	case Qwen2:
		return gpt4{newKinds(other), 1}
	case Qwen35:
		return gpt4{newKinds(letter), 1}
	case GPT4o:
		return gpt4o{newKinds(other), 3, true}
	case Tekken:
		return gpt4o{newKinds(other), 1, false}
	}
	return nil
}

// kind is what the patterns tell apart.
type kind uint8

const (
	other  kind = iota // neither of the rest
	letter             // \p{L}
	number             // \p{N}
	space              // \s
)

// kinds gives the kind of what stands at an offset.
type kinds struct {
	table *ucd.Table
	ascii [utf8.RuneSelf]kind
	of    [32]kind // by category
}

// newKinds returns the kinds where marks (\p{M}) are of the kind mark.
func newKinds(mark kind) *kinds {
	k := &kinds{table: ucd.Shared()}
	for i := range k.of {
		switch c := ucd.Category(i); {
		case ucd.Letter.Has(c):
			k.of[i] = letter
		case ucd.Number.Has(c):
			k.of[i] = number
		case ucd.Space.Has(c):
			k.of[i] = space
		case ucd.Mark.Has(c):
			k.of[i] = mark
		}
	}
	for b := range k.ascii {
		k.ascii[b] = k.of[k.table.ASCII(byte(b))]
	}
	return k
}

// at returns the kind and the size of the rune at text[i:], which is not empty.
func (k *kinds) at(text string, i int) (kind, int) {
	if b := text[i]; b < utf8.RuneSelf {
		return k.ascii[b], 1
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	return k.of[k.table.Category(r)&31], size
}

// run returns the end of the run of kind want that starts at i.
func (k *kinds) run(text string, i int, want kind) int {
	for i < len(text) {
		got, size := k.at(text, i)
		if got != want {
			break
		}
		i += size
	}
	return i
}

// digits returns the end of \p{N}{0,most} at i.
func (k *kinds) digits(text string, i, most int) int {
	for n := 0; n < most && i < len(text); n++ {
		got, size := k.at(text, i)
		if got != number {
			break
		}
		i += size
	}
	return i
}

// spaces returns the end of \s+(?!\S)|\s+ at i, where white space stands: all
// of the run at the end of the text, else all but its last character, which
// goes with the word that follows; or the one there is.
func (k *kinds) spaces(text string, i int) int {
	end := k.run(text, i, space)
	if end == len(text) {
		return end
	}
	_, size := utf8.DecodeLastRuneInString(text[:end])
	if end-size > i {
		return end - size
	}
	return end
}

// lineEnds returns the end of \s*[\r\n]+ at i, or -1 where it does not match.
func (k *kinds) lineEnds(text string, i int) int {
	found := -1
	for i < len(text) {
		got, size := k.at(text, i)
		if got != space {
			break
		}
		if b := text[i]; b == '\n' || b == '\r' {
			found = i + 1
		}
		i += size
	}
	return found
}

// contraction returns the end of 's|'t|'re|'ve|'m|'ll|'d at i, or i where none
// stands. With fold, it takes either case, and ſ for s.
func contraction(text string, i int, fold bool) int {
	if i >= len(text) || text[i] != '\'' {
		return i
	}
	lower := func(j int) byte {
		if j >= len(text) {
			return 0
		}
		b := text[j]
		if fold && 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		return b
	}
	switch b := lower(i + 1); b {
	case 's', 't', 'm', 'd':
		return i + 2
	case 'r', 'v':
		if lower(i+2) == 'e' {
			return i + 3
		}
	case 'l':
		if lower(i+2) == 'l' {
			return i + 3
		}
	case 0xC5: // U+017F is C5 BF
		if fold && lower(i+2) == 0xBF {
			return i + 3
		}
	}
	return i
}

// all collects a scanner's matches.
func all(s Scanner, dst []Match, text string) []Match {
	for from := 0; from < len(text); {
		end := s.Next(text, from)
		dst = append(dst, Match{from, end})
		from = end
	}
	return dst
}

// gpt2 scans [GPT2].
type gpt2 struct{ *kinds }

func (s gpt2) Next(text string, i int) int {
	if end := contraction(text, i, false); end > i {
		return end
	}
	j := i
	if text[i] == ' ' {
		j++
		if j == len(text) {
			return j
		}
	}
	k, size := s.at(text, j)
	if k == space {
		return s.spaces(text, i)
	}
	return s.run(text, j+size, k)
}

func (s gpt2) Matches(dst []Match, text string) ([]Match, error) {
	return all(s, dst, text), nil
}

// gpt4 scans [Llama3], [Qwen2] and [Qwen35]. Where marks are letters, it does
// not matter that one can also be the first character of its second
// alternative: the match ends where it would.
type gpt4 struct {
	*kinds
	most int // digits in a match
}

func (s gpt4) Next(text string, i int) int {
	if end := contraction(text, i, true); end > i {
		return end
	}
	k, size := s.at(text, i)
	switch k {
	case letter:
		return s.run(text, i+size, letter)
	case number:
		return s.digits(text, i, s.most)
	}
	j := i + size
	if b := text[i]; b != '\r' && b != '\n' && j < len(text) {
		if next, size := s.at(text, j); next == letter {
			return s.run(text, j+size, letter)
		}
	}
	if end := s.others(text, i, j, k, false); end > i {
		return end
	}
	if end := s.lineEnds(text, i); end > i {
		return end
	}
	return s.spaces(text, i)
}

// others returns the end of " ?[^\s\p{L}\p{N}]+[\r\n]*" at i, or i where it
// does not match; k is the kind of the rune at i and j its end. With slash,
// the last class holds the slash too.
func (k *kinds) others(text string, i, j int, at kind, slash bool) int {
	if text[i] == ' ' && j < len(text) {
		next, size := k.at(text, j)
		at, j = next, j+size
	}
	if at != other {
		return i
	}
	end := k.run(text, j, other)
	for end < len(text) && (text[end] == '\r' || text[end] == '\n' || slash && text[end] == '/') {
		end++
	}
	return end
}

func (s gpt4) Matches(dst []Match, text string) ([]Match, error) {
	return all(s, dst, text), nil
}

var (
	_ Scanner = gpt2{}
	_ Scanner = gpt4{}
)
