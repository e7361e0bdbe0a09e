package adapter

import (
	_ "embed"
	"math"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/sdk/graph/dropout"
)

//go:embed input.cu
var inputText string

//go:embed masks.cuh
var masksText string

// An InputSpec is h = scale·x·Aᵀ and dA += dᵀ·x for x [rows, Width] and A [Rank, Width],
// which is the matrices A of all adapters on x, one behind the other.
type InputSpec struct {
	Type       device.Type // of x, A, h and d: BFloat16 or Float16
	Width      int
	Rank       int // of all of them together
	Dropped    int // how many they are where each has dropout of its own, and Rank/Dropped; else 0
	Shared     int // shared memory that a block may have; 0: what all GPUs have
	Processors int // multiprocessors of the GPU
}

// MostDropped is the most adapters with dropout of their own that there are kernels for: more
// masks do not fit into a thread's registers.
const MostDropped = 3

// How input.cu is cut up.
const (
	downRows, downDepth, downThreads = 128, 64, 128
	gradientColumns, gradientThreads = 128, 128
	plainRows, droppedRows           = 64, 32 // of a tile for gradients
	finishThreads, finishNumbers     = 256, 4 // a thread's
	mostInputStages                  = 5
	mostInputRank                    = 96
	mostDroppedRank                  = 64 // whose operands of dx fit into registers too
	inputRankOfTwo                   = 48 // up to which the registers of two blocks do
	blockReserve                     = 1024
	blocksOfAProcessor               = 4  // of a launch, at most
	mostGramShares                   = 16 // which every block of those that read A·Aᵀ adds up
)

func (s InputSpec) shared() int {
	if s.Shared == 0 {
		return 48 << 10
	}
	return s.Shared
}

// pairs is the rank, rounded up to what one load of operands has.
func (s InputSpec) pairs() int { return (s.Rank + 15) / 16 * 16 }

// downBytes and gradientBytes are those of a tile under way.
func (s InputSpec) downBytes() int { return 2 * (downRows + s.pairs()) * (downDepth + 8) }
func (s InputSpec) gradientBytes() int {
	if s.Dropped > 0 { // dx beside x, and what the rows are
		return 2*droppedRows*(2*(gradientColumns+8)+s.pairs()+8) + 8*droppedRows
	}
	return 2 * plainRows * (gradientColumns + 8 + s.pairs() + 8)
}

// gradientRows is the rows of a tile for gradients.
func (s InputSpec) gradientRows() int {
	if s.Dropped > 0 {
		return droppedRows
	}
	return plainRows
}

// blocks is how many a multiprocessor has at a time: two where they fit, for one then
// computes while the other waits.
func (s InputSpec) blocks() int {
	if s.Rank <= inputRankOfTwo && s.stages(2, s.downBytes()) >= 3 && s.stages(2, s.gradientBytes()) >= 3 {
		return 2
	}
	return 1
}

func (s InputSpec) stages(blocks, bytes int) int {
	return min(mostInputStages, (s.shared()/blocks-blockReserve)/bytes)
}

// RunsInput reports whether there is a kernel for an InputSpec.
func RunsInput(s InputSpec) bool {
	return s.Type != device.Float32 && s.Rank > 0 && s.Rank%8 == 0 && s.Rank <= mostInputRank && s.Width%8 == 0 && s.Processors > 0 &&
		(s.Dropped == 0 || s.Dropped <= MostDropped && s.Rank%(8*s.Dropped) == 0 && s.Rank <= mostDroppedRank) && s.stages(1, s.downBytes()) >= 2 && s.stages(1, s.gradientBytes()) >= 2
}

// An Input is the kernels of an InputSpec.
type Input struct {
	spec                     InputSpec
	down, finishDown         *device.Kernel
	gradient, finishGradient *device.Kernel
}

