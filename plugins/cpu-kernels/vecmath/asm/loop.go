//go:build ignore

package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Loops: eight elements at a time, and the rest, if any, by masked loads and stores in
// one more step of the same instructions. So an element's value does not depend on
// where in a slice it is.

// lanes is how many float32 a register has.
const lanes = 8

// elementwise writes a function
//
//	func nameAVX2(dst, in… *float32, n int, scalars… float32)
//
// that sets dst[i] = value(in[i]…, scalars…) for 0 ≤ i < n, n at least 1. An input may
// be dst itself. With a result, the function also returns the sum of what it wrote.
func elementwise(name, result string, inputs, scalars []string, value func(in, scalars []VecVirtual) VecVirtual) {
	pointers := []string{"dst"}
	for _, in := range inputs {
		if in != "dst" {
			pointers = append(pointers, in)
		}
	}
	signature := "func(" + strings.Join(pointers, ", ") + " *float32, n int"
	for _, s := range scalars {
		signature += ", " + s + " float32"
	}
	TEXT(name+"AVX2", NOSPLIT, signature+") "+result)
	Pragma("noescape")
	base := map[string]Register{}
	for _, p := range pointers {
		base[p] = Load(Param(p), GP64())
	}
	n := Load(Param("n"), GP64())
	var constants []VecVirtual
	for _, s := range scalars {
		constants = append(constants, YMM())
		VBROADCASTSS(address(s), constants[len(constants)-1])
	}
	var sum VecVirtual
	if result != "" {
		sum = zero()
	}
	loop(n, func(mask VecVirtual) {
		var in []VecVirtual
		for _, name := range inputs {
			in = append(in, load(base[name], mask))
		}
		y := value(in, constants)
		if sum != nil {
			if mask != nil {
				y = binary(VANDPS, mask, y)
			}
			VADDPS(y, sum, sum)
		}
		save(y, base["dst"], mask)
		for _, p := range pointers {
			ADDQ(Imm(4*lanes), base[p])
		}
	})
	if sum != nil {
		give(added(sum))
	}
	VZEROUPPER()
	RET()
}

// loop writes step for each eight of n elements, with no mask, and for the rest.
func loop(n Register, step func(mask VecVirtual)) {
	Label("whole")
	SUBQ(Imm(lanes), n)
	JL(LabelRef("rest"))
	step(nil)
	JMP(LabelRef("whole"))
	Label("rest")
	ADDQ(Imm(lanes), n)
	JE(LabelRef("end"))
	table, mask := GP64(), YMM()
	LEAQ(maskTable(), table)
	NEGQ(n)
	VMOVDQU(Mem{Base: table, Index: n, Scale: 4, Disp: 4 * lanes}, mask)
	step(mask)
	Label("end")
}

func load(base Register, mask VecVirtual) VecVirtual {
	v := YMM()
	if mask == nil {
		VMOVUPS(Mem{Base: base}, v)
	} else {
		VMASKMOVPS(Mem{Base: base}, mask, v)
	}
	return v
}

func save(v VecVirtual, base Register, mask VecVirtual) {
	if mask == nil {
		VMOVUPS(v, Mem{Base: base})
	} else {
		VMASKMOVPS(v, mask, Mem{Base: base})
	}
}

// constants are the read-only vectors written so far, by their bits.
var constants = map[uint32]Mem{}

// bits is a constant in all lanes, in memory.
func bits(v uint32) Mem {
	m, ok := constants[v]
	if !ok {
		m = GLOBL(fmt.Sprintf("all%08x", v), RODATA|NOPTR)
		for i := range lanes {
			DATA(4*i, U32(v))
		}
		constants[v] = m
	}
	return m
}

var masks *Mem

// maskTable is eight times all bits, then eight times none.
func maskTable() Mem {
	if masks == nil {
		m := GLOBL("masks", RODATA|NOPTR)
		for i := range 2 * lanes {
			v := uint32(0)
			if i < lanes {
				v = 0xffffffff
			}
			DATA(4*i, U32(v))
		}
		masks = &m
	}
	return *masks
}

// address is where a parameter is.
func address(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// give is the function's result.
func give(low Register) {
	p, err := ReturnIndex(0).Resolve()
	if err != nil {
		panic(err)
	}
	VMOVSS(low, p.Addr)
}

// added is the sum of the lanes of v, in the lowest; it changes v.
func added(v VecVirtual) Register {
	return folded(v, func(a, b, to Op) { VADDPS(a, b, to) })
}

// folded combines the lanes of v, halves first; it changes v.
func folded(v VecVirtual, combine func(a, b, to Op)) Register {
	low, high := v.AsX(), XMM()
	VEXTRACTF128(Imm(1), v, high)
	combine(high, low, low)
	VMOVHLPS(low, low, high)
	combine(high, low, low)
	VMOVSHDUP(low, high)
	combine(high, low, low)
	return low
}
