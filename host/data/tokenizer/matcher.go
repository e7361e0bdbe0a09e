package tokenizer

// matcher finds added tokens in text: at each place the longest that begins
// there, from left to right without overlap.
//
// It is a trie over bytes. Few bytes of a text begin a token, so the walk
// seldom leaves the root.
type matcher struct {
	root     [256]int32       // node after the first byte; 0 for none
	children map[uint64]int32 // node<<8 | byte to node
	value    []int32          // index of the token that ends at a node, or -1
}

func newMatcher() *matcher {
	return &matcher{children: make(map[uint64]int32), value: []int32{-1}}
}

// add enters a token, which is not empty. It returns the index of the one that
// has the same text, or -1.
func (m *matcher) add(text string, index int32) int32 {
	node := int32(0)
	for i := range len(text) {
		next := m.child(node, text[i])
		if next == 0 {
			next = int32(len(m.value))
			m.value = append(m.value, -1)
			if node == 0 {
				m.root[text[i]] = next
			} else {
				m.children[uint64(node)<<8|uint64(text[i])] = next
			}
		}
		node = next
	}
	if same := m.value[node]; same >= 0 {
		return same
	}
	m.value[node] = index
	return -1
}

func (m *matcher) child(node int32, b byte) int32 {
	if node == 0 {
		return m.root[b]
	}
	return m.children[uint64(node)<<8|uint64(b)]
}

// find returns the first token at or after from, and its range; index is -1
// where none is left.
func (m *matcher) find(text string, from int) (index int32, start, end int) {
	if len(m.value) == 1 {
		return -1, 0, 0
	}
	for start := from; start < len(text); start++ {
		node := m.root[text[start]]
		if node == 0 {
			continue
		}
		found, end := m.value[node], start+1
		for i := start + 1; i < len(text); i++ {
			if node = m.child(node, text[i]); node == 0 {
				break
			}
			if v := m.value[node]; v >= 0 {
				found, end = v, i+1
			}
		}
		if found >= 0 {
			return found, start, end
		}
	}
	return -1, 0, 0
}