// NewInput asks a set for the kernels.
func NewInput(set *device.Set, s InputSpec) *Input {
	blocks := s.blocks()
	source := device.Source{
		Name: "input.cu", Text: device.Include + device.PTX + passesText + masksText + inputText,
		Defines: []string{
			rows.DefineType("TYPE", s.Type), rows.DefineFlag("BF16", s.Type == device.BFloat16),
			rows.Define("WIDTH", s.Width), rows.Define("RANK", s.Rank), rows.Define("BLOCKS", blocks),
			rows.DefineFlag("DROPS", s.Dropped > 0), rows.Define("ADAPTERS", max(1, s.Dropped)), rows.Define("ROWS", s.gradientRows()),
			rows.Define("DOWN_STAGES", s.stages(blocks, s.downBytes())), rows.Define("STAGES", s.stages(blocks, s.gradientBytes())),
		},
	}
	return &Input{
		spec: s, down: set.Kernel(source, "down"), finishDown: set.Kernel(source, "finish_down"),
		gradient: set.Kernel(source, "gradient"), finishGradient: set.Kernel(source, "finish_gradient"),
	}
}

// Wins reports whether there are kernels, and n rows are enough for them: any are where
// adapters have dropout.
func (p *Input) Wins(n int) bool { return p != nil && (p.spec.Dropped > 0 || n >= plainRows) }

// downCut and gradientCut are how many blocks lie beside each other, into how many spans
// columns, or rows, are cut, and how long those are.
func (p *Input) downCut(n int) (beside, spans, span int) {
	beside = device.Ceil(n, downRows)
	spans, each := p.cut(beside, device.Ceil(p.spec.Width, downDepth))
	return beside, spans, each * downDepth
}

func (p *Input) gradientCut(n int) (beside, spans, span int) {
	beside = device.Ceil(p.spec.Width, gradientColumns)
	spans, each := p.cut(beside, device.Ceil(n, p.spec.gradientRows()))
	return beside, spans, each * p.spec.gradientRows()
}

func (p *Input) cut(beside, tiles int) (spans, each int) {
	return cut(beside, tiles, device.Ceil(blocksOfAProcessor*p.spec.Processors, beside), p.spec.Processors*p.spec.blocks())
}

// gramCut is that of A·Aᵀ.
func (p *Input) gramCut() (beside, spans, span int) {
	spans, each := cut(1, device.Ceil(p.spec.Width, downDepth), mostGramShares, p.spec.Processors*p.spec.blocks())
	return 1, spans, each * downDepth
}

// Workspace is the bytes that Down and Gradient need for up to n rows: shares of n
// numbers of each rank, or of Width, from as many spans as a launch may have.
func (p *Input) Workspace(n int) int64 {
	blocks := blocksOfAProcessor * p.spec.Processors
	return device.Align(4 * int64(p.spec.Rank) * int64(max(blocks*downRows+n, blocks*gradientColumns+p.spec.Width)))
}

// A Mask says which numbers are dropped: those that sdk/graph/dropout drops at a probability
// of P under the keys of the adapters, two uint32 each, one behind the other in the GPU's
// memory, so that a recorded launch takes the step's. Sample and Position are int32 [n].
type Mask struct {
	Sample, Position, Keys device.Pointer
	P                      float64
}

// arguments are the kernels' last.
func (m Mask) arguments() []any {
	return []any{m.Sample, m.Position, m.Keys, uint32(dropout.Threshold(m.P))}
}

// factor is what numbers that are kept are multiplied by.
func (m Mask) factor() float32 { return float32(1 / (1 - m.P)) }

// Masks reports whether the kernels of adapters with dropout take a probability: all but
// those so near to 1 that nothing is kept.
func Masks(p float64) bool { return dropout.Threshold(p) <= math.MaxUint32 }

