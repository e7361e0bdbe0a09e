package tokenizer

import (
	"slices"
	"sync"
)

// A Tokenizer is a vocabulary and the stages around it. It does not change
// once made, and is safe for concurrent use.
type Tokenizer struct {
	raw      []byte // the tokenizer.json
	warnings []string

	added      *addedTokens
	normalizer normalizer // nil for none
	stages     []preTokenizer
	model      *bpe
	template   []templatePart // nil for none
	decoder    decoder        // nil for none
	special    []bool         // by id; as long as the vocabulary

	workers sync.Pool // of *worker
}

// Warnings returns what the tokenizer's file says that has no effect, or
// another than it seems to have; one sentence each.
func (t *Tokenizer) Warnings() []string { return slices.Clone(t.warnings) }

// MarshalTokenizerJSON returns the tokenizer as a tokenizer.json that the
// Python libraries load and that gives the same ids. It is the file's own text
// if the tokenizer was read from one. The caller must not change it.
func (t *Tokenizer) MarshalTokenizerJSON() []byte { return t.raw }

// VocabSize returns one more than the greatest id: the number of rows that an
// embedding needs at least. A model's own may be larger.
func (t *Tokenizer) VocabSize() int { return len(t.special) }

// TokenID returns the id of a token by its text in the vocabulary, where
// byte-level tokens are written in the byte-level alphabet ("Ġthe" is " the").
func (t *Tokenizer) TokenID(text string) (int32, bool) {
	if id, ok := t.added.ids[text]; ok {
		return id, true
	}
	return t.model.tokenID(text)
}

// TokenText returns a token's text in the vocabulary; see [Tokenizer.TokenID].
// Use [Tokenizer.Decode] for the text that it stands for.
func (t *Tokenizer) TokenText(id int32) (string, bool) {
	if text, ok := t.added.text(id); ok {
		return text, true
	}
	return t.model.text(id)
}

// IsSpecial reports whether id is a special token.
func (t *Tokenizer) IsSpecial(id int32) bool {
	return id >= 0 && int(id) < len(t.special) && t.special[id]
}

// AddedTokens returns the added tokens by ascending id.
func (t *Tokenizer) AddedTokens() []AddedToken { return slices.Clone(t.added.list) }
