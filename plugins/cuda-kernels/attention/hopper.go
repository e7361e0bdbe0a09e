package attention

import (
	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// What the kernels for Hopper are cut into; their files say more.
const (
	hopperRows      = 128 // of a tile of queries, and of keys
	hopperGroupRows = 64  // that a warpgroup computes with
	hopperThreads   = 384
)

// onHopper reports whether the operation runs on the kernels for Hopper.
func (s Spec) onHopper() bool {
	o := s.Op
	return s.Arch == device.HopperArch && s.Type != device.Float32 && o.KeyWidth == o.ValueWidth && (o.KeyWidth == 64 || o.KeyWidth == 128)
}

// hopperStages is how many tiles of keys, and as many of values, the forward pass holds.
func (s Spec) hopperStages() int { return 256 / s.Op.KeyWidth }

// hopperForwardShared is what a block of the forward pass takes of shared memory.
func (s Spec) hopperForwardShared() int {
	tile, stages := hopperRows*s.Op.KeyWidth*2, s.hopperStages()
	return sharedAlign + (2+2*stages)*tile + 8*(4+4*stages) + 16
}

// sharedAlign is what tiles that TMA swizzles are aligned to; a block's shared memory
// is to less.
const sharedAlign = 1024

func (a *Attention) hopperSource(name, text string) device.Source {
	s := a.source(name, device.PTX+scoreText+device.Hopper+text, define("STAGES", a.spec.hopperStages()))
	s.Arch = device.HopperArch
	return s
}

// heads is a matrix [rows, heads·width] in tiles of so many rows of one head: its
// columns 64 by 64, rows, and what lies 64 columns further on.
func (s Spec) heads(q *device.Queue, p device.Pointer, rows, heads, tile int) device.TensorMap {
	width, size := s.Op.KeyWidth, s.Type.Size()
	return q.TensorMap(cuda.Tensor{
		Type: s.Type.Tensor(), Address: cuda.Pointer(p), Swizzle: cuda.Swizzle128,
		Dims:    [cuda.MaxTensorRank]int64{64, int64(rows), int64(heads * width / 64)},
		Strides: [cuda.MaxTensorRank - 1]int64{int64(heads*width) * size, 64 * size},
		Box:     [cuda.MaxTensorRank]int{64, tile, width / 64},
	})
}

func (a *Attention) forwardOnHopper(q *device.Queue, rows int, in Inputs, out Outputs) {
	s, o := a.spec, a.spec.Op
	grid := device.Grid{X: min(q.SMs(), o.Heads*device.Ceil(rows, hopperRows)), Threads: hopperThreads, Shared: s.hopperForwardShared()}
	q.Launch(a.forward, grid, s.heads(q, in.Q, rows, o.Heads, hopperGroupRows), s.heads(q, in.K, rows, o.KVHeads, hopperRows),
		s.heads(q, in.V, rows, o.KVHeads, hopperRows), s.heads(q, out.Y, rows, o.Heads, hopperGroupRows),
		in.Sinks, in.Batch.DocStart, out.LogSum, int32(rows))
}
