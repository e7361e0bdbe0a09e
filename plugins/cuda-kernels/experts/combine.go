package experts

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

//go:embed combine.cu
var combineText string

// A CombineSpec is what a Combine is compiled for.
type CombineSpec struct {
	Width, Slots int
	Plain        bool        // weights are 1
	X, Y, Weight device.Type // of slots, their sums and their weights
}

// A Combine adds up the slots of tokens, as graph.Combine does.
type Combine struct {
	spec              CombineSpec
	vector            int
	forward, backward *device.Kernel
}

// NewCombine asks a set for the kernels.
func NewCombine(set *device.Set, spec CombineSpec) *Combine {
	c := &Combine{spec: spec, vector: rows.Vector(max(spec.X.Size(), spec.Y.Size()), spec.Width)}
	source := device.Source{Name: "combine.cu", Text: combineText, Defines: []string{
		rows.DefineType("X_TYPE", spec.X), rows.DefineType("Y_TYPE", spec.Y), rows.DefineType("WEIGHT_TYPE", spec.Weight),
		rows.Define("WIDTH", spec.Width), rows.Define("SLOTS", spec.Slots), rows.DefineFlag("PLAIN", spec.Plain), rows.Define("VEC", c.vector),
	}}
	c.forward, c.backward = set.Kernel(source, "combine"), set.Kernel(source, "combine_backward")
	return c
}

// Forward is y[t] = Σ_s weights[t,s]·x[t,s], or adds that to y.
func (c *Combine) Forward(q *device.Queue, rowCount int, y, x, weights device.Pointer, add bool) {
	pieces := int64(rowCount) * int64(c.spec.Width/c.vector)
	q.Launch(c.forward, rows.Blocks(pieces), y, x, weights, int64(rowCount), rows.Flag(add))
}

// A Gradient is where a gradient goes: 0 is nowhere.
type Gradient struct {
	To  device.Pointer
	Add bool // to what is there
}

// Backward gives dx[t,s] = weights[t,s]·dy[t], which alone reads the weights, and
// dw[t,s] = dy[t]·x[t,s], which alone reads x.
func (c *Combine) Backward(q *device.Queue, rowCount int, dx, dWeights Gradient, dy, x, weights device.Pointer) {
	slots := rowCount * c.spec.Slots
	q.Launch(c.backward, device.Grid{X: device.Ceil(slots, 8), Threads: 256}, dx.To, dWeights.To, dy, x, weights, int64(slots), rows.Flag(dx.Add), rows.Flag(dWeights.Add))
}
