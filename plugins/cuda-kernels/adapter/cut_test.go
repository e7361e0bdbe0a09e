package adapter

import (
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// TestInputCuts: spans cover all there is, their shares fit into the workspace, and fewer
// rows need no more of it; A·Aᵀ has few.
func TestInputCuts(t *testing.T) {
	for _, width := range []int{8, 576, 2048, 4096, 14336} {
		for _, rank := range []int{8, 48, 96} {
			p := NewInput(&device.Set{}, InputSpec{Type: device.BFloat16, Width: width, Rank: rank, Shared: 227 << 10, Processors: 132})
			if beside, spans, span := p.gramCut(); beside != 1 || spans > mostGramShares || spans*span < width || (spans-1)*span >= width {
				t.Errorf("width %d, rank %d: A·Aᵀ has %d x %d blocks of %d columns", width, rank, beside, spans, span)
			}
			before := int64(0)
			for _, n := range []int{1, 31, 128, 129, 2000, 8192, 16384} {
				bytes := p.Workspace(n)
				if bytes < before {
					t.Errorf("width %d, rank %d: %d rows need %d bytes, fewer %d", width, rank, n, bytes, before)
				}
				before = bytes
				beside, spans, span := p.downCut(n)
				if beside*downRows < n || spans*span < width || (spans-1)*span >= width || int64(4*rank*spans*n) > bytes {
					t.Errorf("width %d, rank %d, %d rows: down has %d x %d blocks of %d columns in %d bytes", width, rank, n, beside, spans, span, bytes)
				}
				beside, spans, span = p.gradientCut(n)
				if beside*gradientColumns < width || spans*span < n || (spans-1)*span >= n || int64(4*rank*spans*width) > bytes {
					t.Errorf("width %d, rank %d, %d rows: gradient has %d x %d blocks of %d rows in %d bytes", width, rank, n, beside, spans, span, bytes)
				}
			}
		}
	}
}
