package attention

import (
	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// What the kernels for Hopper are cut into; their files say more.
const (
	hopperRows      = 128 // of a tile of queries, and of keys
	hopperGroupRows = 64  // that a warpgroup computes with
	hopperQueries   = 64  // of a tile, to the kernel for keys and values
	hopperKeyStages = 4   // of such tiles, with dy
	hopperThreads   = 384 // a warpgroup that copies, and two that compute
)

// sharedAlign is what tiles that TMA swizzles are aligned to; a block's shared memory
// is to less.
const sharedAlign = 1024

// onHopper reports whether the operation runs on the kernels for Hopper.
func (s Spec) onHopper() bool {
	o := s.Op
	return s.Arch == device.HopperArch && s.Type != device.Float32 && o.KeyWidth == o.ValueWidth && (o.KeyWidth == 64 || o.KeyWidth == 128) &&
		max(s.hopperShared(), s.hopperKeysShared()) <= s.Shared
}

// hopperStages is how many tiles of keys, and as many of values, a block holds of the
// forward pass and of the gradient of queries.
func (s Spec) hopperStages() int { return 256 / s.Op.KeyWidth }

// hopperShared is the bytes of shared memory of such a block, which holds two tiles of
// rows too: of queries, or of queries and dy.
func (s Spec) hopperShared() int {
	tile, stages := hopperRows*s.Op.KeyWidth*2, s.hopperStages()
	return sharedAlign + (2+2*stages)*tile + 8*(4+4*stages) + 16
}

// hopperKeysShared is that of a block of the kernel for keys and values.
func (s Spec) hopperKeysShared() int {
	row := s.Op.KeyWidth * 2
	return sharedAlign + 2*hopperRows*row + hopperKeyStages*hopperQueries*(2*row+8) + 8*(1+2*hopperKeyStages)
}

// addHopper asks a set for the kernels for Hopper.
func (a *Attention) addHopper(set *device.Set) {
	kernel := func(file, text string, stages int, name string) *device.Kernel {
		text = device.PTX + scoreText + device.Hopper + warpgroupText + text
		source := a.source("attention/"+file, text, define("STAGES", stages))
		source.Arch = device.HopperArch
		return set.Kernel(source, name)
	}
	stages := a.spec.hopperStages()
	a.forward = kernel("hopper_forward.cu", tileRowsText+hopperForwardText, stages, "attention_forward")
	a.keys = kernel("hopper_keys.cu", hopperKeysText, hopperKeyStages, "attention_keys")
	a.queries = kernel("hopper_queries.cu", tileRowsText+hopperQueriesText, stages, "attention_queries")
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

// hopperGrid is as many blocks as can be at once, which take tiles until none is left.
func (s Spec) hopperGrid(q *device.Queue, rows int) device.Grid {
	tiles := s.Op.Heads * device.Ceil(rows, hopperRows)
	return device.Grid{X: min(q.SMs(), tiles), Threads: hopperThreads, Shared: s.hopperShared()}
}

func (a *Attention) forwardOnHopper(q *device.Queue, rows int, in Inputs, out Outputs) {
	s, o := a.spec, a.spec.Op
	q.Launch(a.forward, s.hopperGrid(q, rows), s.heads(q, in.Q, rows, o.Heads, hopperGroupRows), s.heads(q, in.K, rows, o.KVHeads, hopperRows),
		s.heads(q, in.V, rows, o.KVHeads, hopperRows), s.heads(q, out.Y, rows, o.Heads, hopperGroupRows),
		in.Sinks, in.Batch.DocStart, out.LogSum, int32(rows))
}

// keysOnHopper gives the gradients of keys and values.
func (a *Attention) keysOnHopper(q *device.Queue, rows int, in Inputs, out Outputs, dy, delta device.Pointer, to Gradients) {
	s, o := a.spec, a.spec.Op
	grid := device.Grid{X: o.KVHeads, Y: device.Ceil(rows, hopperRows), Threads: hopperThreads, Shared: s.hopperKeysShared()}
	q.Launch(a.keys, grid, s.heads(q, in.Q, rows, o.Heads, hopperQueries), s.heads(q, in.K, rows, o.KVHeads, hopperRows),
		s.heads(q, in.V, rows, o.KVHeads, hopperRows), s.heads(q, dy, rows, o.Heads, hopperQueries),
		out.LogSum, delta, in.Batch.DocStart, in.Batch.DocEnd, to.K.To, to.V.To, int32(truth(to.K.Add)), int32(truth(to.V.Add)), int32(rows))
}

// queriesOnHopper gives the gradient of queries.
func (a *Attention) queriesOnHopper(q *device.Queue, rows int, in Inputs, out Outputs, dy, delta device.Pointer, to Gradient) {
	s, o := a.spec, a.spec.Op
	q.Launch(a.queries, s.hopperGrid(q, rows), s.heads(q, in.Q, rows, o.Heads, hopperGroupRows), s.heads(q, in.K, rows, o.KVHeads, hopperRows),
		s.heads(q, in.V, rows, o.KVHeads, hopperRows), s.heads(q, dy, rows, o.Heads, hopperGroupRows),
		out.LogSum, delta, in.Batch.DocStart, to.To, int32(truth(to.Add)), int32(rows))
}
