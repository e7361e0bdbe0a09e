package live

import (
	"cmp"
	"slices"
)

// Layout places buffers of the given sizes in one piece of memory: it returns
// the offset of each and the size of the piece. Buffers that overlap in time do
// not overlap in memory. Offsets are multiples of align. The result depends on
// the arguments alone.
//
// The best placement is hard to find (dynamic storage allocation is NP-hard), so it
// is the smallest of a few quick ones: buffers are taken from the largest down, or
// from the one that takes most memory for most steps, and each goes into the lowest
// gap that holds it, or into the tightest.
func Layout(buffers []Buffer, sizes []int64, align int64) (offsets []int64, total int64) {
	bySize := func(a, b int) int { return cmp.Compare(sizes[b], sizes[a]) }
	byArea := func(a, b int) int { return cmp.Compare(area(buffers[b], sizes[b]), area(buffers[a], sizes[a])) }
	for _, order := range []func(a, b int) int{bySize, byArea} {
		for _, tightest := range []bool{false, true} {
			p := placer{buffers: buffers, sizes: sizes, align: align, tightest: tightest}
			p.place(order)
			if offsets == nil || p.total < total {
				offsets, total = p.offsets, p.total
			}
		}
	}
	return offsets, roundUp(total, align)
}

func area(b Buffer, size int64) float64 { return float64(size) * float64(b.To-b.From+1) }

// A placer places one buffer after the other.
type placer struct {
	buffers  []Buffer
	sizes    []int64
	align    int64
	tightest bool // into the smallest gap that does; else into the lowest
	offsets  []int64
	total    int64
	placed   []int // in order of offset
}

func (p *placer) place(order func(a, b int) int) {
	queue := make([]int, len(p.buffers))
	for i := range queue {
		queue[i] = i
	}
	slices.SortStableFunc(queue, order)
	p.offsets = make([]int64, len(p.buffers))
	for _, i := range queue {
		if p.sizes[i] == 0 {
			continue
		}
		at := p.gap(i)
		p.offsets[i] = at
		p.total = max(p.total, at+p.sizes[i])
		place, _ := slices.BinarySearchFunc(p.placed, at, func(j int, offset int64) int {
			return cmp.Or(cmp.Compare(p.offsets[j], offset), -1) // behind its equals
		})
		p.placed = slices.Insert(p.placed, place, i)
	}
}

// gap is the offset for buffer i: between those placed buffers that are needed at
// the same time, or above them all.
func (p *placer) gap(i int) int64 {
	best, room := int64(-1), int64(0)
	at := int64(0) // above all that was passed
	for _, j := range p.placed {
		if !p.buffers[i].Overlaps(p.buffers[j]) {
			continue
		}
		if free := p.offsets[j] - at; free >= p.sizes[i] && (best < 0 || free < room) {
			if !p.tightest {
				return at
			}
			best, room = at, free
		}
		at = max(at, roundUp(p.offsets[j]+p.sizes[j], p.align))
	}
	if best >= 0 {
		return best
	}
	return at
}

func roundUp(n, align int64) int64 { return (n + align - 1) / align * align }
