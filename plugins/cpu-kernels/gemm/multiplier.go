package gemm

import (
	"fmt"

	"github.com/honeml/hone/plugins/cpu-kernels/isa"
	"github.com/honeml/hone/plugins/cpu-kernels/workers"
)

// A Multiplier multiplies matrices, on the threads of a pool. It keeps what memory
// it needs for packing, at most some 16 MiB and 0.5 MiB a thread, from one product
// to the next. Its methods are called from one goroutine at a time.
type Multiplier struct {
	pool    *workers.Pool // nil: the caller's thread alone
	level   isa.Level
	kernels *kernels
	p       product

	packedA, packedB []float32
	scratch          []scratch // by worker

	// The items of the pool's loops, as func values made once.
	pack, multiply, dot func(worker, i int)
}

// scratch is a worker's own memory.
type scratch struct {
	edge   []float32 // a tile that hangs over the edge of C
	panels []float32 // panels of B that the worker packed for itself
	source []float32 // what a Source widened
	sums   []float32 // dot products
}

// New makes a Multiplier that uses the instructions of a level; on the threads of
// pool or, where that is nil, on the caller's alone.
func New(pool *workers.Pool, level isa.Level) (*Multiplier, error) {
	k, ok := kernelsFor(level)
	if !ok {
		return nil, fmt.Errorf("gemm: no kernels for the instructions %s on this machine", level)
	}
	m := &Multiplier{pool: pool, level: level, kernels: k, scratch: make([]scratch, 1)}
	if pool != nil {
		m.scratch = make([]scratch, pool.Threads())
	}
	m.pack, m.multiply, m.dot = m.packItem, m.tileItem, m.dotItem
	return m, nil
}

// Level is what instructions the kernels use.
func (m *Multiplier) Level() isa.Level { return m.level }

// A product is what is being computed, and how it is cut.
type product struct {
	c          []float32
	cStep      int
	a, b       Matrix
	m, n, k    int
	alpha      float32
	accumulate bool

	direct     bool // tiles read A where it is
	own        bool // each item packs the columns of B that it needs
	itemRows   int  // rows of C in an item
	itemPanels int  // panels of columns in an item
	packPanels int  // panels that are packed as one item

	// The part of the product under way: rows, columns and blocks of K.
	rows, cols, blocks span
}

// A span is a range of indices.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// Multiply computes C = alpha·A·B. It panics where the shapes do not fit, where C is
// not float32, or transposed. C must not share memory with A or B.
func (m *Multiplier) Multiply(c, a, b Matrix, alpha float32) { m.run(c, a, b, alpha, false) }

// MultiplyAdd computes C += alpha·A·B, otherwise as Multiply.
func (m *Multiplier) MultiplyAdd(c, a, b Matrix, alpha float32) { m.run(c, a, b, alpha, true) }

func (m *Multiplier) run(c, a, b Matrix, alpha float32, accumulate bool) {
	rows, inner := a.Shape()
	inner2, cols := b.Shape()
	if inner != inner2 || c.rows != rows || c.cols != cols || c.held != heldFloat32 || c.transposed {
		panic(fmt.Sprintf("gemm: the product of %s and %s into %s", describe(a), describe(b), describe(c)))
	}
	if rows == 0 || cols == 0 {
		return
	}
	if inner == 0 {
		if !accumulate {
			for i := range rows {
				clear(c.float32s[i*c.stride : i*c.stride+cols])
			}
		}
		return
	}
	m.p = product{c: c.float32s, cStep: c.stride, a: a, b: b, m: rows, n: cols, k: inner, alpha: alpha, accumulate: accumulate}
	if m.fewRows() {
		m.loop(m.dotItems(), m.dot)
	} else {
		m.cut()
		m.parts()
	}
	m.p = product{} // keep no one's memory
}

func describe(m Matrix) string {
	rows, cols := m.Shape()
	s := fmt.Sprintf("[%d %d]", rows, cols)
	if m.transposed {
		s += " (transposed)"
	}
	if m.held != heldFloat32 {
		s += " (not float32)"
	}
	return s
}