// Down writes h [n, Rank] = scale·x·Aᵀ; where adapters have dropout, each one's part is
// scale·dropout(x)·Aᵀ. The mask is read there alone.
func (p *Input) Down(q *device.Queue, n int, h, x, a device.Pointer, scale float32, m Mask, workspace device.Pointer) {
	if n == 0 {
		return
	}
	var mask []any
	if p.spec.Dropped > 0 {
		mask, scale = m.arguments(), scale*m.factor()
	}
	beside, spans, span := p.downCut(n)
	p.products(q, beside, spans, span, n, workspace, x, a, mask...)
	q.Launch(p.finishDown, p.finishing(n), workspace, h, scale, int32(n), int32(spans))
}

// products writes the shares of x·Aᵀ, or of dropout(x)·Aᵀ with the arguments of a mask.
func (p *Input) products(q *device.Queue, beside, spans, span, n int, shares, x, a device.Pointer, mask ...any) {
	shared := p.spec.stages(p.spec.blocks(), p.spec.downBytes()) * p.spec.downBytes()
	grid := device.Grid{X: beside, Y: spans, Threads: downThreads, Shared: shared}
	q.Launch(p.down, grid, append([]any{x, a, shares, int32(n), int32(span)}, mask...)...)
}

// Products writes x·Aᵀ for x [n, Width] as it is summed up: as so many matrices [n, Rank] of
// float32 as ProductShares says, one behind the other, whose sum it is.
func (p *Input) Products(q *device.Queue, n int, shares, x, a device.Pointer) {
	beside, spans, span := p.downCut(n)
	p.products(q, beside, spans, span, n, shares, x, a)
}

// ProductShares is how many matrices Products writes.
func (p *Input) ProductShares(n int) int {
	_, spans, _ := p.downCut(n)
	return spans
}

// Gram writes A·Aᵀ [Rank, Rank] likewise, as GramShares matrices.
func (p *Input) Gram(q *device.Queue, shares, a device.Pointer) {
	beside, spans, span := p.gramCut()
	p.products(q, beside, spans, span, p.spec.Rank, shares, a, a)
}

// GramShares is how many matrices Gram writes.
func (p *Input) GramShares() int {
	_, spans, _ := p.gramCut()
	return spans
}

// ShareBytes is the bytes of so many of these matrices of n rows.
func (p *Input) ShareBytes(n, shares int) int64 {
	return 4 * int64(n) * int64(p.spec.Rank) * int64(shares)
}

// Gradient adds dᵀ·x to dA [Rank, Width], which is float32. d is [n, Rank].
func (p *Input) Gradient(q *device.Queue, n int, dA, x, d, workspace device.Pointer) {
	p.runGradient(q, n, dA, x, d, 1, workspace)
}

// DroppedGradient adds dᵀ·dropout(x) to dA, each adapter's part of d to its own, and to dx
// [n, Width], unless that is 0, the gradient of x through dropout: the sum over adapters of
// dropout(d·A).
func (p *Input) DroppedGradient(q *device.Queue, n int, dA, dx, x, a, d device.Pointer, m Mask, workspace device.Pointer) {
	p.runGradient(q, n, dA, x, d, m.factor(), workspace, append([]any{dx, a, m.factor()}, m.arguments()...)...)
}

func (p *Input) runGradient(q *device.Queue, n int, dA, x, d device.Pointer, factor float32, workspace device.Pointer, more ...any) {
	if n == 0 {
		return
	}
	beside, spans, span := p.gradientCut(n)
	shared := p.spec.stages(p.spec.blocks(), p.spec.gradientBytes()) * p.spec.gradientBytes()
	grid := device.Grid{X: beside, Y: spans, Threads: gradientThreads, Shared: shared}
	q.Launch(p.gradient, grid, append([]any{x, d, workspace, int32(n), int32(span)}, more...)...)
	q.Launch(p.finishGradient, p.finishing(p.spec.Width), workspace, dA, factor, int32(spans))
}

// finishing is the blocks that add up shares of n times Rank numbers.
func (p *Input) finishing(n int) device.Grid {
	return device.Grid{X: device.Ceil(n*p.spec.Rank, finishThreads*finishNumbers), Threads: finishThreads}
}
