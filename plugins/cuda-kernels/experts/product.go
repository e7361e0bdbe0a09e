package experts

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

var (
	//go:embed product.cuh
	productHeader string
	//go:embed product.cu
	productText string
	//go:embed plain.cu
	plainText string
)

// A ProductSpec is what a Product is compiled for.
type ProductSpec struct {
	Depth, Width int // of x and y
	Depth2       int // of what may be added; 0: nothing
	Share        int // slots that share a row of x: 1, or all of a token
	// Transposed: matrices are [Experts, Width, Depth] and y = x·Wᵀ; else they are
	// [Experts, Depth, Width] and y = x·W.
	Transposed bool
	Type       device.Type // of x, y and the matrices
}

// A Product multiplies slots by the matrices of their experts.
type Product struct {
	spec   ProductSpec
	tiles  tiles
	kernel *device.Kernel
}

// NewProduct asks a set for the kernel.
func NewProduct(set *device.Set, spec ProductSpec) *Product {
	pass := columnsPass
	if spec.Transposed {
		pass = rowsPass
	}
	p := &Product{spec: spec, tiles: tilesOf(pass, spec.Width, spec.Type)}
	p.kernel = p.tiles.kernel(set, "product", spec.Type,
		rows.Define("DEPTH", spec.Depth), rows.Define("DEPTH2", spec.Depth2), rows.Define("WIDTH", spec.Width), rows.Define("X_SHARE", spec.Share))
	return p
}

// Operands are what a Product reads and writes. X2 and W2, of Depth2 and with a row of
// X2 for each slot, are 0 where nothing is added; Bias [Experts, Width] float32 is 0 for
// none.
type Operands struct {
	Y      device.Pointer // [slots, Width]
	X, W   device.Pointer
	X2, W2 device.Pointer
	Bias   device.Pointer
	Factor float32 // of the products; the bias is added as it is
	Add    bool    // to what is in Y
}

// Run computes y for all slots.
func (p *Product) Run(q *device.Queue, g Groups, o Operands) {
	grid := device.Grid{X: g.most * device.Ceil(p.spec.Width, p.tiles.columns), Threads: p.tiles.threads, Shared: p.tiles.shared}
	q.Launch(p.kernel, grid, o.Y, o.X, o.W, o.X2, o.W2, o.Bias, g.order, g.offsets, g.tiles, o.Factor, rows.Flag(o.Add))
}

// An OuterSpec is what an Outer is compiled for: d[e] = Σ pᵀ·q over the slots of e.
type OuterSpec struct {
	Experts       int
	Height, Width int // of p and q
	// HeightShare and WidthShare are the slots that share a row of p and of q.
	HeightShare, WidthShare int
	// Element (m, n) of expert e's sum is at e·Expert + m·Row + n·Column.
	Expert, Row, Column int
	Type                device.Type // of p and q
}

// An Outer sums outer products over the slots of each expert: gradients of matrices.
type Outer struct {
	spec   OuterSpec
	tiles  tiles
	kernel *device.Kernel
}

// NewOuter asks a set for the kernel.
func NewOuter(set *device.Set, spec OuterSpec) *Outer {
	o := &Outer{spec: spec, tiles: tilesOf(sumsPass, spec.Width, spec.Type)}
	o.kernel = o.tiles.kernel(set, "outer", spec.Type,
		rows.Define("HEIGHT", spec.Height), rows.Define("WIDTH", spec.Width),
		rows.Define("P_SHARE", spec.HeightShare), rows.Define("Q_SHARE", spec.WidthShare),
		rows.Define("STRIDE_E", spec.Expert), rows.Define("STRIDE_M", spec.Row), rows.Define("STRIDE_N", spec.Column))
	return o
}

// Add is d += factor·Σ pᵀ·q; d is float32.
func (o *Outer) Add(q *device.Queue, g Groups, d, left, right device.Pointer, factor float32) {
	blocks := o.spec.Experts * device.Ceil(o.spec.Height, o.tiles.rows) * device.Ceil(o.spec.Width, o.tiles.columns)
	q.Launch(o.kernel, device.Grid{X: blocks, Threads: o.tiles.threads, Shared: o.tiles.shared}, d, left, right, g.order, g.offsets, factor)
}
