package tokenizer

import "math/rand/v2"

// mergeTable maps a pair of tokens to the rank of its merge and the token that
// it makes. It is an open-addressing hash table: a lookup is most of encoding's
// work, and Go's map takes several times as long.
type mergeTable struct {
	// factor is random, so that no file can be made whose pairs collide.
	factor uint64
	shift  uint // what is left of a hash, shifted so far right, is a slot
	slots  []mergeSlot
}

type mergeSlot struct {
	pair uint64 // 0 for an empty slot, else 1 + left<<32 | right
	merge
}

// merge is what a pair becomes.
type merge struct {
	rank int32 // a lower rank goes first
	id   int32
}

// newMergeTable returns a table for n pairs.
func newMergeTable(n int) *mergeTable {
	width := uint(4)
	for 1<<width < 2*n {
		width++
	}
	return &mergeTable{factor: rand.Uint64() | 1, shift: 64 - width, slots: make([]mergeSlot, 1<<width)}
}

func pairKey(left, right int32) uint64 {
	return uint64(uint32(left))<<32 | uint64(uint32(right)) + 1
}

// slot returns where a pair is, or the empty slot where it would be.
func (t *mergeTable) slot(key uint64) *mergeSlot {
	mask := uint64(len(t.slots) - 1)
	for i := key * t.factor >> t.shift; ; i = (i + 1) & mask {
		if s := &t.slots[i&mask]; s.pair == key || s.pair == 0 {
			return s
		}
	}
}

// set enters a pair; one that is there already is replaced.
func (t *mergeTable) set(left, right int32, m merge) {
	key := pairKey(left, right)
	*t.slot(key) = mergeSlot{key, m}
}

func (t *mergeTable) get(left, right int32) (merge, bool) {
	s := t.slot(pairKey(left, right))
	return s.merge, s.pair != 0
}