// loop runs f for n items.
func (m *Multiplier) loop(n int, f func(worker, i int)) {
	if m.pool != nil {
		m.pool.RunOn(n, f)
		return
	}
	for i := range n {
		f(0, i)
	}
}

// cut decides by shape alone how the product is computed.
func (m *Multiplier) cut() {
	p, columns := &m.p, m.kernels.columns
	p.direct = p.a.held == heldFloat32 && (p.n <= thin || p.m <= highest)
	p.own = p.m <= highest
	p.packPanels = narrow / columns
	wholeBlocks := p.b.held == heldSource && !p.b.transposed
	if wholeBlocks {
		p.packPanels = Granule / columns
	}
	switch {
	case !p.own:
		p.itemPanels = broad / columns
		p.itemRows = itemRows(p.m, ceilDiv(p.n, broad))
	case wholeBlocks:
		p.itemPanels, p.itemRows = p.packPanels, highest
	default:
		p.itemPanels, p.itemRows = ownPanels(p.n, columns), highest
	}
}

// parts runs the product part by part, each with as many rows, columns and blocks
// of K as there is room for packed.
func (m *Multiplier) parts() {
	p := &m.p
	rows, cols, blocks := p.m, p.n, blocksOf(p.k)
	length := 1 << 62
	if !p.direct {
		rows = min(rows, packed/(most+gap)/highest*highest)
		length = min(length, packed/roundUp(rows, p.itemRows))
	}
	if !p.own {
		cols = min(cols, packed/most/Granule*Granule)
		length = min(length, packed/roundUp(cols, m.kernels.columns))
	}
	// The last block is longer than depth by most-depth at most.
	step := min(blocks, max(1, (length-(most-depth))/(depth+gap)))
	for j := 0; j < p.n; j += cols {
		for l := 0; l < blocks; l += step {
			for i := 0; i < p.m; i += rows {
				p.rows, p.cols = span{i, min(p.m, i+rows)}, span{j, min(p.n, j+cols)}
				p.blocks = span{l, min(blocks, l+step)}
				m.part()
			}
		}
	}
}

// part packs and multiplies one part.
func (m *Multiplier) part() {
	p := &m.p
	items := 0
	if !p.direct {
		m.packedA = grow(m.packedA, roundUp(p.rows.len(), p.itemRows)*p.lengthA())
		items += p.itemsA()
	}
	if !p.own {
		m.packedB = grow(m.packedB, roundUp(p.cols.len(), m.kernels.columns)*p.length())
		items += p.blocks.len() * ceilDiv(p.cols.len(), p.packPanels*m.kernels.columns)
	}
	if items > 0 {
		m.loop(items, m.pack)
	}
	m.loop(ceilDiv(p.rows.len(), p.itemRows)*ceilDiv(p.cols.len(), p.itemPanels*m.kernels.columns), m.multiply)
}

// length is the part's length in K.
func (p *product) length() int {
	from, _ := block(p.k, p.blocks.from)
	_, to := block(p.k, p.blocks.to-1)
	return to - from
}

// lengthA is that of packed rows of A, with the gaps between blocks.
func (p *product) lengthA() int { return p.length() + gap*p.blocks.len() }

// itemsA is how many items it takes to pack A.
func (p *product) itemsA() int { return p.blocks.len() * ceilDiv(p.rows.len(), p.itemRows) }

// packItem packs a piece of A, or of B.
func (m *Multiplier) packItem(worker, i int) {
	p := &m.p
	if !p.direct {
		if n := p.itemsA(); i < n {
			m.packA(worker, i/p.blocks.len(), p.blocks.from+i%p.blocks.len())
			return
		} else {
			i -= n
		}
	}
	m.packB(worker, i/p.blocks.len(), p.blocks.from+i%p.blocks.len())
}

// grow is a slice of n elements, s itself where it has room.
func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}
