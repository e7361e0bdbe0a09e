package gemm

// tileItem multiplies an item of the part under way: some rows and panels of C, block
// after block of K. Panels are the outer loop: a panel of B stays in the first level
// cache while the rows of A pass from the second.
func (m *Multiplier) tileItem(worker, item int) {
	p, columns := &m.p, m.kernels.columns
	groups := ceilDiv(p.cols.len(), p.itemPanels*columns)
	r, g := item/groups, item%groups
	rows := span{p.rows.from + r*p.itemRows, min(p.rows.to, p.rows.from+(r+1)*p.itemRows)}
	cols := span{p.cols.from + g*p.itemPanels*columns, min(p.cols.to, p.cols.from+(g+1)*p.itemPanels*columns)}
	for l := p.blocks.from; l < p.blocks.to; l++ {
		b, step := m.itemB(worker, g, cols, l)
		t := m.itemA(r, rows, l)
		for i := 0; i*columns < cols.len(); i++ {
			panel := span{cols.from + i*columns, min(cols.to, cols.from+(i+1)*columns)}
			m.panelTiles(worker, t, b[i*step:], rows, panel, l)
		}
	}
}

// itemA is where an item's rows of A are, from the first row and block l on.
func (m *Multiplier) itemA(r int, rows span, l int) tiled {
	p := &m.p
	if !p.direct {
		return m.placeA(r, l)
	}
	from, _ := block(p.k, l)
	if p.a.transposed {
		return tiled{p.a.float32s[from*p.a.stride+rows.from:], 1, p.a.stride}
	}
	return tiled{p.a.float32s[rows.from*p.a.stride+from:], p.a.stride, 1}
}

// itemB is where an item's panels of B are in block l, and how far apart. Where items
// pack their own, that happens here.
func (m *Multiplier) itemB(worker, g int, cols span, l int) (b []float32, step int) {
	p, columns := &m.p, m.kernels.columns
	from, to := block(p.k, l)
	if p.own {
		step = columns * (to - from)
		s := &m.scratch[worker]
		s.panels = grow(s.panels, max(len(s.panels), step*p.itemPanels))
		m.panels(worker, s.panels, step, cols, l)
		return s.panels, step
	}
	first, _ := block(p.k, p.blocks.from)
	step = columns * p.length()
	return m.packedB[g*p.itemPanels*step+columns*(from-first):], step
}

// panelTiles computes the tiles of some rows of C in one panel of columns.
func (m *Multiplier) panelTiles(worker int, t tiled, b []float32, rows, cols span, l int) {
	p, k := &m.p, m.kernels
	from, to := block(p.k, l)
	width, tiles := k.columns, k.tiles[1]
	if cols.len() <= k.vector {
		width, tiles = k.vector, k.tiles[0]
	}
	accumulate := p.accumulate || l > 0
	for i := 0; i < rows.len(); i += k.rows {
		n := min(k.rows, rows.len()-i)
		c, step := p.c[(rows.from+i)*p.cStep+cols.from:], p.cStep
		if cols.len() == width {
			tiles[n-1](to-from, &t.data[i*t.rowStep], t.rowStep, t.columnStep, &b[0], k.columns, &c[0], step, p.alpha, accumulate)
			continue
		}
		// The tile hangs over the edge: the kernel gets one of its own.
		s := &m.scratch[worker]
		s.edge = grow(s.edge, k.rows*k.columns)
		if accumulate {
			copyRows(s.edge, width, c, step, n, cols.len())
		}
		tiles[n-1](to-from, &t.data[i*t.rowStep], t.rowStep, t.columnStep, &b[0], k.columns, &s.edge[0], width, p.alpha, accumulate)
		copyRows(c, step, s.edge, width, n, cols.len())
	}
}

func copyRows(dst []float32, dstStep int, src []float32, srcStep, rows, cols int) {
	for i := range rows {
		copy(dst[i*dstStep:i*dstStep+cols], src[i*srcStep:])
	}
}
