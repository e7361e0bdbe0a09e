package attention

import (
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// Inputs are what an operation reads.
type Inputs struct {
	Q     device.Pointer // [rows, Heads·KeyWidth]
	K     device.Pointer // [rows, KVHeads·KeyWidth]
	V     device.Pointer // [rows, KVHeads·ValueWidth]
	Sinks device.Pointer // [Heads] float32; read only where the operation has sinks
	Batch Batch
}

// Batch is where documents begin and end, int32 [rows]. A token's position is its
// row's distance from the document's first.
type Batch struct {
	DocStart, DocEnd device.Pointer
}

// Outputs are what the forward pass writes and the backward pass reads.
type Outputs struct {
	Y      device.Pointer // [rows, Heads·ValueWidth]
	LogSum device.Pointer // [Heads, rows] float32: the log of each softmax's denominator
}

// A Gradient is where the gradient of an input goes: 0 is nowhere.
type Gradient struct {
	To  device.Pointer
	Add bool // to what is there
}

// Gradients are what the backward pass writes.
type Gradients struct {
	Q, K, V Gradient
	Sinks   device.Pointer // [Heads] float32, added to; 0: not wanted
}

// LogSumBytes is the size of Outputs.LogSum.
func (a *Attention) LogSumBytes(rows int) int64 { return int64(rows) * int64(a.spec.Op.Heads) * 4 }

// OnHopper reports whether the kernels are those for Hopper.
func (a *Attention) OnHopper() bool { return a.hopper }

// FallsBack is why the kernels are not the fastest that there are for an architecture of
// device.GPU.Arch, or "".
func (a *Attention) FallsBack() string {
	switch o := a.spec.Op; {
	case a.hopper || a.flash && a.spec.Arch != device.HopperArch:
		return ""
	case a.flash:
		return "the fastest are for heads of 64, 128 or 256 columns"
	case a.spec.Type == device.Float32:
		return "there are no tensor cores for float32"
	default:
		return fmt.Sprintf("there are no tensor cores for heads of %d and %d columns", o.KeyWidth, o.ValueWidth)
	}
}

// Forward computes y and the log-sum-exp of rows tokens.
func (a *Attention) Forward(q *device.Queue, rows int, in Inputs, out Outputs) {
	if rows == 0 {
		return
	}
	if a.hopper {
		a.forwardOnHopper(q, rows, in, out)
		return
	}
	grid := device.Grid{X: a.spec.Op.Heads, Y: device.Ceil(rows, side), Z: device.Ceil(a.spec.Op.ValueWidth, a.spec.plainColumns()), Threads: 256}
	if a.flash {
		grid = a.forwardTiles.grid(a.spec.Op.Heads, device.Ceil(rows, a.forwardTiles.queries))
	}
	q.Launch(a.forward, grid, in.Q, in.K, in.V, in.Sinks, in.Batch.DocStart, out.Y, out.LogSum, int32(rows))
}

func (t tiles) grid(heads, blocks int) device.Grid {
	return device.Grid{X: heads, Y: blocks, Threads: t.threads, Shared: t.shared}
}

// Workspace is the bytes that Backward needs.
func (a *Attention) Workspace(rows int) int64 {
	return device.Align(a.LogSumBytes(rows)) + device.Align(int64(a.spec.Op.Heads)*sinkBlocks*4)
}

// Backward computes the gradients of the inputs from dy [rows, Heads·ValueWidth],
// given what Forward read and wrote.
func (a *Attention) Backward(q *device.Queue, rows int, in Inputs, out Outputs, dy device.Pointer, to Gradients, workspace device.Pointer) {
	if rows == 0 {
		return
	}
	delta := workspace
	a.rowDelta(q, rows, out.Y, dy, delta)
	if to.Sinks != 0 && a.hasSinks() {
		partial := workspace.Offset(device.Align(a.LogSumBytes(rows)))
		grid := device.Grid{X: sinkBlocks, Y: a.spec.Op.Heads, Threads: 256}
		q.Launch(a.sinks, grid, in.Sinks, out.LogSum, delta, partial, int32(rows))
		q.Launch(a.sinksSum, device.Grid{X: a.spec.Op.Heads, Threads: 32}, partial, to.Sinks)
	}
	switch {
	case to.K.To == 0 && to.V.To == 0:
	case a.hopper:
		a.keysOnHopper(q, rows, in, out, dy, delta, to)
	default:
		q.Launch(a.keys, a.keysGrid(rows), in.Q, in.K, in.V, dy, out.LogSum, delta, in.Batch.DocStart, in.Batch.DocEnd,
			to.K.To, to.V.To, int32(truth(to.K.Add)), int32(truth(to.V.Add)), int32(rows))
	}
	switch {
	case to.Q.To == 0:
	case a.hopper:
		a.queriesOnHopper(q, rows, in, out, dy, delta, to.Q)
	default:
		q.Launch(a.queries, a.queriesGrid(rows), in.Q, in.K, in.V, dy, out.LogSum, delta, in.Batch.DocStart,
			to.Q.To, int32(truth(to.Q.Add)), int32(rows))
	}
}

func (a *Attention) rowDelta(q *device.Queue, rows int, y, dy, delta device.Pointer) {
	o := a.spec.Op
	vector := vectorOf(a.spec.Type, o.ValueWidth)
	lanes := deltaLanes(o.ValueWidth, vector)
	q.Launch(a.delta, device.Grid{X: device.Ceil(rows*o.Heads*lanes, 256), Threads: 256}, y, dy, delta, int32(rows))
}

func (a *Attention) keysGrid(rows int) device.Grid {
	o := a.spec.Op
	if a.flash {
		return a.keyTiles.grid(o.KVHeads, device.Ceil(rows, a.keyTiles.keys))
	}
	columns := a.spec.plainColumns()
	return device.Grid{X: o.KVHeads, Y: device.Ceil(rows, side), Z: device.Ceil(o.ValueWidth, columns) + device.Ceil(o.KeyWidth, columns), Threads: 256}
}

func (a *Attention) queriesGrid(rows int) device.Grid {
	o := a.spec.Op
	if a.flash {
		return a.queryTiles.grid(o.Heads, device.Ceil(rows, a.queryTiles.queries))
	}
	return device.Grid{X: o.Heads, Y: device.Ceil(rows, side), Z: device.Ceil(o.KeyWidth, a.spec.plainColumns()), Threads: 256}
}
