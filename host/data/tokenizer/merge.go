package tokenizer

import "math"

// scanLimit is the length up to which a word's best pair is found by looking
// at all of them; longer words keep their pairs in a heap.
const scanLimit = 40

// merger joins the pieces of words. It holds what one word leaves for the next
// to use again; it serves one goroutine at a time.
type merger struct {
	next  []merge // of the pair that begins at each piece; rank noMerge for none
	links []link
	heap  []candidate
}

const noMerge = math.MaxInt32

// mergeAll joins neighbours, the lowest rank first and of equal ranks the
// first in the word, until no pair has a merge. It works in place.
func (m *merger) mergeAll(table *mergeTable, pieces []piece) []piece {
	switch {
	case len(pieces) < 2:
		return pieces
	case len(pieces) <= scanLimit:
		return m.scan(table, pieces)
	}
	return m.queue(table, pieces)
}

func lookUp(table *mergeTable, left, right piece) merge {
	if found, ok := table.get(left.id, right.id); ok {
		return found
	}
	return merge{rank: noMerge}
}

func (m *merger) scan(table *mergeTable, pieces []piece) []piece {
	next := m.next[:0]
	for i := range len(pieces) - 1 {
		next = append(next, lookUp(table, pieces[i], pieces[i+1]))
	}
	m.next = next
	for len(next) > 0 {
		best := 0
		for i := range next {
			if next[i].rank < next[best].rank {
				best = i
			}
		}
		if next[best].rank == noMerge {
			break
		}
		pieces[best].id = next[best].id
		pieces[best].end = pieces[best+1].end
		pieces = append(pieces[:best+1], pieces[best+2:]...)
		next = append(next[:best], next[best+1:]...)
		if best < len(next) {
			next[best] = lookUp(table, pieces[best], pieces[best+1])
		}
		if best > 0 {
			next[best-1] = lookUp(table, pieces[best-1], pieces[best])
		}
	}
	return pieces
}

// link gives the neighbours of a piece: indices, or -1 at the ends. A piece
// that went into the one before it has gone.
type link struct {
	before, after int32
	gone          bool
}

// candidate is a pair that can be joined, or could when it was entered.
type candidate struct {
	merge
	at int32 // index of the left piece
}

func (c candidate) less(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

func (m *merger) queue(table *mergeTable, pieces []piece) []piece {
	m.links, m.heap = m.links[:0], m.heap[:0]
	for i := range pieces {
		m.links = append(m.links, link{before: int32(i) - 1, after: int32(i) + 1})
	}
	links := m.links
	links[len(links)-1].after = -1
	enter := func(left, right int32) {
		if found := lookUp(table, pieces[left], pieces[right]); found.rank != noMerge {
			m.push(candidate{found, left})
		}
	}
	for i := range len(pieces) - 1 {
		enter(int32(i), int32(i+1))
	}
	for len(m.heap) > 0 {
		top := m.pop()
		left, right := top.at, links[top.at].after
		if links[left].gone || right < 0 {
			continue
		}
		// The pair may be another by now.
		if now := lookUp(table, pieces[left], pieces[right]); now.rank == noMerge || now.id != top.id {
			continue
		}
		pieces[left].id = top.id
		pieces[left].end = pieces[right].end
		links[right].gone = true
		links[left].after = links[right].after
		if after := links[left].after; after >= 0 {
			links[after].before = left
			enter(left, after)
		}
		if before := links[left].before; before >= 0 {
			enter(before, left)
		}
	}
	out := pieces[:0]
	for i := int32(0); i >= 0; i = links[i].after {
		out = append(out, pieces[i])
	}
	return out
}

func (m *merger) push(c candidate) {
	m.heap = append(m.heap, c)
	h := m.heap
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].less(h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (m *merger) pop() candidate {
	h := m.heap
	top := h[0]
	last := len(h) - 1
	h[0] = h[last]
	m.heap = h[:last]
	h = m.heap
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].less(h[child]) {
			child++
		}
		if !h[child].less(h[i]) {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	return top
}
