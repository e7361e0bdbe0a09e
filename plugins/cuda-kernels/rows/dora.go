package rows

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed dora.cu
var doraText string

//go:embed dots.cu
var dotsText string

// A DoRASpec is the matrices of a linear with DoRA: W [Out, In], A [Rank, In] and B
// [Out, Rank], the latter two in the activations' type.
type DoRASpec struct {
	Type, Weight  device.Type // of activations; of W
	In, Out, Rank int
}

// A DoRA is what DoRA has beside LoRA: the lengths of the rows of W + s·B·A and their
// ratios to those that the magnitudes m ask for, and the gradient of m.
type DoRA struct {
	spec                  DoRASpec
	sums                  *Sums
	norms, missing, parts *device.Kernel
}

// normWarps is how many warps a block has that takes norms.
const normWarps = 8

// normRows is how many rows a warp takes the norms of at once: so many as leave room for
// their rows of B in shared memory.
func (s DoRASpec) normRows() int {
	for rows := 8; rows > 1; rows /= 2 {
		if normWarps*rows*s.Rank*4 <= 40<<10 {
			return rows
		}
	}
	return 1
}

// MostDoRARank is the most that a DoRASpec's rank may be.
const MostDoRARank = 40 << 10 / (4 * normWarps)

// NewDoRA asks a set for the kernels of a linear.
func NewDoRA(set *device.Set, s DoRASpec) *DoRA {
	d := &DoRA{spec: s}
	d.sums = NewSums(set, s.Out, Vector(s.Type.Size(), s.Out), 1)
	source := device.Source{Name: "dora.cu", Text: doraText, Defines: []string{
		DefineType("TYPE", s.Type), DefineType("WEIGHT_TYPE", s.Weight), Define("IN", s.In), Define("OUT", s.Out), Define("RANK", s.Rank),
		Define("ROWS", s.normRows()), Define("VEC", Vector(4, s.In)),
	}}
	d.norms, d.missing = set.Kernel(source, "row_norms"), set.Kernel(source, "missing")
	d.parts = set.Kernel(device.Source{Name: "dots.cu", Text: dotsText, Defines: append(d.sums.Defines(), DefineType("TYPE", s.Type))}, "dot_parts")
	return d
}

// DoRAMatrices are where the matrices of a linear lie, and the factor s of B·A; M
// [Out] float32 are the magnitudes, Norm and Ratio [Out] float32 what Norms writes.
type DoRAMatrices struct {
	W, A, B, M  device.Pointer
	Norm, Ratio device.Pointer
	Scale       float32
}

// Norms writes the norms of the rows of W + s·B·A, and the ratios of the magnitudes to
// them, 1 for rows of zeros.
func (d *DoRA) Norms(q *device.Queue, m DoRAMatrices) {
	grid := device.Grid{X: device.Ceil(d.spec.Out, normWarps*d.spec.normRows()), Threads: 32 * normWarps}
	q.Launch(d.norms, grid, m.Norm, m.Ratio, m.W, m.A, m.B, m.M, m.Scale)
}

// A DoRAGradient is what goes back through the magnitudes of a linear: matrices [n, Out] in
// the activations' type, vectors [Out] in float32.
type DoRAGradient struct {
	DY device.Pointer // the gradient of the output
	Y  device.Pointer // the output, or x·Wᵀ + h·Bᵀ
	By device.Pointer // the magnitudes where Y is the output, else the norms
	DM device.Pointer // the gradient of the magnitudes, which is added to
	DZ device.Pointer // where that of x·Wᵀ + h·Bᵀ goes, which may be DY or Y
}

// Workspace is the bytes that Gradient needs for n rows.
func (d *DoRA) Workspace(n int) int64 { return d.sums.Workspace(int64(n)) }

// Gradient adds Σ_t dy[t]∘y[t] / by to dm over n rows, and nothing where by or the norm is
// 0, and writes dz[t] = ratio∘dy[t].
func (d *DoRA) Gradient(q *device.Queue, n int, g DoRAGradient, m DoRAMatrices, workspace device.Pointer) {
	if n == 0 {
		return
	}
	q.Launch(d.parts, d.sums.Grid(int64(n)), workspace, g.DZ, g.DY, g.Y, m.Ratio, g.By, m.Norm, int64(n), d.sums.Share(int64(n)))
	d.sums.Add(q, int64(n), g.DM, workspace, 1)
}

// Missing adds to dm, float32 [Out], what Gradient by the magnitudes leaves out: the
// gradients of magnitudes that are 0, from dy [n, Out] and x [n, In]. It comes before
// where Gradient puts dz in the place of dy: dz is 0 there.
func (d *DoRA) Missing(q *device.Queue, n int, dm, dy, x device.Pointer, m DoRAMatrices) {
	q.Launch(d.missing, Blocks(int64(d.spec.Out)), dm, dy, x, m.W, m.A, m.B, m.M, m.Norm, m.Scale, int64(n))
}
