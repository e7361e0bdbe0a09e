package tokenizer

// Bounds of a worker's cache: some 3 MB.
const (
	cachedWordLength = 48      // longer words are seldom seen twice
	cachedWords      = 1 << 15 // and no more than
	cachedPieces     = 1 << 17
)

// wordCache remembers the tokens of words: most of a text is words that were
// there before. When it is full it starts again.
type wordCache struct {
	words  map[string]cachedWord
	pieces []piece
}

type cachedWord struct{ start, end int32 }

func (c *wordCache) get(word string) ([]piece, bool) {
	if len(word) > cachedWordLength {
		return nil, false
	}
	at, ok := c.words[word]
	return c.pieces[at.start:at.end], ok
}

func (c *wordCache) put(word string, pieces []piece) {
	if len(word) > cachedWordLength {
		return
	}
	if c.words == nil || len(c.words) >= cachedWords || len(c.pieces)+len(pieces) > cachedPieces {
		c.words = make(map[string]cachedWord)
		c.pieces = c.pieces[:0]
	}
	start := int32(len(c.pieces))
	c.pieces = append(c.pieces, pieces...)
	// A copy, so as not to keep the text that the word is a part of.
	c.words[string([]byte(word))] = cachedWord{start, int32(len(c.pieces))}
}
