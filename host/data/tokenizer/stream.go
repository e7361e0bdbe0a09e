package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// A Stream decodes token by token. It withholds the bytes of a character that
// is not complete yet, so that what it returns can be shown at once; all that
// it returns is, put together, what [Tokenizer.Decode] returns of all ids.
//
// One exception: where the decoder reads bytes from tokens such as <0x0A>, and
// a run of them has first been valid UTF-8 and then not, the library would take
// back what was shown. A stream keeps it, and shows the U+FFFD after it.
//
// A Stream serves one goroutine.
type Stream struct {
	t           *Tokenizer
	skipSpecial bool

	bytes []byte // byte-level: of a character that is not complete
	// Otherwise: the tokens whose text may depend on those to come, what of
	// their text is shown, and how many were there at the time.
	tokens []string
	shown  string
	count  int
}

// NewStream returns a stream that leaves out special tokens if skipSpecial.
func (t *Tokenizer) NewStream(skipSpecial bool) *Stream {
	return &Stream{t: t, skipSpecial: skipSpecial}
}

// Push takes the next id and returns the text that it completes, often "".
func (s *Stream) Push(id int32) (string, error) {
	token, ok := s.t.visible(id, s.skipSpecial)
	if !ok {
		return "", nil
	}
	if _, ok := s.t.decoder.(byteLevelDecoder); ok {
		text, rest := appendValid(nil, appendToken(s.bytes, token), false)
		s.bytes = append([]byte(nil), rest...)
		return string(text), nil
	}
	s.tokens = append(s.tokens, token)
	return s.advance(false)
}

// Flush returns what is withheld and starts the stream anew.
func (s *Stream) Flush() (string, error) {
	defer func() { *s = Stream{t: s.t, skipSpecial: s.skipSpecial} }()
	if len(s.bytes) > 0 {
		text, _ := appendValid(nil, s.bytes, true)
		return string(text), nil
	}
	return s.advance(true)
}

// maxPending bounds the tokens that a stream decodes again and again.
const maxPending = 64

// advance returns the text of the pending tokens that is not shown yet.
func (s *Stream) advance(end bool) (string, error) {
	text, err := s.decode(s.tokens)
	if err != nil {
		return "", err
	}
	if !end && strings.HasSuffix(text, string(utf8.RuneError)) && len(s.tokens) < s.count+maxPending {
		return "", nil // perhaps the beginning of a character
	}
	out, ok := strings.CutPrefix(text, s.shown)
	if !ok {
		out = text[min(len(text), commonLength(text, s.shown)):]
	}
	s.shown = text
	if s.count > 0 {
		// Go on from the tokens just shown: what follows depends on them at
		// most, and whatever befalls the beginning of a text befalls theirs.
		s.tokens = append([]string(nil), s.tokens[s.count:]...)
		if s.shown, err = s.decode(s.tokens); err != nil {
			return "", err
		}
	}
	s.count = len(s.tokens)
	return out, nil
}

func (s *Stream) decode(tokens []string) (string, error) {
	parts, err := s.t.decoder.decode(append([]string(nil), tokens...))
	return strings.Join(parts, ""), err
}

// commonLength returns the length of the beginning that a and b share, in
// whole characters.
func commonLength(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(a) && !utf8.RuneStart(a[n]) {
		n--
	}
	return n
}
