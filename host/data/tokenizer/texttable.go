package tokenizer

import (
	"hash/maphash"
)

// textTable maps the texts of tokens to their ids. Reading a vocabulary's
// merges takes three look-ups each, most of the time that loading takes; this
// open-addressing table needs half of what Go's map does, and less memory.
type textTable struct {
	seed  maphash.Seed
	mask  uint32
	slots []textSlot
	texts []string // by id
	count int
}

// textSlot is 0 where it is empty.
type textSlot struct {
	hash uint32
	next int32 // 1 + the id
}

// newTextTable returns a table for n tokens, whose texts it keeps in texts.
func newTextTable(n int, texts []string) *textTable {
	size := uint32(16)
	for int(size) < 2*n {
		size *= 2
	}
	return &textTable{seed: maphash.MakeSeed(), mask: size - 1, slots: make([]textSlot, size), texts: texts}
}

// add enters the token id, whose text is texts[id]. It returns the id of one
// that has the same text, and true.
func (t *textTable) add(id int32) (same int32, ok bool) {
	text := t.texts[id]
	hash := uint32(maphash.String(t.seed, text))
	i := hash & t.mask
	for ; t.slots[i].next != 0; i = (i + 1) & t.mask {
		if s := t.slots[i]; s.hash == hash && t.texts[s.next-1] == text {
			return s.next - 1, true
		}
	}
	t.slots[i] = textSlot{hash, id + 1}
	t.count++
	return 0, false
}

func (t *textTable) get(text string) (int32, bool) {
	hash := uint32(maphash.String(t.seed, text))
	for i := hash & t.mask; t.slots[i].next != 0; i = (i + 1) & t.mask {
		if s := t.slots[i]; s.hash == hash && t.texts[s.next-1] == text {
			return s.next - 1, true
		}
	}
	return 0, false
}

// getBytes is get of string(text).
func (t *textTable) getBytes(text []byte) (int32, bool) {
	hash := uint32(maphash.Bytes(t.seed, text))
	for i := hash & t.mask; t.slots[i].next != 0; i = (i + 1) & t.mask {
		if s := t.slots[i]; s.hash == hash && t.texts[s.next-1] == string(text) {
			return s.next - 1, true
		}
	}
	return 0, false
}
