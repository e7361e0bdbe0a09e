// Package quant turns ggml's quantised blocks into float32, to the bit as the
// Python package gguf does: every product and sum is rounded to float32 in its
// order, never fused. Where a scale is infinite or a NaN, so are values; a NaN's
// payload is the machine's.
//
// A block is a run of neighbours in a tensor's last dimension; package dtype has
// the sizes. Each function's comment gives the layout of a block's bytes, all of
// them little-endian: f16 is a half-precision float, and a nibble is half a
// byte, the low one first. The layouts are ggml's (ggml-common.h).
//
// It is not for quantising, nor for arithmetic on quantised blocks.
package quant

import (
	"encoding/binary"
	"fmt"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/halffloat"
)

// Dequantizes reports whether [Dequantize] knows the blocks of d.
func Dequantizes(d dtype.DType) bool { return blocksOf(d) != nil }

// Dequantize converts the first len(dst) elements of src, whole blocks of type
// d. It fails where the type is not supported, len(dst) is no multiple of its
// block size, or src is too short.
func Dequantize(dst []float32, d dtype.DType, src []byte) error {
	blocks := blocksOf(d)
	if blocks == nil {
		return fmt.Errorf("dequantising %s is not supported", d)
	}
	if len(dst)%d.BlockSize() != 0 {
		return fmt.Errorf("%d elements are no whole blocks of %s, which has %d a block", len(dst), d, d.BlockSize())
	}
	need := len(dst) / d.BlockSize() * d.BlockBytes()
	if len(src) < need {
		return fmt.Errorf("%d elements of %s need %d bytes, there are %d", len(dst), d, need, len(src))
	}
	blocks(dst, src[:need])
	return nil
}

// blocksOf is the function that dequantises blocks of type d, or nil. It is given
// whole blocks: len(dst) and len(src) agree.
func blocksOf(d dtype.DType) func(dst []float32, src []byte) {
	switch d {
	case dtype.Q4_0:
		return blocksQ4_0
	case dtype.Q4_1:
		return blocksQ4_1
	case dtype.Q5_0:
		return blocksQ5_0
	case dtype.Q5_1:
		return blocksQ5_1
	case dtype.Q8_0:
		return blocksQ8_0
	case dtype.MXFP4:
		return blocksMXFP4
	case dtype.Q4_K:
		return blocksQ4_K
	case dtype.Q5_K:
		return blocksQ5_K
	case dtype.Q6_K:
		return blocksQ6_K
	default:
		return nil
	}
}

// float16 is the half that b begins with.
func float16(b []byte) float32 {
	return halffloat.FromFloat16(binary.LittleEndian.Uint16(b))
}
