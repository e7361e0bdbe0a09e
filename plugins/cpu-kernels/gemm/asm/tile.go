//go:build ignore

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// tile writes a kernel for a tile of C of some rows, and width vectors of columns:
//
//	c = alpha · Σ_k a[·,k]·b[k,·]  or  c += …
//
// The tile is summed in registers, k after k, each by a fused multiply and add.
// Of A an element is broadcast at a time, wherever it stands: element (i, k) is at
// i·rowStep + k·columnStep. Of B, row k is at k·bStep. Per k there are 2·rows
// multiply-adds, rows+2 loads and at most 4 additions to addresses: with 6 rows
// (12 in AVX-512) the multiply-adds are what takes the time.
func (v vectors) tile(rows, width int) {
	TEXT(fmt.Sprintf("tile%sx%dx%d", v.name, rows, width), NOSPLIT,
		"func(k int, a *float32, rowStep, columnStep int, b *float32, bStep int, c *float32, cStep int, alpha float32, accumulate bool)")
	Pragma("noescape")
	k, b := pointer("k"), pointer("b")
	rowStep, columnStep, bStep := bytes("rowStep", 2), bytes("columnStep", 2), bytes("bStep", 2)
	a := v.bases(pointer("a"), rowStep, rows)
	v.prefetch(rows, width)

	sums := make([][]VecVirtual, rows)
	for i := range sums {
		for range width {
			sums[i] = append(sums[i], clear(v.register(), v.floats))
		}
	}
	step := func() {
		var column []VecVirtual
		for j := range width {
			column = append(column, v.register())
			VMOVUPS(Mem{Base: b, Disp: 4 * v.floats * j}, column[j])
		}
		ADDQ(bStep, b)
		for i := range sums {
			x := v.register()
			VBROADCASTSS(element(a, rowStep, i), x)
			for j, sum := range sums[i] {
				VFMADD231PS(column[j], x, sum)
			}
		}
		for _, base := range a {
			ADDQ(columnStep, base)
		}
	}
	const unroll = 4
	Label("four")
	SUBQ(Imm(unroll), k)
	JL(LabelRef("rest"))
	for range unroll {
		step()
	}
	JMP(LabelRef("four"))
	Label("rest")
	ADDQ(Imm(unroll), k)
	JE(LabelRef("store"))
	Label("one")
	step()
	DECQ(k)
	JNE(LabelRef("one"))
	Label("store")
	v.store(sums)
}

// bases are registers with the addresses of every third row: x86 addresses reach
// one and two strides further.
func (v vectors) bases(a, rowStep Register, rows int) []Register {
	bases := []Register{a}
	for i := 3; i < rows; i += 3 {
		base := GP64()
		LEAQ(Mem{Base: bases[len(bases)-1], Index: rowStep, Scale: 2}, base)
		ADDQ(rowStep, base)
		bases = append(bases, base)
	}
	return bases
}

// element is row i from an address in bases on.
func element(bases []Register, step Register, i int) Mem {
	m := Mem{Base: bases[i/3]}
	if i%3 > 0 {
		m.Index, m.Scale = step, uint8(i%3)
	}
	return m
}

// prefetch asks for the tile of C, which is needed only at the end.
func (v vectors) prefetch(rows, width int) {
	c, cStep := pointer("c"), bytes("cStep", 2)
	for range rows {
		PREFETCHT0(Mem{Base: c})
		PREFETCHT0(Mem{Base: c, Disp: 4*v.floats*width - 4})
		ADDQ(cStep, c)
	}
}

// store writes alpha times the sums, or adds it.
func (v vectors) store(sums [][]VecVirtual) {
	c, cStep, alpha, accumulate := pointer("c"), bytes("cStep", 2), v.register(), GP64()
	VBROADCASTSS(address("alpha"), alpha)
	MOVBQZX(address("accumulate"), accumulate)
	TESTQ(accumulate, accumulate)
	JNE(LabelRef("add"))
	for _, row := range sums {
		for j, sum := range row {
			x := v.register()
			VMULPS(alpha, sum, x)
			VMOVUPS(x, Mem{Base: c, Disp: 4 * v.floats * j})
		}
		ADDQ(cStep, c)
	}
	VZEROUPPER()
	RET()
	Label("add")
	for _, row := range sums {
		for j, sum := range row {
			m := Mem{Base: c, Disp: 4 * v.floats * j}
			VFMADD213PS(m, alpha, sum)
			VMOVUPS(sum, m)
		}
		ADDQ(cStep, c)
	}
	VZEROUPPER()
	RET()
}
