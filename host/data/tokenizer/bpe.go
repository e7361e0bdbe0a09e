package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/bytelevel"
)

// bpe is a byte-pair encoding model (Sennrich, Haddow and Birch 2016, "Neural
// Machine Translation of Rare Words with Subword Units"): a word is split into
// characters, and the pair of neighbours whose merge has the lowest rank is
// joined until no pair has one.
type bpe struct {
	vocab  *textTable
	tokens []string // by id; "" for an id that no token has
	merges *mergeTable

	// byteLevel: words come as bytes, and stand for their characters of the
	// byte-level alphabet.
	byteLevel bool
	bytes     [256]int32 // the token of each such character, or -1

	ignoreMerges bool // a word that is a token is not split first
	byteFallback bool // an unknown character becomes the tokens <0xNN> of its bytes
	fallback     [256]int32
	unknown      string // the token of unknown characters; "" leaves them out
	unknownID    int32  // -1 if the vocabulary lacks it
	fuseUnknown  bool

	// breaks: a word can be taken apart before each ▁ but after one of joined,
	// the characters that stand before a ▁ within some token that a merge makes.
	breaks bool
	joined map[rune]bool
}

// mark is what SentencePiece writes for a space.
const mark = "▁"

func (m *bpe) tokenID(text string) (int32, bool) {
	return m.vocab.get(text)
}

func (m *bpe) size() int { return m.vocab.count }

func (m *bpe) text(id int32) (string, bool) {
	if id < 0 || int(id) >= len(m.tokens) {
		return "", false
	}
	text := m.tokens[id]
	if text == "" {
		empty, ok := m.vocab.get("")
		return "", ok && empty == id
	}
	return text, true
}

// prepare fills the tables that follow from the vocabulary.
func (m *bpe) prepare() {
	id := func(text string) int32 {
		if id, ok := m.vocab.get(text); ok {
			return id
		}
		return -1
	}
	for b := range m.bytes {
		m.bytes[b] = id(string(bytelevel.Char(byte(b))))
		m.fallback[b] = id(fmt.Sprintf("<0x%02X>", b))
	}
	m.unknownID = id(m.unknown)
}

// findBreaks looks for what keeps a word from being taken apart before a ▁:
// texts without a pre-tokenizer are one word, and taking it apart makes most of
// its parts words that were there before. No merge reaches over a break, and
// what is unknown ends there, so the tokens stay the same.
func (m *bpe) findBreaks(made []int32) {
	_, known := m.vocab.get(mark)
	if m.byteLevel || m.ignoreMerges || !known {
		return
	}
	m.breaks = true
	m.joined = make(map[rune]bool)
	for _, id := range made {
		text := m.tokens[id]
		for at := 0; ; {
			i := strings.Index(text[at:], mark)
			if i < 0 {
				break
			}
			if at += i; at > 0 {
				before, _ := utf8.DecodeLastRuneInString(text[:at])
				m.joined[before] = true
			}
			at += len(mark)
		}
	}
}

// nextBreak returns where the part of a word that begins at from ends.
func (m *bpe) nextBreak(word string, from int) int {
	if !m.breaks {
		return len(word)
	}
	_, size := utf8.DecodeRuneInString(word[from:])
	for at := from + size; ; at += len(mark) {
		i := strings.Index(word[at:], mark)
		if i < 0 {
			return len(word)
		}
		at += i
		if before, _ := utf8.DecodeLastRuneInString(word[:at]); !m.joined[before] {
			return at
		}
	}
}

// piece is a token of a word, and the range of the word's bytes that it is.
type piece struct {
	id         int32
	start, end int32
}

// errUnknown is what encoding meets where the vocabulary lacks the token that
// it names for unknown characters.
var errUnknown = errors.New("the vocabulary lacks the token for unknown characters")

// split splits a word into the tokens of its characters.
func (m *bpe) split(dst []piece, word string) ([]piece, error) {
	if m.byteLevel {
		whole := true
		for i := range len(word) {
			id := m.bytes[word[i]]
			whole = whole && id >= 0
			dst = append(dst, piece{id, int32(i), int32(i + 1)})
		}
		if whole {
			return dst, nil
		}
		dst = dst[:0]
	}
	u := unknowns{model: m}
	for i := 0; i < len(word); {
		var char string
		size := 1
		if m.byteLevel {
			char = string(bytelevel.Char(word[i]))
		} else {
			_, size = utf8.DecodeRuneInString(word[i:])
			char = word[i : i+size]
		}
		at := piece{start: int32(i), end: int32(i + size)}
		if id, ok := m.vocab.get(char); ok {
			at.id = id
			dst = append(u.flush(dst), at)
		} else {
			var err error
			if dst, err = u.add(dst, char, at); err != nil {
				return dst, err
			}
		}
		i += size
	}
	return u.flush(dst), nil
}

// unknowns places the characters that are no tokens.
type unknowns struct {
	model   *bpe
	pending piece // an unknown token that may grow
	open    bool
}

func (u *unknowns) flush(dst []piece) []piece {
	if u.open {
		dst = append(dst, u.pending)
		u.open = false
	}
	return dst
}

// add places one unknown character. An unknown token that is pending is placed
// after the bytes of one that falls back to them, as in the library.
func (u *unknowns) add(dst []piece, char string, at piece) ([]piece, error) {
	m := u.model
	if m.byteFallback {
		whole := true
		for i := range len(char) {
			whole = whole && m.fallback[char[i]] >= 0
		}
		if whole {
			for i := range len(char) {
				p := piece{m.fallback[char[i]], at.start + int32(i), at.start + int32(i) + 1}
				if m.byteLevel {
					p.start, p.end = at.start, at.end
				}
				dst = append(dst, p)
			}
			return dst, nil
		}
	}
	if m.unknown == "" {
		return dst, nil
	}
	if m.unknownID < 0 {
		return dst, fmt.Errorf("%w: %q", errUnknown, m.unknown)
	}
	at.id = m.unknownID
	if u.open && m.fuseUnknown {
		u.pending.end = at.end
		return dst, nil
	}
	dst = u.flush(dst)
	u.pending, u.open = at, true
	return dst, nil
}
