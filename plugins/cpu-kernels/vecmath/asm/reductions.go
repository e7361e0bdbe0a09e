//go:build ignore

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// reductions combine all elements. There are four accumulators of eight lanes, which
// take turns; they are combined pairwise at the end, then their lanes.
func reductions() {
	reduce("sum", []string{"x"}, zero, func(acc VecVirtual, in []VecVirtual) { VADDPS(in[0], acc, acc) },
		func(a, b, to Op) { VADDPS(a, b, to) })
	reduce("dot", []string{"a", "b"}, zero, func(acc VecVirtual, in []VecVirtual) { VFMADD231PS(in[0], in[1], acc) },
		func(a, b, to Op) { VADDPS(a, b, to) })
	// The instruction gives what is in acc where the element is NaN. Masked elements
	// are zero and must not count: they are replaced.
	reduce("largest", []string{"x"}, func() VecVirtual { return loaded(bits(0xff800000)) },
		func(acc VecVirtual, in []VecVirtual) { VMAXPS(acc, in[0], acc) },
		func(a, b, to Op) { VMAXPS(a, b, to) })
}

// reduce writes a function
//
//	func nameAVX2(inputs… *float32, n int) float32
//
// for n of at least 1. start is an accumulator before the first element, and what
// masked elements count as.
func reduce(name string, inputs []string, start func() VecVirtual, take func(acc VecVirtual, in []VecVirtual), combine func(a, b, to Op)) {
	const accumulators = 4
	signature := "func("
	for _, in := range inputs {
		signature += in + ", "
	}
	signature = signature[:len(signature)-2] + " *float32, n int) float32"
	TEXT(name+"AVX2", NOSPLIT, signature)
	Pragma("noescape")
	var base []Register
	for _, in := range inputs {
		base = append(base, Load(Param(in), GP64()))
	}
	n := Load(Param("n"), GP64())
	var acc []VecVirtual
	for range accumulators {
		acc = append(acc, start())
	}
	step := func(acc VecVirtual, at int, mask VecVirtual) {
		var in []VecVirtual
		for _, b := range base {
			m := Mem{Base: b, Disp: 4 * lanes * at}
			v := YMM()
			if mask == nil {
				VMOVUPS(m, v)
			} else {
				VMASKMOVPS(m, mask, v)
				v = choose(mask, v, start())
			}
			in = append(in, v)
		}
		take(acc, in)
	}
	advance := func(vectors int) {
		for _, b := range base {
			ADDQ(Imm(uint64(4*lanes*vectors)), b)
		}
	}
	Label("four")
	SUBQ(Imm(lanes*accumulators), n)
	JL(LabelRef("fewer"))
	for i := range acc {
		step(acc[i], i, nil)
	}
	advance(accumulators)
	JMP(LabelRef("four"))
	Label("fewer")
	ADDQ(Imm(lanes*accumulators), n)
	loop(n, func(mask VecVirtual) {
		step(acc[0], 0, mask)
		advance(1)
	})
	combine(acc[1], acc[0], acc[0])
	combine(acc[3], acc[2], acc[2])
	combine(acc[2], acc[0], acc[0])
	give(folded(acc[0], combine))
	VZEROUPPER()
	RET()
}
