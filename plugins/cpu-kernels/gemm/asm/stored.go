//go:build ignore

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A stored is a type that matrices are stored in. Its kernels are AVX2's on every
// machine: they wait for memory, not for arithmetic.
type stored struct {
	name, element string
	shift         uint64 // an element takes 1<<shift bytes
	load          func(m Mem, v VecVirtual)
}

var (
	float32s  = stored{"Float32", "float32", 2, func(m Mem, v VecVirtual) { VMOVUPS(m, v) }}
	bfloat16s = stored{"BFloat16", "uint16", 1, func(m Mem, v VecVirtual) {
		VPMOVZXWD(m, v)
		VPSLLD(U8(16), v, v)
	}}
	float16s = stored{"Float16", "uint16", 1, func(m Mem, v VecVirtual) { VCVTPH2PS(m, v) }}
)

// wide is eight elements from m on, as float32.
func (s stored) wide(m Mem) VecVirtual {
	v := YMM()
	s.load(m, v)
	return v
}

// transpose writes
//
//	dst[k·dstStep + i] = src[i·srcStep + k]   for 0 ≤ i < 8, 0 ≤ k < n
//
// for n a positive multiple of 8: a square of 8 by 8 at a time.
func (s stored) transpose() {
	TEXT("transpose"+s.name, NOSPLIT, fmt.Sprintf("func(dst *float32, dstStep int, src *%s, srcStep, n int)", s.element))
	Pragma("noescape")
	dst, n := pointer("dst"), pointer("n")
	dstStep, srcStep := bytes("dstStep", 2), bytes("srcStep", s.shift)
	src := avx2.bases(pointer("src"), srcStep, 8)
	Label("square")
	var rows []VecVirtual
	for i := range 8 {
		rows = append(rows, s.wide(element(src, srcStep, i)))
	}
	for _, column := range transposed(rows) {
		VMOVUPS(column, Mem{Base: dst})
		ADDQ(dstStep, dst)
	}
	for _, base := range src {
		ADDQ(Imm(8<<s.shift), base)
	}
	SUBQ(Imm(8), n)
	JNE(LabelRef("square"))
	VZEROUPPER()
	RET()
}

// transposed is the transpose of eight registers of eight: pairs of rows are
// interleaved, then pairs of pairs, then the halves exchanged.
func transposed(r []VecVirtual) []VecVirtual {
	pairs, fours := make([]VecVirtual, 8), make([]VecVirtual, 8)
	for i := 0; i < 8; i += 2 {
		pairs[i], pairs[i+1] = YMM(), YMM()
		VUNPCKLPS(r[i+1], r[i], pairs[i])
		VUNPCKHPS(r[i+1], r[i], pairs[i+1])
	}
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			low, high := YMM(), YMM()
			VUNPCKLPD(pairs[i+2+j], pairs[i+j], low)
			VUNPCKHPD(pairs[i+2+j], pairs[i+j], high)
			fours[i+2*j], fours[i+2*j+1] = low, high
		}
	}
	out := make([]VecVirtual, 8)
	for i := range 4 {
		out[i], out[i+4] = YMM(), YMM()
		VPERM2F128(Imm(0x20), fours[i+4], fours[i], out[i])
		VPERM2F128(Imm(0x31), fours[i+4], fours[i], out[i+4])
	}
	return out
}

