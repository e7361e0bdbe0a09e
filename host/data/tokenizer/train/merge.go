package train

import "container/heap"

// pair is two tokens that stand side by side.
type pair struct{ left, right int32 }

// merger holds the words of the corpus and the pairs in them.
type merger struct {
	v      *vocabulary
	words  []word
	counts map[pair]int
	// where holds the words that a pair is in, or was; some more than once.
	where map[pair][]int32
	queue queue
}

func newMerger(counts map[string]int, v *vocabulary) *merger {
	m := &merger{v: v, words: sortedWords(counts, v), counts: make(map[pair]int), where: make(map[pair][]int32)}
	for i, w := range m.words {
		for j := range len(w.parts) - 1 {
			m.count(pair{w.parts[j], w.parts[j+1]}, int32(i), w.count)
		}
	}
	for p, n := range m.counts {
		m.queue = append(m.queue, entry{p, n})
	}
	heap.Init(&m.queue)
	return m
}

func (m *merger) count(p pair, word int32, n int) {
	m.counts[p] += n
	if at := m.where[p]; n > 0 && (len(at) == 0 || at[len(at)-1] != word) {
		m.where[p] = append(at, word)
	}
}

// mergeBest joins the most frequent pair everywhere. It reports false if none
// is left that is there at least so often.
func (m *merger) mergeBest(least int) bool {
	for len(m.queue) > 0 {
		top := m.queue[0]
		switch now := m.counts[top.pair]; {
		case now < least:
			heap.Pop(&m.queue)
		case now != top.count:
			m.queue[0].count = now
			heap.Fix(&m.queue, 0)
		default:
			heap.Pop(&m.queue)
			m.merge(top.pair)
			return true
		}
	}
	return false
}

func (m *merger) merge(p pair) {
	id := m.v.merge(p)
	words := m.where[p]
	delete(m.where, p)
	fresh := make(map[pair]bool)
	for _, i := range words {
		w := &m.words[i]
		if !has(w.parts, p) {
			continue
		}
		for j := range len(w.parts) - 1 {
			m.count(pair{w.parts[j], w.parts[j+1]}, i, -w.count)
		}
		w.parts = replace(w.parts, p, id)
		for j := range len(w.parts) - 1 {
			q := pair{w.parts[j], w.parts[j+1]}
			m.count(q, i, w.count)
			if q.left == id || q.right == id {
				fresh[q] = true
			}
		}
	}
	delete(m.counts, p)
	for q := range fresh {
		heap.Push(&m.queue, entry{q, m.counts[q]})
	}
}

func has(parts []int32, p pair) bool {
	for j := range len(parts) - 1 {
		if parts[j] == p.left && parts[j+1] == p.right {
			return true
		}
	}
	return false
}

// replace puts id in the place of each pair, from the left. It works in place.
func replace(parts []int32, p pair, id int32) []int32 {
	out := parts[:0]
	for j := 0; j < len(parts); j++ {
		if j+1 < len(parts) && parts[j] == p.left && parts[j+1] == p.right {
			out = append(out, id)
			j++
			continue
		}
		out = append(out, parts[j])
	}
	return out
}

// entry is a pair and how often it was there when it was entered.
type entry struct {
	pair
	count int
}

// queue is a heap of pairs, the most frequent on top.
type queue []entry

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	if a.count != b.count {
		return a.count > b.count
	}
	if a.left != b.left {
		return a.left < b.left
	}
	return a.right < b.right
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements [heap.Interface].
func (q *queue) Push(x any) { *q = append(*q, x.(entry)) }

// Pop implements [heap.Interface].
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

var _ heap.Interface = (*queue)(nil)
