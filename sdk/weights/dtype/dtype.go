// Package dtype names the element types of weight files and knows their sizes:
// the plain types of safetensors and the block types of ggml. Both file formats
// and the conversions refer to this one list.
//
// It is not for conversions: those are in packages halffloat, float8 and quant.
//
// # Blocks
//
// A block type stores BlockSize elements, neighbours in the last dimension, in
// BlockBytes bytes. A plain type is a block of one element; the 4- and 6-bit
// types of safetensors, which have no scales, are blocks of the fewest elements
// that fill whole bytes.
package dtype

import (
	"fmt"
	"math"
)

// A DType is the type of a stored tensor's elements. The zero value is Unknown.
type DType uint8

// The element types. The order of the plain ones is that of the reference
// implementation of safetensors, which lays a file out by it.
const (
	// Unknown is a type that this version of hone has no name for.
	Unknown DType = iota

	Bool       // one byte, 0 or 1
	F4         // 4-bit float e2m1, two a byte
	F6E2M3     // 6-bit float
	F6E3M2     // 6-bit float
	U8         // unsigned integer of 8 bits
	I8         // signed integer of 8 bits
	F8E5M2     // 8-bit float with infinities
	F8E4M3     // 8-bit float without infinities (e4m3fn)
	F8E8M0     // power of two, the scale of microscaling formats
	F8E4M3FNUZ // 8-bit float, no infinities, no negative zero
	F8E5M2FNUZ // 8-bit float, no infinities, no negative zero
	I16        // signed integer of 16 bits
	U16        // unsigned integer of 16 bits
	F16        // IEEE 754 half precision
	BF16       // upper half of an IEEE 754 single
	I32        // signed integer of 32 bits
	U32        // unsigned integer of 32 bits
	F32        // IEEE 754 single precision
	C64        // complex number of two F32
	F64        // IEEE 754 double precision
	I64        // signed integer of 64 bits
	U64        // unsigned integer of 64 bits

	Q1_0    // ggml: 1 bit
	Q4_0    // ggml: 4 bits, scale
	Q4_1    // ggml: 4 bits, scale and minimum
	Q5_0    // ggml: 5 bits, scale
	Q5_1    // ggml: 5 bits, scale and minimum
	Q8_0    // ggml: 8 bits, scale
	Q8_1    // ggml: 8 bits, scale and sum
	Q2_K    // ggml: 2 bits, super-blocks of 256
	Q3_K    // ggml: 3 bits, super-blocks of 256
	Q4_K    // ggml: 4 bits, super-blocks of 256
	Q5_K    // ggml: 5 bits, super-blocks of 256
	Q6_K    // ggml: 6 bits, super-blocks of 256
	Q8_K    // ggml: 8 bits, super-blocks of 256
	IQ1_S   // ggml: 1.56 bits, lattice
	IQ1_M   // ggml: 1.75 bits, lattice
	IQ2_XXS // ggml: 2.06 bits, lattice
	IQ2_XS  // ggml: 2.31 bits, lattice
	IQ2_S   // ggml: 2.5 bits, lattice
	IQ3_XXS // ggml: 3.06 bits, lattice
	IQ3_S   // ggml: 3.44 bits, lattice
	IQ4_NL  // ggml: 4 bits, table
	IQ4_XS  // ggml: 4.25 bits, table
	TQ1_0   // ggml: ternary, 1.69 bits
	TQ2_0   // ggml: ternary, 2.06 bits
	MXFP4   // OCP microscaling FP4: 32 e2m1 values with one e8m0 scale
	NVFP4   // 64 e2m1 values with four e4m3 scales

	count // how many there are
)

type layout struct {
	name              string
	elements, byteLen int
}