// spread writes
//
//	dst[k·dstStep + j] = src[k·srcStep + j]   for 0 ≤ k < n, 0 ≤ j < 8·vectors
//
// for n and vectors of at least 1.
func (s stored) spread() {
	TEXT("spread"+s.name, NOSPLIT, fmt.Sprintf("func(dst *float32, dstStep int, src *%s, srcStep, n, vectors int)", s.element))
	Pragma("noescape")
	dst, src, n, vectors := pointer("dst"), pointer("src"), pointer("n"), pointer("vectors")
	dstStep, srcStep := bytes("dstStep", 2), bytes("srcStep", s.shift)
	to, from, left, ahead := GP64(), GP64(), GP64(), GP64()
	MOVQ(srcStep, ahead)
	SHLQ(U8(4), ahead)
	Label("row")
	MOVQ(dst, to)
	MOVQ(src, from)
	MOVQ(vectors, left)
	Label("vector")
	PREFETCHT0(Mem{Base: from, Index: ahead, Scale: 1})
	VMOVUPS(s.wide(Mem{Base: from}), Mem{Base: to})
	ADDQ(Imm(8<<s.shift), from)
	ADDQ(Imm(32), to)
	DECQ(left)
	JNE(LabelRef("vector"))
	ADDQ(dstStep, dst)
	ADDQ(srcStep, src)
	DECQ(n)
	JNE(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// dots writes the dot products of some rows of x with each of the rows of w:
//
//	out[i·outStep + j] = Σ_k x[i·xStep + k]·w[j·wStep + k]   for 0 ≤ j < count, 0 ≤ k < n
//
// for n a multiple of 8, count at least 1. Each is summed in one register, over its
// lanes at the end. Several rows of w are read side by side: what is read of x serves
// them all, and no multiply-add waits for the one before.
func (s stored) dots(rows int) {
	TEXT(fmt.Sprintf("dots%sx%d", s.name, rows), NOSPLIT,
		fmt.Sprintf("func(x *float32, xStep int, w *%s, wStep, n, count int, out *float32, outStep int)", s.element))
	Pragma("noescape")
	w, n, count, out := pointer("w"), pointer("n"), pointer("count"), pointer("out")
	xStep, wStep, outStep := bytes("xStep", 2), bytes("wStep", s.shift), bytes("outStep", 2)
	x := []Register{pointer("x")}
	for i := 1; i < rows; i++ {
		x = append(x, GP64())
		LEAQ(Mem{Base: x[i-1], Index: xStep, Scale: 1}, x[i])
	}
	beside := []int{4, 4, 4, 2}[rows-1]
	k := GP64()
	group := func(beside int) {
		from := []Register{w}
		for j := 1; j < beside; j++ {
			from = append(from, GP64())
			LEAQ(Mem{Base: from[j-1], Index: wStep, Scale: 1}, from[j])
		}
		sums := make([][]VecVirtual, beside)
		for j := range sums {
			for range rows {
				sums[j] = append(sums[j], clear(YMM(), 8))
			}
		}
		XORQ(k, k)
		sum, done := fmt.Sprintf("sum%d", beside), fmt.Sprintf("done%d", beside)
		Label(sum)
		CMPQ(k, n)
		JGE(LabelRef(done))
		var columns []VecVirtual
		for i := range x {
			columns = append(columns, YMM())
			VMOVUPS(Mem{Base: x[i], Index: k, Scale: 4}, columns[i])
		}
		for j := range sums {
			row := s.wide(Mem{Base: from[j], Index: k, Scale: 1 << s.shift})
			for i, column := range columns {
				VFMADD231PS(column, row, sums[j][i])
			}
		}
		ADDQ(Imm(8), k)
		JMP(LabelRef(sum))
		Label(done)
		to := GP64()
		MOVQ(out, to)
		for i := range x {
			for j := range sums {
				VMOVSS(summed(sums[j][i]), Mem{Base: to, Disp: 4 * j})
			}
			ADDQ(outStep, to)
		}
		ADDQ(Imm(uint64(4*beside)), out)
		LEAQ(Mem{Base: from[beside-1], Index: wStep, Scale: 1}, w)
	}
	Label("several")
	SUBQ(Imm(uint64(beside)), count)
	JL(LabelRef("rest"))
	group(beside)
	JMP(LabelRef("several"))
	Label("rest")
	ADDQ(Imm(uint64(beside)), count)
	JE(LabelRef("end"))
	Label("one")
	group(1)
	DECQ(count)
	JNE(LabelRef("one"))
	Label("end")
	VZEROUPPER()
	RET()
}

// summed is the sum over the lanes of a register.
func summed(v VecVirtual) Register {
	low, high := v.AsX(), XMM()
	VEXTRACTF128(Imm(1), v, high)
	VADDPS(high, low, low)
	VMOVHLPS(low, low, high)
	VADDPS(high, low, low)
	VMOVSHDUP(low, high)
	VADDSS(high, low, low)
	return low
}
