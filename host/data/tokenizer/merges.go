package tokenizer

// mergeTable maps a pair of tokens to the rank of its merge and the token that
// it makes. It is an open-addressing hash table: a lookup is most of encoding's
// work, and Go's map takes several times as long.
type mergeTable struct {
	mask  uint64
	slots []mergeSlot
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
	size := uint64(16)
	for size < 2*uint64(n) {
		size *= 2
	}
	return &mergeTable{mask: size - 1, slots: make([]mergeSlot, size)}
}

func pairKey(left, right int32) uint64 {
	return uint64(uint32(left))<<32 | uint64(uint32(right)) + 1
}

// slot returns where a pair is, or the empty slot where it would be.
func (t *mergeTable) slot(key uint64) *mergeSlot {
	h := key * 0x9E3779B97F4A7C15
	h ^= h >> 32
	for i := h & t.mask; ; i = (i + 1) & t.mask {
		if s := &t.slots[i]; s.pair == key || s.pair == 0 {
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
