package gemm

// Packed A: for each group of itemRows rows, and in it for each block of K, the
// elements as they are stored, row-major: rows of the block's length and a gap, or,
// where A is transposed, rows of itemRows elements of one k each. Tiles broadcast
// one element at a time, so nothing has to be reordered; a copy is made for its
// neighbourhood, and to widen.

// A tiled is where tiles find A: element (i, k) is at data[i·rowStep + k·columnStep].
type tiled struct {
	data                []float32
	rowStep, columnStep int
}

// placeA is where packed rows of group r, block l, are.
func (m *Multiplier) placeA(r, l int) tiled {
	p := &m.p
	first, _ := block(p.k, p.blocks.from)
	from, to := block(p.k, l)
	at := p.itemRows * (r*p.lengthA() + from - first + gap*(l-p.blocks.from))
	size := p.itemRows * (to - from + gap)
	if p.a.transposed {
		return tiled{m.packedA[at : at+size], 1, p.itemRows}
	}
	return tiled{m.packedA[at : at+size], to - from + gap, 1}
}

// packA packs the rows of group r in block l of K.
func (m *Multiplier) packA(worker, r, l int) {
	p, t := &m.p, m.placeA(r, l)
	rows := span{p.rows.from + r*p.itemRows, min(p.rows.to, p.rows.from+(r+1)*p.itemRows)}
	from, to := block(p.k, l)
	if p.a.transposed {
		m.widen(worker, t.data, t.columnStep, p.a, span{from, to}, rows)
	} else {
		m.widen(worker, t.data, t.rowStep, p.a, rows, span{from, to})
	}
}

// widen writes a block of the matrix as it is stored to dst, rows step apart.
func (m *Multiplier) widen(worker int, dst []float32, step int, a Matrix, rows, cols span) {
	n := cols.len()
	switch a.held {
	case heldFloat32:
		for i := range rows.len() {
			at := (rows.from+i)*a.stride + cols.from
			copy(dst[i*step:i*step+n], a.float32s[at:at+n])
		}
	case heldBFloat16:
		widenRows(&m.kernels.bfloat16s, dst, step, a, rows, cols)
	case heldFloat16:
		widenRows(&m.kernels.float16s, dst, step, a, rows, cols)
	case heldSource:
		m.widenSource(worker, dst, step, a, rows, cols)
	}
}

// widenRows is widen for 16-bit types.
func widenRows(k *storedKernels[uint16], dst []float32, step int, a Matrix, rows, cols span) {
	n, whole := cols.len(), cols.len()/lanes*lanes
	for i := range rows.len() {
		at := (rows.from+i)*a.stride + cols.from
		from, to := a.halves[at:at+n], dst[i*step:i*step+n]
		if whole > 0 {
			k.spread(&to[0], 0, &from[0], 0, 1, whole/lanes)
		}
		for j, v := range from[whole:] {
			to[whole+j] = k.widen(v)
		}
	}
}

// widenSource is widen for a Source, whose columns are read by the granule.
func (m *Multiplier) widenSource(worker int, dst []float32, step int, a Matrix, rows, cols span) {
	whole := span{cols.from / Granule * Granule, min(a.cols, roundUp(cols.to, Granule))}
	if whole == cols {
		a.source.Widen(dst, step, rows.from, rows.len(), cols.from, cols.len())
		return
	}
	s := &m.scratch[worker]
	s.source = grow(s.source, max(len(s.source), whole.len()))
	for i := range rows.len() {
		a.source.Widen(s.source, whole.len(), rows.from+i, 1, whole.from, whole.len())
		copy(dst[i*step:i*step+cols.len()], s.source[cols.from-whole.from:])
	}
}
