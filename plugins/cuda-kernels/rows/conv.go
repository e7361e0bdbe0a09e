package rows

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed conv.cu
var convText string

//go:embed convweight.cu
var convWeightText string

// A Conv is the short causal depthwise convolution of graph.Conv.
type Conv struct {
	pieces, tall      int64 // threads across a row; rows a thread has
	forward, backward *device.Kernel

	// What is trained; nil where nothing is.
	weights     *Sums
	weightParts *device.Kernel
	biases      *ColumnSums
}

const (
	convTile  = 8  // rows that are read at once
	convSteps = 4  // tiles that a thread has
	convTaps  = 8  // more taps are not kept in registers
	convHeld  = 16 // weights that a thread keeps
)

// NewConv is for x and y [rows, width] of a type. With trained it can make the
// gradients of the weight and the bias.
func NewConv(set *device.Set, width, kernel int, t device.Type, trained bool) *Conv {
	taps := min(kernel, convTaps)
	vector := Vector(t.Size(), width)
	for vector > 1 && vector*taps > convHeld {
		vector /= 2
	}
	c := &Conv{pieces: int64(width / vector), tall: 1}
	if kernel <= convTaps {
		c.tall = convTile * convSteps
	}
	source := device.Source{Name: "conv.cu", Text: convText, Defines: []string{
		DefineType("TYPE", t), Define("WIDTH", width), Define("KERNEL", kernel), Define("VEC", vector),
		Define("TILE", convTile), Define("STEPS", convSteps), Define("PER_LOAD", Vector(4, vector*kernel)),
	}}
	c.forward, c.backward = set.Kernel(source, "forward"), set.Kernel(source, "backward")
	if trained {
		c.weights = NewSums(set, width, vector, kernel)
		c.weightParts = set.Kernel(device.Source{
			Name: "convweight.cu", Text: convWeightText,
			Defines: append(c.weights.Defines(), DefineType("TYPE", t), Define("KERNEL", kernel), Define("TAPS", taps)),
		}, "weight_parts")
		c.biases = NewColumnSums(set, width, t)
	}
	return c
}

func (c *Conv) grid(rows int) device.Grid { return Blocks(device.Ceil(int64(rows), c.tall) * c.pieces) }

// Forward writes y. weight is float32 [width, kernel], bias float32 [width] or 0;
// start is each row's docStart, int32 [rows]. y is not x.
func (c *Conv) Forward(q *device.Queue, rows int, y, x, weight, bias, start device.Pointer) {
	q.Launch(c.forward, c.grid(rows), y, x, weight, bias, start, int64(rows))
}

// Backward writes or adds the gradient of x; end is each row's docEnd, int32 [rows].
// dx is not dy.
func (c *Conv) Backward(q *device.Queue, rows int, dx, dy, weight, end device.Pointer, accumulate bool) {
	q.Launch(c.backward, c.grid(rows), dx, dy, weight, end, int64(rows), Flag(accumulate))
}

// Workspace is the bytes that Train needs for so many rows.
func (c *Conv) Workspace(rows int64) int64 {
	if c.weights == nil {
		return 0
	}
	return max(c.weights.Workspace(rows), c.biases.Workspace(rows))
}

// Train adds to the gradients of the weight, float32 [width, kernel], and the bias,
// float32 [width]; a gradient of 0 is not wanted.
func (c *Conv) Train(q *device.Queue, rows int, dWeight, dBias, dy, x, start, workspace device.Pointer) {
	n := int64(rows)
	if dWeight != 0 && n > 0 {
		q.Launch(c.weightParts, c.weights.Grid(n), workspace, dy, x, start, n, c.weights.Share(n))
		c.weights.Add(q, n, dWeight, workspace, 1)
	}
	if dBias != 0 {
		c.biases.Add(q, n, dBias, dy, 1, workspace)
	}
}
