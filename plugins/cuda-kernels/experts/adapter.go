package experts

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

var (
	//go:embed pack.cu
	packText string
	//go:embed bias.cu
	biasText string
)

// A Pack puts the B of an adapter on experts, [height, rank·experts] with the experts of
// a rank side by side, into the order that products read: [experts, height, rank].
type Pack struct {
	pieces int64
	kernel *device.Kernel
}

// NewPack asks a set for the kernel.
func NewPack(set *device.Set, experts, height, rank int, t device.Type) *Pack {
	vector := rows.Vector(t.Size(), rank)
	return &Pack{
		pieces: int64(experts) * int64(height) * int64(rank/vector),
		kernel: set.Kernel(device.Source{Name: "pack.cu", Text: packText, Defines: []string{
			rows.DefineType("TYPE", t), rows.Define("EXPERTS", experts), rows.Define("ROWS", height), rows.Define("RANK", rank), rows.Define("VEC", vector),
		}}, "pack"),
	}
}

// Run packs b.
func (p *Pack) Run(q *device.Queue, to, b device.Pointer) {
	q.Launch(p.kernel, rows.Blocks(p.pieces), to, b)
}

// BiasSums adds up the gradients of biases, one for each expert.
type BiasSums struct {
	experts, width int
	kernel         *device.Kernel
}

// NewBiasSums is for x [slots, width] of a type.
func NewBiasSums(set *device.Set, experts, width int, t device.Type) *BiasSums {
	return &BiasSums{experts: experts, width: width, kernel: set.Kernel(device.Source{Name: "bias.cu", Text: biasText, Defines: []string{
		rows.DefineType("TYPE", t), rows.Define("WIDTH", width),
	}}, "bias_sums")}
}

// Add is d[e] += Σ x[i] over the slots of e; d is float32 [experts, width].
func (b *BiasSums) Add(q *device.Queue, g Groups, d, x device.Pointer) {
	q.Launch(b.kernel, device.Grid{X: device.Ceil(b.width, 32), Y: b.experts, Threads: 256}, d, x, g.order, g.offsets)
}