// layouts holds each type's name, elements a block and bytes a block. The sizes
// of the ggml types are those of ggml's block structures.
var layouts = [count]layout{
	Unknown:    {"unknown", 0, 0},
	Bool:       {"BOOL", 1, 1},
	F4:         {"F4", 2, 1},
	F6E2M3:     {"F6_E2M3", 4, 3},
	F6E3M2:     {"F6_E3M2", 4, 3},
	U8:         {"U8", 1, 1},
	I8:         {"I8", 1, 1},
	F8E5M2:     {"F8_E5M2", 1, 1},
	F8E4M3:     {"F8_E4M3", 1, 1},
	F8E8M0:     {"F8_E8M0", 1, 1},
	F8E4M3FNUZ: {"F8_E4M3FNUZ", 1, 1},
	F8E5M2FNUZ: {"F8_E5M2FNUZ", 1, 1},
	I16:        {"I16", 1, 2},
	U16:        {"U16", 1, 2},
	F16:        {"F16", 1, 2},
	BF16:       {"BF16", 1, 2},
	I32:        {"I32", 1, 4},
	U32:        {"U32", 1, 4},
	F32:        {"F32", 1, 4},
	C64:        {"C64", 1, 8},
	F64:        {"F64", 1, 8},
	I64:        {"I64", 1, 8},
	U64:        {"U64", 1, 8},
	Q1_0:       {"Q1_0", 128, 18},
	Q4_0:       {"Q4_0", 32, 18},
	Q4_1:       {"Q4_1", 32, 20},
	Q5_0:       {"Q5_0", 32, 22},
	Q5_1:       {"Q5_1", 32, 24},
	Q8_0:       {"Q8_0", 32, 34},
	Q8_1:       {"Q8_1", 32, 40},
	Q2_K:       {"Q2_K", 256, 84},
	Q3_K:       {"Q3_K", 256, 110},
	Q4_K:       {"Q4_K", 256, 144},
	Q5_K:       {"Q5_K", 256, 176},
	Q6_K:       {"Q6_K", 256, 210},
	Q8_K:       {"Q8_K", 256, 292},
	IQ1_S:      {"IQ1_S", 256, 50},
	IQ1_M:      {"IQ1_M", 256, 56},
	IQ2_XXS:    {"IQ2_XXS", 256, 66},
	IQ2_XS:     {"IQ2_XS", 256, 74},
	IQ2_S:      {"IQ2_S", 256, 82},
	IQ3_XXS:    {"IQ3_XXS", 256, 98},
	IQ3_S:      {"IQ3_S", 256, 110},
	IQ4_NL:     {"IQ4_NL", 32, 18},
	IQ4_XS:     {"IQ4_XS", 256, 136},
	TQ1_0:      {"TQ1_0", 256, 54},
	TQ2_0:      {"TQ2_0", 256, 66},
	MXFP4:      {"MXFP4", 32, 17},
	NVFP4:      {"NVFP4", 64, 36},
}

// String is the name that the file formats use: "BF16", "F8_E4M3", "Q4_K".
func (d DType) String() string {
	if d >= count {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return layouts[d].name
}

// Parse returns the type of that name, exactly as [DType.String] gives it.
func Parse(name string) (DType, bool) {
	for d := Unknown + 1; d < count; d++ {
		if layouts[d].name == name {
			return d, true
		}
	}
	return Unknown, false
}

// Known reports whether d is a type whose sizes are known.
func (d DType) Known() bool { return d > Unknown && d < count }

// Plain reports whether d is one of the types of safetensors: every element
// stands for itself, without a scale shared by a block.
func (d DType) Plain() bool { return d > Unknown && d <= U64 }

// Quantized reports whether d is a block type of ggml, whose elements share scales.
func (d DType) Quantized() bool { return d > U64 && d < count }

// BlockSize is the number of elements of a block: 1 for most plain types. It is
// 0 for Unknown.
func (d DType) BlockSize() int {
	if d >= count {
		return 0
	}
	return layouts[d].elements
}

// BlockBytes is the number of bytes of a block: the element size of a plain
// type. It is 0 for Unknown.
func (d DType) BlockBytes() int {
	if d >= count {
		return 0
	}
	return layouts[d].byteLen
}

// Bytes is the size of a tensor of that type and row-major shape. It fails where
// the type is unknown, a dimension is negative, the size does not fit an int, or
// the elements do not fill whole blocks: those of the last dimension for a
// quantised type, all of them for a plain one.
func (d DType) Bytes(shape []int) (int, error) {
	if !d.Known() {
		return 0, fmt.Errorf("the size of dtype %s is not known", d)
	}
	n, err := Elements(shape)
	if err != nil {
		return 0, err
	}
	size, byteLen := d.BlockSize(), d.BlockBytes()
	if d.Quantized() {
		row := 1
		if len(shape) > 0 {
			row = shape[len(shape)-1]
		}
		if row%size != 0 {
			return 0, fmt.Errorf("rows of %d elements do not fill %s blocks of %d", row, d, size)
		}
	} else if n%size != 0 {
		return 0, fmt.Errorf("%d elements of %s do not fill whole bytes", n, d)
	}
	if n/size > math.MaxInt/byteLen {
		return 0, fmt.Errorf("shape %v of %s is too large", shape, d)
	}
	return n / size * byteLen, nil
}

// Elements is the number of elements of a shape: 1 for a scalar's empty shape.
// It fails where a dimension is negative or the number does not fit an int.
func Elements(shape []int) (int, error) {
	n := 1
	for _, dim := range shape {
		if dim < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if dim > 0 && n > math.MaxInt/dim {
			return 0, fmt.Errorf("shape %v has too many elements", shape)
		}
		n *= dim
	}
	return n, nil
}
