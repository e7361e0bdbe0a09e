package gemm

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

//go:embed product.cu
var text string

// A Spec is d [M, N] = p·q + p2·q2, where p is [M, K] and p2 [M, Rank].
type Spec struct {
	Type device.Type // of all of them: BFloat16 or Float16
	// Down: q lies as [K, N] and q2 as [Rank, N]. Otherwise as [N, K] and [N, Rank], and
	// they are used transposed.
	Down bool
	Rank int // 0: there is no second product
}

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
			rows.DefineFlag("BF16", s.Type == device.BFloat16), rows.DefineFlag("DOWN", s.Down),
			rows.Define("RANK", s.Rank), rows.Define("STAGES", stages), rows.Define("TILES_DOWN", tilesDown),
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

// Operands are the matrices of a product. Addresses are multiples of 16.
type Operands struct {
	P, Q   device.Pointer
	P2, Q2 device.Pointer // 0: without the second product
	D      device.Pointer
	Add    bool // to what is in D
}

// Multiply computes d [m, n] from p [m, k].
func (p *Product) Multiply(q *device.Queue, m, n, k int, o Operands) {
	if m == 0 {
		return
	}
	second := p.spec.Rank > 0 && o.P2 != 0
	right := func(at device.Pointer, inner int) device.TensorMap {
		if p.spec.Down {
			return p.tensor(q, at, inner, n, depth)
		}
		return p.tensor(q, at, n, inner, tileColumns/2)
	}
	left := p.tensor(q, o.P, m, k, blockRows)
	large := right(o.Q, k)
	left2, small := left, large // for nothing, where there is no second product
	if second {
		left2, small = p.tensor(q, o.P2, m, p.spec.Rank, blockRows), right(o.Q2, p.spec.Rank)
	}
	tiles := device.Ceil(m, tileRows) * device.Ceil(n, tileColumns)
	grid := device.Grid{X: 2 * min(tiles, max(1, p.processors/2)), Threads: threads, Shared: shared}
	q.Launch(p.kernel, grid, left, large, left2, small, p.tensor(q, o.D, m, n, 64),
		int32(m), int32(n), int32(k), rows.Flag(second), rows.Flag(o.Add))
}

// tensor is a matrix that is copied in tiles of high rows by 64.
func (p *Product) tensor(q *device.Queue, at device.Pointer, rows, columns, high int) device.TensorMap {
	return q.TensorMap(cuda.Tensor{
		Type: p.spec.Type.Tensor(), Address: cuda.Pointer(at), Swizzle: cuda.Swizzle128,
		Dims: [cuda.MaxTensorRank]int64{int64(columns), int64(rows)}, Strides: [cuda.MaxTensorRank - 1]int64{int64(columns) * p.spec.Type.Size()},
		Box: [cuda.MaxTensorRank]int{64, high},
	})
}
