package gemm

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

//go:embed product.cu
var text string

// A Spec is d [M, N] = Σ p·q + p2·q2, a sum of up to [MostTerms] products with p [M, K],
// and of one with p2 [M, Rank]; Scaled, factor∘(Σ p·q + p2·q2).
type Spec struct {
	Type device.Type // of all of them: BFloat16 or Float16
	// Down: q lies as [K, N] and q2 as [Rank, N]. Otherwise as [N, K] and [N, Rank], and
	// they are used transposed.
	Down bool
	Rank int // 0: there is no p2·q2
	// Scaled: each column of the sum is multiplied by a factor, before it is rounded.
	Scaled bool
}

// MostTerms is how many large products there are in a sum at most: one more than queries,
// keys and values.
const MostTerms = 4

// How product.cu is cut up.
const (
	tileRows    = 256 // of a cluster of two blocks
	tileColumns = 256
	depth       = 64
	stages      = 3
	tilesDown   = 8
	threads     = 384
	blockRows   = 128
	// Stages, the tile on its way to memory, barriers, and what aligning to 1024 takes.
	shared = 2*(stages*(blockRows+tileColumns)*depth+blockRows*tileColumns) + 16*stages + 16 + 1024
	// Factors of a tile's columns, for each of two warpgroups.
	sharedFactors = 2 * 4 * tileColumns
)

// step is what widths are multiples of, in numbers: TMA wants rows of 16 bytes.
const step = 8

// Runs reports whether there is a kernel for a product of [rows, k] by [k, n] on an
// architecture of [device.GPU.Arch].
func Runs(arch string, s Spec, n, k int) bool {
	return arch == device.HopperArch && s.Type != device.Float32 && n%step == 0 && k%step == 0 && s.Rank%step == 0
}

// A Product is the kernel of a Spec.
type Product struct {
	spec       Spec
	kernel     *device.Kernel
	processors int
}

// New asks a set for the kernel of a product, for a GPU of so many multiprocessors.
func New(set *device.Set, s Spec, processors int) *Product {
	source := device.Source{
		Name: "product.cu", Arch: device.HopperArch, Text: device.Include + device.PTX + device.Hopper + text,
		Defines: []string{
			rows.DefineFlag("BF16", s.Type == device.BFloat16), rows.DefineFlag("DOWN", s.Down), rows.DefineFlag("SCALED", s.Scaled),
			rows.Define("RANK", s.Rank), rows.Define("STAGES", stages), rows.Define("TILES_DOWN", tilesDown), rows.Define("TERMS", MostTerms),
		},
	}
	return &Product{spec: s, kernel: set.Kernel(source, "product_of_linear"), processors: processors}
}

// enough is the share of the GPU's work that is for d, and not for what lies beyond its
// edges or in a last round of tiles that is not full: below it, the smaller tiles of
// cuBLASLt are faster.
const enough = 0.7

// Wins reports whether the kernel is the faster way to d [m, n]; one that there is not
// is no way.
func (p *Product) Wins(m, n int) bool {
	if p == nil {
		return false
	}
	clusters := max(1, p.processors/2)
	tiles := device.Ceil(m, tileRows) * device.Ceil(n, tileColumns)
	whole := device.Ceil(tiles, clusters) * clusters * tileRows * tileColumns
	return float64(m)*float64(n) >= enough*float64(whole)
}

// A Term is p·q, where p is [M, K] and its rows lie Stride numbers apart; 0: K.
type Term struct {
	P, Q      device.Pointer
	K, Stride int
}

// Operands are the matrices of a product. Addresses are multiples of 16, and so are the
// bytes of a stride.
type Operands struct {
	Terms []Term // at most MostTerms
	Small Term   // p2·q2, whose K is the rank; without a P: none
	D     device.Pointer
	Add   bool // to what is in D

	Factor device.Pointer // float32 [N], where the Spec is Scaled
}

// Multiply computes d [m, n].
func (p *Product) Multiply(q *device.Queue, m, n int, o Operands) {
	if m == 0 {
		return
	}
	var lefts, rights [MostTerms]device.TensorMap
	var steps [MostTerms]int32
	all := int32(0)
	for i, t := range o.Terms {
		lefts[i], rights[i] = p.left(q, t, m), p.right(q, t, n)
		steps[i] = int32(device.Ceil(t.K, depth))
		all += steps[i]
	}
	second := p.spec.Rank > 0 && o.Small.P != 0
	left, right := lefts[0], rights[0] // for nothing, where there is no second product
	if second {
		left, right = p.left(q, o.Small, m), p.right(q, o.Small, n)
	}
	tiles := device.Ceil(m, tileRows) * device.Ceil(n, tileColumns)
	grid := device.Grid{X: 2 * min(tiles, max(1, p.processors/2)), Threads: threads, Shared: shared}
	args := []any{
		lefts[:], rights[:], left, right, p.tensor(q, o.D, m, n, n, 64), steps[:], int32(m), int32(n), all, rows.Flag(second), rows.Flag(o.Add),
	}
	if p.spec.Scaled {
		grid.Shared += sharedFactors
		args = append(args, o.Factor)
	}
	q.Launch(p.kernel, grid, args...)
}

// left and right are the matrices of a term.
func (p *Product) left(q *device.Queue, t Term, m int) device.TensorMap {
	stride := t.Stride
	if stride == 0 {
		stride = t.K
	}
	return p.tensor(q, t.P, m, t.K, stride, blockRows)
}

func (p *Product) right(q *device.Queue, t Term, n int) device.TensorMap {
	if p.spec.Down {
		return p.tensor(q, t.Q, t.K, n, n, depth)
	}
	return p.tensor(q, t.Q, n, t.K, t.K, tileColumns/2)
}

// tensor is a matrix that is copied in tiles of high rows by 64.
func (p *Product) tensor(q *device.Queue, at device.Pointer, rows, columns, stride, high int) device.TensorMap {
	return q.TensorMap(cuda.Tensor{
		Type: p.spec.Type.Tensor(), Address: cuda.Pointer(at), Swizzle: cuda.Swizzle128,
		Dims: [cuda.MaxTensorRank]int64{int64(columns), int64(rows)}, Strides: [cuda.MaxTensorRank - 1]int64{int64(stride) * p.spec.Type.Size()},
		Box: [cuda.MaxTensorRank]int{64, high},
	})
}
