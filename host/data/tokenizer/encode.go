package tokenizer

import (
	"errors"
	"fmt"
	"sort"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/bytelevel"
)

// Options say how [Tokenizer.Encode] treats special tokens. The zero Options
// are those of the Python library's encode(text, add_special_tokens=False).
type Options struct {
	// AddSpecial adds what the post-processor puts around a sequence, such as
	// <s> or <|begin_of_text|>.
	AddSpecial bool
	// SpecialAsText encodes the text of special tokens as ordinary text, so
	// that no input can pass itself off as the end of a turn. It is the
	// library's encode_special_tokens.
	SpecialAsText bool
	// Literal are ranges of the text where special tokens are ordinary text,
	// sorted and disjoint: what a user said, within a chat whose template has
	// special tokens of its own. A token that touches one does not count.
	Literal []Span
}

// An Encoding is a text's tokens.
type Encoding struct {
	IDs []int32
	// Offsets holds, for every token, the range of the text's bytes that it
	// stands for: whole characters, where a token is a part of one. It does
	// not leave out white space, whatever the post-processor says (the
	// library's trim_offsets). Tokens of the post-processor have {0, 0}.
	Offsets []Span
}

// ErrInvalidUTF8 is wrapped by the error for a text that is not valid UTF-8.
var ErrInvalidUTF8 = errors.New("not valid UTF-8")

// Encode returns the tokens of text, which must be valid UTF-8.
func (t *Tokenizer) Encode(text string, opts Options) (Encoding, error) {
	var e Encoding
	w := t.worker()
	defer t.workers.Put(w)
	guess := len(text)/4 + 8 // tokens
	w.ids, w.offsets, w.wantOffsets = make([]int32, 0, guess), make([]Span, 0, guess), true
	err := w.encode(text, opts)
	e.IDs, e.Offsets = w.ids, w.offsets
	w.ids, w.offsets = nil, nil
	if err != nil {
		return Encoding{}, err
	}
	return e, nil
}

// AppendIDs appends the ids of text to dst. It is [Tokenizer.Encode] for those
// who need no offsets.
func (t *Tokenizer) AppendIDs(dst []int32, text string, opts Options) ([]int32, error) {
	w := t.worker()
	defer t.workers.Put(w)
	w.ids, w.wantOffsets = dst, false
	err := w.encode(text, opts)
	out := w.ids
	w.ids = nil
	if err != nil {
		return dst, err
	}
	return out, nil
}

// worker is the state of one encoding, and what is worth keeping for the next.
type worker struct {
	t           *Tokenizer
	ids         []int32
	offsets     []Span
	wantOffsets bool
	opts        Options

	stages []func(segment) error // the pre-tokenizers, and last the model
	cache  wordCache
	pieces []piece
	merger merger
	buffer []byte
}

func (t *Tokenizer) worker() *worker {
	if w, ok := t.workers.Get().(*worker); ok {
		return w
	}
	w := &worker{t: t, stages: make([]func(segment) error, len(t.stages)+1)}
	w.stages[len(t.stages)] = w.word
	for i, stage := range t.stages {
		w.stages[i] = func(s segment) error { return stage.preTokenize(s, w.stages[i+1]) }
	}
	return w
}

func (w *worker) encode(text string, opts Options) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("byte %d of the text: %w", invalidAt(text), ErrInvalidUTF8)
	}
	if len(text) > maxText {
		return fmt.Errorf("a text of %d bytes; the limit is %d", len(text), maxText)
	}
	w.opts = opts
	if w.t.template == nil {
		return w.sequence(text)
	}
	start, end := -1, -1 // of the sequence among the tokens, once it is there
	for _, part := range w.t.template {
		switch {
		case !part.sequence:
			if opts.AddSpecial {
				for _, id := range part.ids {
					w.token(id, Span{})
				}
			}
		case start < 0:
			start = len(w.ids)
			if err := w.sequence(text); err != nil {
				return err
			}
			end = len(w.ids)
		default: // the sequence once more
			w.ids = append(w.ids, w.ids[start:end]...)
			if w.wantOffsets {
				w.offsets = append(w.offsets, w.offsets[start:end]...)
			}
		}
	}
	return nil
}

func invalidAt(text string) int {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return i
			}
		}
	}
	return len(text)
}

// sequence encodes the text itself.
func (w *worker) sequence(text string) error {
	t := w.t
	source := segment{text: text}
	return t.added.extract(t.added.raw, text, w.literal,
		func(id int32, start, end int) error {
			w.token(id, source.span(start, end))
			return nil
		},
		func(start, end int) error { return w.normalize(source.slice(start, end)) })
}

// normalize encodes a piece of the text between added tokens that are not
// normalised.
func (w *worker) normalize(s segment) error {
	t := w.t
	if t.normalizer != nil {
		var err error
		if s, err = t.normalizer.normalize(s); err != nil {
			return err
		}
	}
	literal := func(start, end int) bool {
		span := s.span(start, end)
		return w.literal(span.Start, span.End)
	}
	return t.added.extract(t.added.normalized, s.text, literal,
		func(id int32, start, end int) error {
			w.token(id, s.span(start, end))
			return nil
		},
		func(start, end int) error { return w.stages[0](s.slice(start, end)) })
}

// literal reports whether a special token at a range of the source is text.
func (w *worker) literal(start, end int) bool {
	if w.opts.SpecialAsText {
		return true
	}
	spans := w.opts.Literal
	i := sort.Search(len(spans), func(i int) bool { return spans[i].End > start })
	return i < len(spans) && spans[i].Start < end
}

func (w *worker) token(id int32, at Span) {
	w.ids = append(w.ids, id)
	if w.wantOffsets {
		w.offsets = append(w.offsets, at)
	}
}

// word encodes a word, which ends the pipeline.
func (w *worker) word(s segment) error {
	m := w.t.model
	for from := 0; from < len(s.text); {
		end := m.nextBreak(s.text, from)
		if err := w.part(s.slice(from, end)); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// part encodes a part of a word that no merge reaches beyond.
func (w *worker) part(s segment) error {
	pieces, ok := w.cache.get(s.text)
	if !ok {
		var err error
		if pieces, err = w.pieceWord(s.text); err != nil {
			return err
		}
		w.cache.put(s.text, pieces)
	}
	if !w.wantOffsets {
		for _, p := range pieces {
			w.ids = append(w.ids, p.id)
		}
		return nil
	}
	for _, p := range pieces {
		w.ids = append(w.ids, p.id)
		w.offsets = append(w.offsets, s.span(int(p.start), int(p.end)))
	}
	return nil
}

// pieceWord splits a word into tokens; they hold until the next call.
func (w *worker) pieceWord(word string) ([]piece, error) {
	m := w.t.model
	if m.ignoreMerges {
		if id, ok := w.whole(word); ok {
			w.pieces = append(w.pieces[:0], piece{id, 0, int32(len(word))})
			return w.pieces, nil
		}
	}
	var err error
	if w.pieces, err = m.split(w.pieces[:0], word); err != nil {
		return nil, err
	}
	w.pieces = w.merger.mergeAll(m.merges, w.pieces)
	return w.pieces, nil
}

// whole returns the token that is the whole word, if there is one. A special
// token is none: it would have been found before, were it not to be text.
func (w *worker) whole(word string) (int32, bool) {
	m := w.t.model
	var id int32
	var ok bool
	if m.byteLevel {
		w.buffer = bytelevel.AppendChars(w.buffer[:0], word)
		id, ok = m.vocab.getBytes(w.buffer)
	} else {
		id, ok = m.vocab.get(word)
	}
	return id, ok && !w.t.IsSpecial(id)
}
