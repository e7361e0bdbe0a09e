package rows

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed columns.cu
var columnsText string

//go:embed bias.cu
var biasText string

// ColumnSums adds the sum of a matrix's rows to a vector: the gradient of a bias.
type ColumnSums struct {
	sums  *Sums
	parts *device.Kernel
}

// NewColumnSums is for x [rows, width] of a type.
func NewColumnSums(set *device.Set, width int, t device.Type) *ColumnSums {
	sums := NewSums(set, width, Vector(t.Size(), width), 1)
	return &ColumnSums{sums: sums, parts: set.Kernel(device.Source{
		Name: "columns.cu", Text: columnsText, Defines: append(sums.Defines(), DefineType("TYPE", t)),
	}, "column_parts")}
}

// Workspace is the bytes that Add needs for so many rows.
func (c *ColumnSums) Workspace(rows int64) int64 { return c.sums.Workspace(rows) }

// Add is y += factor·Σ x[t]; y is float32 [width].
func (c *ColumnSums) Add(q *device.Queue, rows int64, y, x device.Pointer, factor float32, workspace device.Pointer) {
	if rows == 0 {
		return
	}
	q.Launch(c.parts, c.sums.Grid(rows), workspace, x, rows, c.sums.Share(rows))
	c.sums.Add(q, rows, y, workspace, factor)
}

// A Bias adds a vector to each row of a matrix.
type Bias struct {
	pieces int64
	kernel *device.Kernel
}

// NewBias is for y [rows, width] of a type.
func NewBias(set *device.Set, width int, t device.Type) *Bias {
	vector := Vector(t.Size(), width)
	return &Bias{pieces: int64(width / vector), kernel: set.Kernel(device.Source{Name: "bias.cu", Text: biasText, Defines: []string{
		DefineType("TYPE", t), Define("WIDTH", width), Define("VEC", vector),
	}}, "add_bias")}
}

// Add is y[t] += factor·bias for each row; bias is float32 [width].
func (b *Bias) Add(q *device.Queue, rows int, y, bias device.Pointer, factor float32) {
	q.Launch(b.kernel, Blocks(int64(rows)*b.pieces), y, bias, int64(rows), factor)
}
