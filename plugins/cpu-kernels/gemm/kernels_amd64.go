package gemm

import (
	"github.com/honeml/hone/plugins/cpu-kernels/isa"
	"github.com/honeml/hone/sdk/weights/halffloat"
)

// vectorKernels are the assembly kernels of a level.
func vectorKernels(level isa.Level) (*kernels, bool) {
	k := &kernels{
		float32s: storedKernels[float32]{
			widen:     func(v float32) float32 { return v },
			transpose: transposeFloat32,
			spread:    spreadFloat32,
			dots:      [4]func(*float32, int, *float32, int, int, int, *float32, int){dotsFloat32x1, dotsFloat32x2, dotsFloat32x3, dotsFloat32x4},
		},
		bfloat16s: storedKernels[uint16]{
			widen:     halffloat.FromBFloat16,
			transpose: transposeBFloat16,
			spread:    spreadBFloat16,
			dots:      [4]func(*float32, int, *uint16, int, int, int, *float32, int){dotsBFloat16x1, dotsBFloat16x2, dotsBFloat16x3, dotsBFloat16x4},
		},
		float16s: storedKernels[uint16]{
			widen:     halffloat.FromFloat16,
			transpose: transposeFloat16,
			spread:    spreadFloat16,
			dots:      [4]func(*float32, int, *uint16, int, int, int, *float32, int){dotsFloat16x1, dotsFloat16x2, dotsFloat16x3, dotsFloat16x4},
		},
	}
	switch level {
	case isa.AVX2:
		k.rows, k.columns, k.vector = 6, 16, 8
		k.tiles = [2][]tileFunc{
			{tileAVX2x1x1, tileAVX2x2x1, tileAVX2x3x1, tileAVX2x4x1, tileAVX2x5x1, tileAVX2x6x1},
			{tileAVX2x1x2, tileAVX2x2x2, tileAVX2x3x2, tileAVX2x4x2, tileAVX2x5x2, tileAVX2x6x2},
		}
	case isa.AVX512:
		k.rows, k.columns, k.vector = 12, 32, 16
		k.tiles = [2][]tileFunc{
			{
				tileAVX512x1x1, tileAVX512x2x1, tileAVX512x3x1, tileAVX512x4x1, tileAVX512x5x1, tileAVX512x6x1,
				tileAVX512x7x1, tileAVX512x8x1, tileAVX512x9x1, tileAVX512x10x1, tileAVX512x11x1, tileAVX512x12x1,
			},
			{
				tileAVX512x1x2, tileAVX512x2x2, tileAVX512x3x2, tileAVX512x4x2, tileAVX512x5x2, tileAVX512x6x2,
				tileAVX512x7x2, tileAVX512x8x2, tileAVX512x9x2, tileAVX512x10x2, tileAVX512x11x2, tileAVX512x12x2,
			},
		}
	default:
		return nil, false
	}
	return k, true
}
