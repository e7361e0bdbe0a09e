package gemm

// Few rows times a transposed matrix, as in generation: each element of C is the dot
// product of a row of A with a stored row of B. B is read once, in order, and not
// packed: the time is that of reading it.

// few is how many rows of A are few; up to dotRows of them share a reading of B.
const (
	few     = 8
	dotRows = 4
)

// fewRows reports whether the product is computed as dot products.
func (m *Multiplier) fewRows() bool {
	p := &m.p
	return p.m <= few && p.b.transposed && p.a.held == heldFloat32 && !p.a.transposed
}

// dotCols is how many columns of C an item has.
func (p *product) dotCols() int {
	const elements = 1 << 16 // of B in an item
	return max(lanes, min(elements/p.k, ceilDiv(p.n, enough)))
}

func (m *Multiplier) dotItems() int { return ceilDiv(m.p.n, m.p.dotCols()) }

// dotItem computes some columns of C, a few at a time, so that the rows of B that
// they need are still in the cache when further rows of A need them.
func (m *Multiplier) dotItem(worker, item int) {
	p := &m.p
	cols := span{item * p.dotCols(), min(p.n, (item+1)*p.dotCols())}
	for j := cols.from; j < cols.to; j += lanes {
		part := span{j, min(cols.to, j+lanes)}
		for i := 0; i < p.m; i += dotRows {
			rows := span{i, min(p.m, i+dotRows)}
			switch p.b.held {
			case heldFloat32:
				dotProducts(m, worker, &m.kernels.float32s, p.b.float32s[part.from*p.b.stride:], p.b.stride, rows, part)
			case heldBFloat16:
				dotProducts(m, worker, &m.kernels.bfloat16s, p.b.halves[part.from*p.b.stride:], p.b.stride, rows, part)
			case heldFloat16:
				dotProducts(m, worker, &m.kernels.float16s, p.b.halves[part.from*p.b.stride:], p.b.stride, rows, part)
			case heldSource:
				if i == 0 {
					s := &m.scratch[worker]
					s.source = grow(s.source, max(len(s.source), lanes*p.k))
					p.b.source.Widen(s.source, p.k, part.from, part.len(), 0, p.k)
				}
				dotProducts(m, worker, &m.kernels.float32s, m.scratch[worker].source, p.k, rows, part)
			}
		}
	}
}

// dotProducts computes some rows and columns of C from the stored rows of B that w
// begins with.
func dotProducts[T element](m *Multiplier, worker int, k *storedKernels[T], w []T, stride int, rows, cols span) {
	p, s := &m.p, &m.scratch[worker]
	s.sums = grow(s.sums, dotRows*lanes)
	x := p.a.float32s[rows.from*p.a.stride:]
	whole := p.k / lanes * lanes
	k.dots[rows.len()-1](&x[0], p.a.stride, &w[0], stride, whole, cols.len(), &s.sums[0], lanes)
	for i := range rows.len() {
		c := p.c[(rows.from+i)*p.cStep+cols.from:][:cols.len()]
		for j := range c {
			sum := s.sums[i*lanes+j]
			for l := whole; l < p.k; l++ {
				sum += x[i*p.a.stride+l] * k.widen(w[j*stride+l])
			}
			sum *= p.alpha
			if p.accumulate {
				sum += c[j]
			}
			c[j] = sum
		}
	}
}
