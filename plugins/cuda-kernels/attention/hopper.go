package attention

import (
	"slices"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// What the kernels for Hopper are cut into; their files say more.
const (
	hopperRows      = 128 // of a tile of queries, and of the keys that gradients are of
	hopperGroupRows = 64  // that a warpgroup computes with
	hopperThreads   = 384 // a warpgroup that copies, and two that compute
)

// sharedAlign is what tiles that TMA swizzles are aligned to; a block's shared memory
// is to less.
const sharedAlign = 1024

// onHopper reports whether the operation runs on the kernels for Hopper.
func (s Spec) onHopper() bool {
	o := s.Op
	if s.Arch != device.HopperArch || s.Type == device.Float32 || o.KeyWidth != o.ValueWidth || !slices.Contains([]int{64, 128, wide}, o.KeyWidth) {
		return false
	}
	most := max(s.forwardRing().shared(o.KeyWidth), s.queriesRing().shared(o.KeyWidth))
	for _, r := range s.keysRings() {
		most = max(most, r.shared(o.KeyWidth))
	}
	return most <= s.Shared
}

// wide is the columns of a head of which tiles are halved, and the gradients of keys and of
// values are two kernels: there is no room for more.
const wide = 256

// A ring is what a block holds of queries, keys and values that goes over keys.
type ring struct {
	queries      int // tiles; or one, and one of dy
	keys         int // rows of a tile of keys
	ofKeys       int // tiles
	ofValues     int
	queryBarrier int // pairs of them
}

func (s Spec) forwardRing() ring {
	if s.Op.KeyWidth == wide {
		return ring{queries: 1, keys: hopperRows / 2, ofKeys: 2, ofValues: 2, queryBarrier: 1}
	}
	return ring{queries: 2, keys: hopperRows, ofKeys: 256 / s.Op.KeyWidth, ofValues: 256 / s.Op.KeyWidth, queryBarrier: 2}
}

func (s Spec) queriesRing() ring {
	if s.Op.KeyWidth == wide {
		return ring{queries: 2, keys: hopperRows / 2, ofKeys: 2, ofValues: 1, queryBarrier: 1}
	}
	return ring{queries: 2, keys: hopperRows, ofKeys: 256 / s.Op.KeyWidth, ofValues: 256 / s.Op.KeyWidth, queryBarrier: 1}
}

// shared is the bytes of shared memory of a block.
func (r ring) shared(width int) int {
	rows := r.queries*hopperRows + (r.ofKeys+r.ofValues)*r.keys
	return sharedAlign + rows*width*2 + 16*(r.queryBarrier+r.ofKeys+r.ofValues) + 8*r.queryBarrier
}

func (r ring) defines() []string {
	return []string{define("KEYS", r.keys), define("KEY_STAGES", r.ofKeys), define("VALUE_STAGES", r.ofValues), define("QUERY_TILES", r.queries)}
}

// A keysRing is what a block holds that goes over queries.
type keysRing struct {
	queries int // rows of a tile, as many of dy
	stages  int // tiles
	values  int // 1 where those of its keys are read
}

// keysRings are those of the kernel for the gradients of keys and values, or of that for
// values and of that for keys.
func (s Spec) keysRings() []keysRing {
	if s.Op.KeyWidth == wide {
		return []keysRing{{queries: 64, stages: 2}, {queries: 32, stages: 3, values: 1}}
	}
	return []keysRing{{queries: 64, stages: 4, values: 1}}
}

func (r keysRing) shared(width int) int {
	row := width * 2
	return sharedAlign + (1+r.values)*hopperRows*row + r.stages*r.queries*(2*row+8) + 8*(1+2*r.stages)
}

func (r keysRing) defines() []string {
	return []string{define("QUERIES", r.queries), define("STAGES", r.stages), define("READS_VALUES", r.values)}
}

// addHopper asks a set for the kernels for Hopper.
func (a *Attention) addHopper(set *device.Set) {
	kernel := func(file, text string, defines []string, name string) *device.Kernel {
		text = device.PTX + scoreText + device.Hopper + warpgroupText + text
		source := a.source("attention/"+file, text, defines...)
		source.Arch = device.HopperArch
		return set.Kernel(source, name)
	}
	a.forward = kernel("hopper_forward.cu", tileRowsText+hopperForwardText, a.spec.forwardRing().defines(), "attention_forward")
	a.queries = kernel("hopper_queries.cu", tileRowsText+hopperQueriesText, a.spec.queriesRing().defines(), "attention_queries")
	rings := a.spec.keysRings()
	if len(rings) == 1 {
		a.keys = kernel("hopper_keys.cu", tileKeysText+hopperKeysText, rings[0].defines(), "attention_keys")
		return
	}
	part := func(i int) *device.Kernel {
		return kernel("hopper_wide_keys.cu", tileKeysText+hopperWideKeysText, append(rings[i].defines(), define("PART", i+1)), "attention_wide_keys")
	}
	a.values, a.keys = part(0), part(1)
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
func (s Spec) hopperGrid(q *device.Queue, rows int, r ring) device.Grid {
	tiles := s.Op.Heads * device.Ceil(rows, hopperRows)
	return device.Grid{X: min(q.SMs(), tiles), Threads: hopperThreads, Shared: r.shared(s.Op.KeyWidth)}
}

func (a *Attention) forwardOnHopper(q *device.Queue, rows int, in Inputs, out Outputs) {
	s, o, r := a.spec, a.spec.Op, a.spec.forwardRing()
	q.Launch(a.forward, s.hopperGrid(q, rows, r), s.heads(q, in.Q, rows, o.Heads, hopperGroupRows), s.heads(q, in.K, rows, o.KVHeads, r.keys),
		s.heads(q, in.V, rows, o.KVHeads, r.keys), s.heads(q, out.Y, rows, o.Heads, hopperGroupRows),
		in.Sinks, in.Batch.DocStart, out.LogSum, int32(rows))
}

// keysOnHopper gives the gradients of keys and values.
func (a *Attention) keysOnHopper(q *device.Queue, rows int, in Inputs, out Outputs, dy, delta device.Pointer, to Gradients) {
	s, o := a.spec, a.spec.Op
	launch := func(k *device.Kernel, r keysRing, more ...any) {
		grid := device.Grid{X: o.KVHeads, Y: device.Ceil(rows, hopperRows), Threads: hopperThreads, Shared: r.shared(o.KeyWidth)}
		q.Launch(k, grid, append([]any{
			s.heads(q, in.Q, rows, o.Heads, r.queries), s.heads(q, in.K, rows, o.KVHeads, hopperRows),
			s.heads(q, in.V, rows, o.KVHeads, hopperRows), s.heads(q, dy, rows, o.Heads, r.queries),
			out.LogSum, delta, in.Batch.DocStart, in.Batch.DocEnd,
		}, more...)...)
	}
	rings := s.keysRings()
	if a.values == nil {
		launch(a.keys, rings[0], to.K.To, to.V.To, int32(truth(to.K.Add)), int32(truth(to.V.Add)), int32(rows))
		return
	}
	for i, g := range []Gradient{to.V, to.K} {
		if g.To != 0 {
			launch([]*device.Kernel{a.values, a.keys}[i], rings[i], g.To, int32(truth(g.Add)), int32(rows))
		}
	}
}

// queriesOnHopper gives the gradient of queries.
func (a *Attention) queriesOnHopper(q *device.Queue, rows int, in Inputs, out Outputs, dy, delta device.Pointer, to Gradient) {
	s, o, r := a.spec, a.spec.Op, a.spec.queriesRing()
	q.Launch(a.queries, s.hopperGrid(q, rows, r), s.heads(q, in.Q, rows, o.Heads, hopperGroupRows), s.heads(q, in.K, rows, o.KVHeads, r.keys),
		s.heads(q, in.V, rows, o.KVHeads, r.keys), s.heads(q, dy, rows, o.Heads, hopperGroupRows),
		out.LogSum, delta, in.Batch.DocStart, to.To, int32(truth(to.Add)), int32(rows))
}
