// Package train makes small byte-level tokenizers from a corpus: byte-pair
// encoding, as the Python tokenizers library trains it, with the same merges.
//
// It is for examples and tests, which need a tokenizer of their own. It keeps
// all words of the corpus in memory and uses one goroutine: a few megabytes of
// text and a few thousand tokens are what it is made for.
package train

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/pattern"
)

// Options say what tokenizer to make.
type Options struct {
	// VocabSize is the number of tokens: the special ones, the 256 bytes, and
	// one for each merge. There are fewer if the corpus has no more to merge.
	VocabSize int
	// Special are the special tokens; they have the first ids, in this order.
	Special []string
	// BOS is the special token that begins sequences; "" for none.
	BOS string
	// MinCount is how often a pair has to be in the corpus to be merged; 0
	// means 2.
	MinCount int
}

// Train returns the tokenizer.json of a tokenizer trained on the texts of
// corpus, which is split into words as Llama 3 does it. The same texts, in any
// order, give the same bytes.
//
// The algorithm is that of Sennrich, Haddow and Birch 2016 ("Neural Machine
// Translation of Rare Words with Subword Units"): the pair of neighbours that
// is most frequent becomes a token, again and again. Of equally frequent pairs
// the one of the lowest ids goes first.
func Train(corpus iter.Seq[string], opts Options) ([]byte, error) {
	data, err := train(corpus, opts)
	if err != nil {
		return nil, fmt.Errorf("training a tokenizer: %w", err)
	}
	return data, nil
}

func train(corpus iter.Seq[string], opts Options) ([]byte, error) {
	v, err := newVocabulary(opts)
	if err != nil {
		return nil, err
	}
	words, err := countWords(corpus)
	if err != nil {
		return nil, err
	}
	least := opts.MinCount
	if least == 0 {
		least = 2
	}
	m := newMerger(words, v)
	for len(v.tokens) < opts.VocabSize && m.mergeBest(least) {
	}
	return v.marshal(opts.BOS)
}

func (o *Options) check() error {
	if least := 256 + len(o.Special); o.VocabSize < least {
		return fmt.Errorf("a vocabulary of %d; the 256 bytes and %d special tokens need %d", o.VocabSize, len(o.Special), least)
	}
	if o.MinCount < 0 {
		return fmt.Errorf("a least count of %d", o.MinCount)
	}
	for i, token := range o.Special {
		switch {
		case token == "":
			return errors.New("a special token without text")
		case !utf8.ValidString(token):
			return fmt.Errorf("the special token %q is not valid UTF-8", token)
		case slices.Contains(o.Special[:i], token):
			return fmt.Errorf("the special token %q is named twice", token)
		}
	}
	if o.BOS != "" && !slices.Contains(o.Special, o.BOS) {
		return fmt.Errorf("sequences are to begin with %q, which is not a special token", o.BOS)
	}
	return nil
}

// word is a word of the corpus as the ids of its parts, and how often it is
// there.
type word struct {
	parts []int32
	count int
}

// countWords returns the words of the corpus, in the order of their texts.
func countWords(corpus iter.Seq[string]) (map[string]int, error) {
	compiled, err := pattern.Compile(pattern.Llama3)
	if err != nil {
		return nil, err
	}
	scanner, ok := compiled.(pattern.Scanner)
	if !ok {
		return nil, errors.New("the split pattern has no scanner")
	}
	counts := make(map[string]int)
	n := 0
	for text := range corpus {
		if !utf8.ValidString(text) {
			return nil, fmt.Errorf("text %d of the corpus is not valid UTF-8", n)
		}
		n++
		for from := 0; from < len(text); {
			end := scanner.Next(text, from)
			counts[text[from:end]]++
			from = end
		}
	}
	return counts, nil
}

// sortedWords returns the words in the order of their texts.
func sortedWords(counts map[string]int, v *vocabulary) []word {
	words := make([]word, 0, len(counts))
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		parts := make([]int32, len(text))
		for i := range len(text) {
			parts[i] = v.bytes[text[i]]
		}
		words = append(words, word{parts, counts[text]})
	}
	return words
}
