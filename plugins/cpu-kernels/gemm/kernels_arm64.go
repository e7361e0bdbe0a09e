package gemm

import "github.com/honeml/hone/plugins/cpu-kernels/isa"

// vectorKernels are the NEON kernels: tiles in assembly. The rest is plain Go: it
// waits for memory, or takes little of the time.
func vectorKernels(level isa.Level) (*kernels, bool) {
	if level != isa.NEON {
		return nil, false
	}
	k := genericKernels()
	k.rows, k.columns, k.vector = 8, 8, 4
	k.tiles = [2][]tileFunc{
		{
			tileNEONx1x1, tileNEONx2x1, tileNEONx3x1, tileNEONx4x1,
			tileNEONx5x1, tileNEONx6x1, tileNEONx7x1, tileNEONx8x1,
		},
		{
			tileNEONx1x2, tileNEONx2x2, tileNEONx3x2, tileNEONx4x2,
			tileNEONx5x2, tileNEONx6x2, tileNEONx7x2, tileNEONx8x2,
		},
	}
	return k, true
}
