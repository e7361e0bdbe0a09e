package attention

import (
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
)

// Specimens asks a set for a grid of specialisations: what CI compiles for each
// GPU.
func Specimens(set *device.Set) {
	for _, t := range []device.Type{device.BFloat16, device.Float16} {
		specimen(set, Spec{Op: plainOp(8, 2, 128, 128), Type: t})
	}
	large := 227 << 10
	for _, t := range []device.Type{device.BFloat16, device.Float16} {
		for _, width := range []int{64, 128, 256} {
			specimen(set, Spec{Op: plainOp(8, 2, width, width), Type: t, Shared: large, Arch: device.HopperArch})
		}
	}
	for _, widths := range [][2]int{{64, 64}, {80, 80}, {96, 96}, {128, 128}, {192, 128}, {256, 256}, {8, 24}} {
		specimen(set, Spec{Op: plainOp(4, 4, widths[0], widths[1]), Type: device.BFloat16})
		specimen(set, Spec{Op: plainOp(4, 4, widths[0], widths[1]), Type: device.BFloat16, Shared: large})
	}
	// The first of its source is what CI compiles for Blackwell too, where ptxas takes
	// half a minute for a wide head with a cap.
	specimen(set, Spec{Op: plainOp(6, 3, 6, 10), Type: device.BFloat16})
	masked := plainOp(8, 1, 128, 128)
	masked.Window, masked.Chunk, masked.Cap, masked.Sinks = 1000, 3000, 50, 0
	for _, t := range []device.Type{device.Float32, device.BFloat16, device.Float16} {
		specimen(set, Spec{Op: masked, Type: t})
	}
	specimen(set, Spec{Op: masked, Type: device.BFloat16, Shared: large})
	specimen(set, Spec{Op: masked, Type: device.BFloat16, Shared: large, Arch: device.HopperArch})
	capped := plainOp(16, 8, 256, 256)
	capped.Cap, capped.Window = 50, 4096
	specimen(set, Spec{Op: capped, Type: device.BFloat16, Shared: large, Arch: device.HopperArch})
	specimen(set, Spec{Op: plainOp(2, 1, 300, 40), Type: device.Float32})
}

func specimen(set *device.Set, s Spec) {
	New(set, s)
	NewDecoder(set, s)
}

// plainOp is attention without a window, a chunk, a cap or sinks.
func plainOp(heads, kvHeads, keyWidth, valueWidth int) graph.Attention {
	return graph.Attention{Heads: heads, KVHeads: kvHeads, KeyWidth: keyWidth, ValueWidth: valueWidth, Scale: 0.125, Sinks: graph.NoParam}
}
