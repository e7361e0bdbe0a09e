package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/bytelevel"
)

// A decoder turns the texts of tokens into pieces of text, whose concatenation
// is the decoded text. It may change the slice it is given.
type decoder interface {
	decode(tokens []string) ([]string, error)
}

// decoders are applied one after the other.
type decoders []decoder

func (d decoders) decode(tokens []string) ([]string, error) {
	limit := maxGrowth * (total(tokens) + 64)
	for _, next := range d {
		var err error
		if tokens, err = next.decode(tokens); err != nil {
			return nil, err
		}
		if n := total(tokens); n > limit {
			return nil, fmt.Errorf("the decoder makes %d bytes of %d tokens", n, len(tokens))
		}
	}
	return tokens, nil
}

func total(tokens []string) int {
	n := 0
	for _, token := range tokens {
		n += len(token)
	}
	return n
}

// byteLevelDecoder reads tokens as bytes. A token with a character that is not
// of the byte-level alphabet, an added token mostly, is its own UTF-8.
type byteLevelDecoder struct{}

func (byteLevelDecoder) decode(tokens []string) ([]string, error) {
	var bytes []byte
	for _, token := range tokens {
		bytes = appendToken(bytes, token)
	}
	text, _ := appendValid(nil, bytes, true)
	return []string{string(text)}, nil
}

func appendToken(dst []byte, token string) []byte {
	out, ok := bytelevel.AppendBytes(dst, token)
	if !ok {
		out = append(out, token...)
	}
	return out
}

// appendValid appends src to dst with U+FFFD in the place of each maximal part
// that is not valid UTF-8 (The Unicode Standard, section 3.9, "U+FFFD
// Substitution of Maximal Subparts"). Unless it is the end of the text, an
// incomplete character at the end of src is left over as rest.
func appendValid(dst, src []byte, end bool) (out, rest []byte) {
	for len(src) > 0 {
		r, size := utf8.DecodeRune(src)
		if r != utf8.RuneError || size > 1 {
			dst = append(dst, src[:size]...)
			src = src[size:]
			continue
		}
		part, open := invalidPart(src)
		if open && !end {
			return dst, src
		}
		dst = utf8.AppendRune(dst, utf8.RuneError)
		src = src[part:]
	}
	return dst, nil
}

// invalidPart returns the length of the maximal part of an invalid sequence at
// the start of src: its longest beginning that some character has, or one
// byte. open reports whether src ends there, so that more could complete it.
func invalidPart(src []byte) (part int, open bool) {
	first := src[0]
	need, low, high := 0, byte(0x80), byte(0xBF) // continuation bytes; bounds of the first of them
	switch {
	case 0xC2 <= first && first <= 0xDF:
		need = 1
	case 0xE0 <= first && first <= 0xEF:
		need = 2
	case 0xF0 <= first && first <= 0xF4:
		need = 3
	}
	switch first {
	case 0xE0:
		low = 0xA0
	case 0xED:
		high = 0x9F
	case 0xF0:
		low = 0x90
	case 0xF4:
		high = 0x8F
	}
	for part = 1; part <= need; part++ {
		if part == len(src) {
			return part, true
		}
		if src[part] < low || src[part] > high {
			break
		}
		low, high = 0x80, 0xBF
	}
	return part, false
}

// byteFallbackDecoder reads runs of tokens such as <0x0A> as bytes. A run that
// is not valid UTF-8 becomes U+FFFD for each of its bytes.
type byteFallbackDecoder struct{}

func (byteFallbackDecoder) decode(tokens []string) ([]string, error) {
	out := make([]string, 0, len(tokens))
	var run []byte
	flush := func() {
		if utf8.Valid(run) {
			if len(run) > 0 {
				out = append(out, string(run))
			}
		} else {
			for range run {
				out = append(out, string(utf8.RuneError))
			}
		}
		run = run[:0]
	}
	for _, token := range tokens {
		if b, ok := fallbackByte(token); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, token)
	}
	flush()
	return out, nil
}

// fallbackByte returns the byte that a token such as <0x0A> stands for.
func fallbackByte(token string) (byte, bool) {
	if len(token) != 6 || !strings.HasPrefix(token, "<0x") || token[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(strings.TrimPrefix(token[3:5], "+"), 16, 8)
	return byte(b), err == nil
}

// fuse joins all tokens into one.
type fuse struct{}

func (fuse) decode(tokens []string) ([]string, error) {
	return []string{strings.Join(tokens, "")}, nil
}

// literalDecoder writes one string for another within each token.
type literalDecoder struct{ old, text string }

func (d literalDecoder) decode(tokens []string) ([]string, error) {
	for i, token := range tokens {
		tokens[i] = strings.ReplaceAll(token, d.old, d.text)
	}
	return tokens, nil
}

// replaceDecoder replaces the matches of a pattern within each token.
type replaceDecoder struct{ replace }

func (d replaceDecoder) decode(tokens []string) ([]string, error) {
	for i, token := range tokens {
		s, err := d.normalize(segment{text: token})
		if err != nil {
			return nil, err
		}
		tokens[i] = s.text
	}
	return tokens, nil
}

// stripDecoder takes up to start copies of a character off the beginning of
// each token, and up to stop off its end.
type stripDecoder struct {
	content     string
	start, stop int
}

func (d stripDecoder) decode(tokens []string) ([]string, error) {
	for i, token := range tokens {
		for range d.start {
			rest, ok := strings.CutPrefix(token, d.content)
			if !ok {
				break
			}
			token = rest
		}
		for range d.stop {
			rest, ok := strings.CutSuffix(token, d.content)
			if !ok {
				break
			}
			token = rest
		}
		tokens[i] = token
	}
	return tokens, nil
}

// metaspaceDecoder writes ▁ as a space again, and leaves those of the first
// token out if one was put before it.
type metaspaceDecoder struct {
	replacement string
	prepended   bool
}

func (d metaspaceDecoder) decode(tokens []string) ([]string, error) {
	for i, token := range tokens {
		space := " "
		if i == 0 && d.prepended {
			space = ""
		}
		tokens[i] = strings.ReplaceAll(token, d.replacement, space)
	}
	return tokens, nil
}

// spaced joins tokens by spaces: what a tokenizer without decoder does.
type spaced struct{}

func (spaced) decode(tokens []string) ([]string, error) {
	return []string{strings.Join(tokens, " ")}, nil
}

var (
	_ decoder = decoders(nil)
	_ decoder = byteLevelDecoder{}
	_ decoder = byteFallbackDecoder{}
	_ decoder = fuse{}
	_ decoder = literalDecoder{}
	_ decoder = replaceDecoder{}
	_ decoder = stripDecoder{}
	_ decoder = metaspaceDecoder{}
	_ decoder = spaced{}
)
