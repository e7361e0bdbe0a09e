// Package norm holds the kernels of graph.Norm, RMS and layer norms, forward and
// backward.
//
// A group of numbers that a warp can hold has a warp or less, a wider one a block;
// either way a number is read once, and the backward pass takes the statistics anew
// from x, so that nothing is kept for it.
package norm

import (
	_ "embed"
	"strconv"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

//go:embed norm.cu
var text string

//go:embed weight.cu
var weightText string

// A Spec is a norm of rows of Width numbers, each of Groups equal parts on its own.
type Spec struct {
	Width, Groups int
	Centre        bool // layer norm; false: RMS norm
	Epsilon       float64
	PlusOne       bool

	// Weight and Bias are how many numbers these have: 0 for none, Width/Groups or
	// Width.
	Weight, Bias int

	X, Y device.Type // the types of x and y, and so of their gradients

	TrainWeight, TrainBias bool // whether Train is asked for their gradients
}

// A Norm is the kernels of a Spec.
type Norm struct {
	spec              Spec
	grouped           grouping
	forward, backward *device.Kernel

	weightSums  *rows.Sums // nil: not trained
	weightParts *device.Kernel
	biasSums    *rows.ColumnSums // nil: not trained
}

// New asks a set for the kernels of a norm.
func New(set *device.Set, spec Spec) *Norm {
	n := &Norm{spec: spec, grouped: group(spec)}
	source := device.Source{Name: "norm.cu", Text: text, Defines: n.defines()}
	n.forward, n.backward = set.Kernel(source, "forward"), set.Kernel(source, "backward")
	if spec.TrainWeight {
		vector := rows.Vector(max(spec.X.Size(), spec.Y.Size()), n.grouped.size, spec.Weight)
		n.weightSums = rows.NewSums(set, spec.Weight, vector, 1)
		n.weightParts = set.Kernel(device.Source{
			Name: "weight.cu", Text: weightText,
			Defines: append(n.weightSums.Defines(), rows.Define("SIZE", n.grouped.size),
				rows.DefineType("X_TYPE", spec.X), rows.DefineType("Y_TYPE", spec.Y)),
		}, "weight_parts")
	}
	if spec.TrainBias {
		n.biasSums = rows.NewColumnSums(set, spec.Bias, spec.Y)
	}
	return n
}

func (n *Norm) defines() []string {
	s, g := n.spec, n.grouped
	return []string{
		rows.DefineType("X_TYPE", s.X), rows.DefineType("Y_TYPE", s.Y),
		rows.Define("SIZE", g.size), rows.Define("GROUPS", s.Groups),
		rows.Define("WEIGHTS", s.Weight), rows.Define("BIASES", s.Bias),
		rows.DefineFlag("CENTRE", s.Centre), rows.DefineFlag("PLUS_ONE", s.PlusOne),
		"EPSILON=" + strconv.FormatFloat(s.Epsilon, 'e', -1, 32) + "f",
		rows.Define("LANES", g.lanes), rows.Define("VEC", g.vector),
		rows.Define("ITEMS", g.items), rows.DefineFlag("HELD", g.held),
	}
}

// Forward writes y [rows, width] of x. weight and bias are float32, 0 for none.
func (n *Norm) Forward(q *device.Queue, rows int, y, x, weight, bias device.Pointer) {
	groups := int64(rows) * int64(n.spec.Groups)
	q.Launch(n.forward, n.grouped.grid(groups), y, x, weight, bias, groups)
}

// Backward writes or adds the gradient of x, and with gradients asked for adds to
// those, float32. Each gradient of 0 is not wanted; dWeight and dBias only where the
// Spec trains them, with a workspace.
func (n *Norm) Backward(q *device.Queue, rows int, dx, dy, x, weight, dWeight, dBias, workspace device.Pointer, accumulate bool) {
	groups := int64(rows) * int64(n.spec.Groups)
	statistics := device.Pointer(0)
	if dWeight != 0 {
		statistics = workspace
	}
	if dx != 0 || statistics != 0 {
		q.Launch(n.backward, n.grouped.grid(groups), dx, dy, x, weight, statistics, groups, flag(accumulate))
	}
	if dWeight != 0 && groups > 0 {
		lines := n.lines(rows, n.spec.Weight)
		parts := workspace.Offset(n.statisticsBytes(rows))
		q.Launch(n.weightParts, n.weightSums.Grid(lines), parts, dy, x, statistics, lines, n.weightSums.Share(lines))
		n.weightSums.Add(q, lines, dWeight, parts, 1)
	}
	if dBias != 0 {
		n.biasSums.Add(q, n.lines(rows, n.spec.Bias), dBias, dy, 1, workspace)
	}
}

// Workspace is the bytes that Backward needs for so many rows where it makes the
// gradients of weight or bias.
func (n *Norm) Workspace(rows int) int64 {
	bytes := int64(0)
	if n.weightSums != nil {
		bytes = n.statisticsBytes(rows) + n.weightSums.Workspace(n.lines(rows, n.spec.Weight))
	}
	if n.biasSums != nil {
		bytes = max(bytes, n.biasSums.Workspace(n.lines(rows, n.spec.Bias)))
	}
	return bytes
}

// statisticsBytes is the room for the mean and the inverse deviation of each group,
// up to where a buffer may begin.
func (n *Norm) statisticsBytes(rows int) int64 {
	return (int64(rows)*int64(n.spec.Groups)*8 + 255) &^ 255
}

// lines is how often a parameter of so many numbers is applied in so many rows.
func (n *Norm) lines(rows, numbers int) int64 {
	return int64(rows) * int64(n.spec.Width/numbers)
}

func flag(on bool) int32 { return rows.Flag(on) }
