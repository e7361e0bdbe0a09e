package norm

import (
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

// grouping is how the numbers of a group are dealt out to threads.
type grouping struct {
	size   int
	lanes  int  // threads a group has: a power of two up to 32, or a block's
	vector int  // numbers that a thread reads at once
	items  int  // vectors a thread has
	held   bool // they are kept in registers
}

const (
	warp        = 32
	blockMost   = 1024
	blockUnheld = 512
	blockOther  = 256 // threads of a block where groups have a warp or less

	// A thread keeps numbers in so many registers: a warp's may have more than a
	// block's, which have at most 64 where the block is at its largest.
	registersWarp  = 16
	registersBlock = 8
)

func group(s Spec) grouping {
	size := s.Width / s.Groups
	wide := max(s.X.Size(), s.Y.Size())
	g := grouping{size: size, vector: rows.Vector(wide, size), lanes: 1, held: true}
	vectors := (size + g.vector - 1) / g.vector
	// A vector takes a register at least.
	registers := max(1, g.vector*int(wide)/4)
	if vectors <= warp*registersWarp/registers {
		for g.lanes < warp && g.lanes < vectors {
			g.lanes *= 2
		}
	} else {
		wanted := (vectors*registers/registersBlock + warp - 1) / warp * warp
		g.lanes = max(2*warp, min(blockMost, wanted))
		if g.held = vectors*registers <= g.lanes*registersBlock; !g.held {
			g.lanes = blockUnheld
		}
	}
	g.items = (vectors + g.lanes - 1) / g.lanes
	return g
}

func (g grouping) grid(groups int64) device.Grid {
	if g.lanes > warp {
		return device.Grid{X: int(groups), Threads: g.lanes}
	}
	in := int64(blockOther / g.lanes)
	return device.Grid{X: int((groups + in - 1) / in), Threads: blockOther}
}
