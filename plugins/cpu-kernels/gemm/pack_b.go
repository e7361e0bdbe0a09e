package gemm

// Packed B: panels of the kernels' columns. A panel has, for each k, its columns side
// by side; columns beyond the last of B are zeros.

// packB packs item i of the panels of B in block l of K.
func (m *Multiplier) packB(worker, i, l int) {
	p, columns := &m.p, m.kernels.columns
	first, _ := block(p.k, p.blocks.from)
	from, _ := block(p.k, l)
	cols := span{p.cols.from + i*p.packPanels*columns, min(p.cols.to, p.cols.from+(i+1)*p.packPanels*columns)}
	step := columns * p.length()
	m.panels(worker, m.packedB[i*p.packPanels*step+columns*(from-first):], step, cols, l)
}

// panels packs the columns cols of B in block l of K to dst, panels step apart.
func (m *Multiplier) panels(worker int, dst []float32, step int, cols span, l int) {
	from, to := block(m.p.k, l)
	b := panelsOf{dst, step, m.kernels.columns, cols, span{from, to}}
	switch m.p.b.held {
	case heldFloat32:
		packPanels(b, &m.kernels.float32s, m.p.b.float32s, m.p.b)
	case heldBFloat16:
		packPanels(b, &m.kernels.bfloat16s, m.p.b.halves, m.p.b)
	case heldFloat16:
		packPanels(b, &m.kernels.float16s, m.p.b.halves, m.p.b)
	case heldSource:
		m.packSource(worker, b)
	}
}

// panelsOf says what is to be packed where.
type panelsOf struct {
	dst     []float32
	step    int // from panel to panel
	columns int // of a panel
	cols, k span
}

// count is how many panels there are.
func (b panelsOf) count() int { return ceilDiv(b.cols.len(), b.columns) }

// panel is where panel i goes, and the columns that it has.
func (b panelsOf) panel(i int) (dst []float32, cols span) {
	from := b.cols.from + i*b.columns
	return b.dst[i*b.step : i*b.step+b.columns*b.k.len()], span{from, min(b.cols.to, from+b.columns)}
}

func packPanels[T element](b panelsOf, k *storedKernels[T], data []T, matrix Matrix) {
	if !matrix.transposed {
		packRows(b, k, data[b.k.from*matrix.stride+b.cols.from:], matrix.stride, b.k)
		return
	}
	for i := range b.count() {
		dst, cols := b.panel(i)
		for j := 0; j < b.columns; j += lanes {
			n := min(lanes, cols.len()-j)
			if n <= 0 {
				clearColumns(dst, b.columns, j, lanes)
				continue
			}
			packColumns(k, dst, b.columns, j, data[(cols.from+j)*matrix.stride+b.k.from:], matrix.stride, n, b.k.len())
		}
	}
}

// packColumns packs n ≤ lanes stored rows of length elements, which src begins with
// and stride apart, as the columns of a panel from column j on.
func packColumns[T element](k *storedKernels[T], dst []float32, columns, j int, src []T, stride, n, length int) {
	whole := 0
	if n == lanes {
		whole = length / lanes * lanes
		if whole > 0 {
			k.transpose(&dst[j], columns, &src[0], stride, whole)
		}
	} else {
		clearColumns(dst, columns, j, lanes)
	}
	if whole == length {
		return
	}
	for i := range n {
		for l, v := range src[i*stride+whole : i*stride+length] {
			dst[(whole+l)*columns+j+i] = k.widen(v)
		}
	}
}

// clearColumns sets n columns of a panel from column j on to zero.
func clearColumns(dst []float32, columns, j, n int) {
	for at := j; at < len(dst); at += columns {
		clear(dst[at : at+n])
	}
}

// packRows packs the stored rows k of B's columns, which src begins with. A few rows
// at a time go to all panels: rows may lie pages apart.
func packRows[T element](b panelsOf, s *storedKernels[T], src []T, stride int, k span) {
	const together = 16
	for l := 0; l < k.len(); l += together {
		rows := min(together, k.len()-l)
		for i := range b.count() {
			dst, cols := b.panel(i)
			at := l*stride + cols.from - b.cols.from
			to := dst[(k.from-b.k.from+l)*b.columns:]
			if cols.len() == b.columns {
				s.spread(&to[0], b.columns, &src[at], stride, rows, b.columns/lanes)
				continue
			}
			for r := range rows {
				row := to[r*b.columns : (r+1)*b.columns]
				for j, v := range src[at+r*stride : at+r*stride+cols.len()] {
					row[j] = s.widen(v)
				}
				clear(row[cols.len():])
			}
		}
	}
}

// packSource packs panels of a Source: a few rows are widened, then packed as
// float32.
func (m *Multiplier) packSource(worker int, b panelsOf) {
	matrix, s := m.p.b, &m.scratch[worker]
	if matrix.transposed {
		s.source = grow(s.source, max(len(s.source), lanes*most))
		for i := range b.count() {
			dst, cols := b.panel(i)
			for j := 0; j < b.columns; j += lanes {
				n := min(lanes, cols.len()-j)
				if n <= 0 {
					clearColumns(dst, b.columns, j, lanes)
					continue
				}
				matrix.source.Widen(s.source, most, cols.from+j, n, b.k.from, b.k.len())
				packColumns(&m.kernels.float32s, dst, b.columns, j, s.source, most, n, b.k.len())
			}
		}
		return
	}
	const together = 16
	whole := span{b.cols.from / Granule * Granule, min(matrix.cols, roundUp(b.cols.to, Granule))}
	s.source = grow(s.source, max(len(s.source), together*whole.len()))
	for l := b.k.from; l < b.k.to; l += together {
		rows := span{l, min(b.k.to, l+together)}
		matrix.source.Widen(s.source, whole.len(), rows.from, rows.len(), whole.from, whole.len())
		packRows(b, &m.kernels.float32s, s.source[b.cols.from-whole.from:], whole.len(), rows)
	}
}
