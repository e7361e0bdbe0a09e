package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/honeml/hone/host/data/tokenizer/internal/jsontext"
)

// maxID bounds ids, so that a short file cannot ask for a long table. It is
// sixty times the largest vocabulary in use.
const maxID = 1<<24 - 1

// modelFile is the model of a tokenizer.json.
type modelFile struct {
	settings struct {
		Type         *string  `json:"type"`
		Dropout      *float64 `json:"dropout"`
		UnkToken     *string  `json:"unk_token"`
		Prefix       *string  `json:"continuing_subword_prefix"`
		Suffix       *string  `json:"end_of_word_suffix"`
		FuseUnk      *bool    `json:"fuse_unk"`
		ByteFallback *bool    `json:"byte_fallback"`
		IgnoreMerges *bool    `json:"ignore_merges"`
	}
	vocab, merges             json.RawMessage
	vocabOffset, mergesOffset int
}

// readModel separates the model's two large parts from its settings.
func readModel(r *jsontext.Reader) (*modelFile, error) {
	m := new(modelFile)
	settings := make(map[string]json.RawMessage)
	err := r.Object(func(key []byte) error {
		value, at, err := r.Value()
		switch string(key) {
		case "vocab":
			m.vocab, m.vocabOffset = value, at
		case "merges":
			m.merges, m.mergesOffset = value, at
		default:
			settings[string(key)] = value
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	joined, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(joined, &m.settings); err != nil {
		return nil, err
	}
	return m, m.check()
}

func (m *modelFile) check() error {
	s := &m.settings
	switch {
	case s.Type != nil && *s.Type != "BPE":
		return fmt.Errorf("its type is %q: only BPE is %w", shortText([]byte(*s.Type)), ErrUnsupported)
	case s.Type == nil && m.merges == nil:
		return fmt.Errorf("it names no type and has no merges: only BPE models are %w", ErrUnsupported)
	case m.vocab == nil || m.merges == nil:
		return fmt.Errorf("it lacks its vocab or its merges")
	case s.Dropout != nil && *s.Dropout != 0:
		return fmt.Errorf("dropout %v, which makes ids random, is %w", *s.Dropout, ErrUnsupported)
	case s.Prefix != nil && *s.Prefix != "":
		return fmt.Errorf("continuing_subword_prefix %q is %w", shortText([]byte(*s.Prefix)), ErrUnsupported)
	case s.Suffix != nil && *s.Suffix != "":
		return fmt.Errorf("end_of_word_suffix %q is %w", shortText([]byte(*s.Suffix)), ErrUnsupported)
	}
	return nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// vocabulary reads the tokens.
func (m *modelFile) vocabulary() (*bpe, error) {
	model := &bpe{
		ignoreMerges: isTrue(m.settings.IgnoreMerges),
		byteFallback: isTrue(m.settings.ByteFallback),
		fuseUnknown:  isTrue(m.settings.FuseUnk),
	}
	if m.settings.UnkToken != nil {
		model.unknown = *m.settings.UnkToken
	}
	// All texts lie in one string, for the collector's sake.
	type entry struct{ start, end, id int32 }
	var entries []entry
	texts := make([]byte, 0, len(m.vocab))
	r := jsontext.NewReader(m.vocab, m.vocabOffset)
	greatest := int32(-1)
	err := r.Object(func(key []byte) error {
		id, err := r.Int32()
		if err != nil {
			return fmt.Errorf("the id of %q: %w", shortText(key), err)
		}
		if id > maxID {
			return fmt.Errorf("%q has id %d; ids go from 0 to %d", shortText(key), id, maxID)
		}
		start := len(texts)
		texts = append(texts, key...)
		entries = append(entries, entry{int32(start), int32(len(texts)), id})
		greatest = max(greatest, id)
		return nil
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	if limit := 4*len(entries) + 1<<16; int(greatest) > limit {
		return nil, fmt.Errorf("vocab: %d tokens have ids up to %d; with more gaps than tokens it is surely damaged",
			len(entries), greatest)
	}
	all := string(texts)
	model.tokens = make([]string, greatest+1)
	model.vocab = newTextTable(len(entries), model.tokens)
	taken := make([]bool, greatest+1)
	for _, e := range entries {
		text := all[e.start:e.end]
		if taken[e.id] {
			return nil, fmt.Errorf("vocab: %q and %q have the same id, %d",
				shortText([]byte(model.tokens[e.id])), shortText([]byte(text)), e.id)
		}
		model.tokens[e.id], taken[e.id] = text, true
		if before, ok := model.vocab.add(e.id); ok {
			return nil, fmt.Errorf("vocab: %q has two ids, %d and %d", shortText([]byte(text)), before, e.id)
		}
	}
	return model, nil
}

// readMerges reads the merges, each a pair or two words in one string. Those
// that would make a special token of ordinary text are left out: the library
// finds special tokens before it merges, so they matter only where special
// tokens are to be text.
func (m *modelFile) readMerges(model *bpe, special func(int32) bool) error {
	type ranked struct{ left, right, id, rank int32 }
	var merges []ranked
	r := jsontext.NewReader(m.merges, m.mergesOffset)
	var left, right []byte
	rank, last := int32(0), int32(-1)
	err := r.Array(func() error {
		var skip bool
		var err error
		if left, right, skip, err = readMerge(r, left, right); err != nil || skip {
			return err
		}
		made := ranked{rank: rank}
		rank++
		var ok [3]bool
		made.left, ok[0] = model.vocab.getBytes(left)
		made.right, ok[1] = model.vocab.getBytes(right)
		size := len(left)
		left = append(left, right...)
		made.id, ok[2] = model.made(left, last)
		last = made.id
		for i, text := range [][]byte{left[:size], right, left} {
			if !ok[i] {
				return fmt.Errorf("merge %d of %q and %q: %q is not in the vocabulary",
					made.rank, shortText(left[:size]), shortText(right), shortText(text))
			}
		}
		if !special(made.id) {
			merges = append(merges, made)
		}
		return nil
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return err
	}
	model.merges = newMergeTable(len(merges))
	ids := make([]int32, 0, len(merges))
	for _, made := range merges {
		model.merges.set(made.left, made.right, merge{made.rank, made.id})
		ids = append(ids, made.id)
	}
	model.findBreaks(ids)
	return nil
}

// made returns the token of a text. Merges mostly stand in the order of the
// tokens that they make, so it is looked for at the one made last, and the next.
func (m *bpe) made(text []byte, last int32) (int32, bool) {
	for id := max(last, 0); id <= last+1 && int(id) < len(m.tokens); id++ {
		if m.tokens[id] == string(text) && len(text) > 0 {
			return id, true
		}
	}
	return m.vocab.getBytes(text)
}

// readMerge reads one merge into left and right; skip is true for a line of
// the older form that is none.
func readMerge(r *jsontext.Reader, left, right []byte) (l, rt []byte, skip bool, err error) {
	left, right = left[:0], right[:0]
	if r.Peek() == '[' {
		n := 0
		err = r.Array(func() error {
			var err error
			switch n++; n {
			case 1:
				left, err = r.AppendString(left)
			case 2:
				right, err = r.AppendString(right)
			default:
				err = fmt.Errorf("a merge of more than two tokens")
			}
			return err
		})
		if err == nil && n != 2 {
			err = fmt.Errorf("a merge of %d tokens; merges are pairs", n)
		}
		return left, right, false, err
	}
	if left, err = r.AppendString(left); err != nil {
		return left, right, false, err
	}
	line := string(left)
	if strings.HasPrefix(line, "#version") {
		return left, right, true, nil
	}
	a, b, ok := strings.Cut(line, " ")
	if !ok || strings.Contains(b, " ") {
		return left, right, false, fmt.Errorf("%q is not a merge: two tokens and a space between them", shortText(left))
	}
	return left[:len(a)], append(right, b...), false, nil
}
