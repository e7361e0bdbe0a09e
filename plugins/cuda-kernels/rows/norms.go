package rows

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed norms.cu
var normsText string

// A RowNorms gives what [DoRA.Norms] gives, from products that tensor cores have made at the
// rate at which memory gives W: the square of the length of row c is
//
//	‖W_c‖² + s·B_c·(2·W_c·Aᵀ + s·(A·Aᵀ)·B_c)
//
// It is for frozen W in the activations' type, of 16 bits, and for products of package
// adapter, whose widths and ranks are multiples of 8, and ranks small.
type RowNorms struct {
	spec            DoRASpec
	squares, finish *device.Kernel
}

// finishTurns is how many times 32 rows a block of finish_norms has.
const finishTurns = 2

// NewRowNorms asks a set for the kernels of a linear.
func NewRowNorms(set *device.Set, s DoRASpec) *RowNorms {
	source := device.Source{Name: "norms.cu", Text: normsText, Defines: []string{
		DefineType("TYPE", s.Type), Define("IN", s.In), Define("OUT", s.Out), Define("RANK", s.Rank), Define("TURNS", finishTurns),
	}}
	return &RowNorms{spec: s, squares: set.Kernel(source, "row_squares"), finish: set.Kernel(source, "finish_norms")}
}

// Squares writes ‖W_c‖² of each row, float32 [Out].
func (r *RowNorms) Squares(q *device.Queue, squares, w device.Pointer) {
	q.Launch(r.squares, device.Grid{X: device.Ceil(r.spec.Out, 8), Threads: threads}, squares, w)
}

// NormProducts are what RowNorms begins with, in float32. Products and Gram are sums of
// matrices that lie one behind the other, so many of each.
type NormProducts struct {
	Squares  device.Pointer // [Out], of Squares
	Products device.Pointer // W·Aᵀ [Out, Rank]
	Gram     device.Pointer // A·Aᵀ [Rank, Rank]

	ProductShares, GramShares int
}

// Norms writes the norms of the rows of W + s·B·A, and the ratios of the magnitudes to
// them, 1 for rows of zeros.
func (r *RowNorms) Norms(q *device.Queue, m DoRAMatrices, p NormProducts) {
	grid := device.Grid{X: device.Ceil(r.spec.Out, 32*finishTurns), Threads: threads}
	q.Launch(r.finish, grid, m.Norm, m.Ratio, p.Squares, p.Products, p.Gram, m.W, m.A, m.B, m.M, m.Scale, int32(p.ProductShares), int32(p.GramShares))
}
