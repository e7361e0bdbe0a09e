package adapter

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

//go:embed passes.cuh
var passesText string

//go:embed backward.cu
var backwardText string

// A Spec is d = scale·dy·B and dB += dyᵀ·h for dy [rows, width] and B [width, Rank] of each of
// some adapters, whose parts of h and d lie beside each other.
type Spec struct {
	Type       device.Type // of dy, B, h and d: BFloat16 or Float16
	Widths     []int       // of each adapter: up to MostOutputs
	Rank       int         // of each
	Shared     int         // shared memory that a block may have; 0: what all GPUs have
	Processors int         // multiprocessors of the GPU
}

// MostOutputs is the most adapters that a Backward is for.
const MostOutputs = 4

// How backward.cu is cut up.
const (
	tileRows    = 32
	tileColumns = 512
	threads     = 256
	mostStages  = 4
	mostRank    = 32 // whose sums fit into a thread's registers
	rankOfTwo   = 16 // up to which two blocks' do
)

// mostWorkspace is more than any linear of a layer needs, and less than what the output of
// a vocabulary would.
const mostWorkspace = 96 << 20

// stages is how many tiles are under way in a block's shared memory.
func (s Spec) stages(blocks int) int {
	shared := s.Shared
	if shared == 0 {
		shared = 48 << 10
	}
	return min(mostStages, (shared/blocks-s.partsBytes()-1024)/s.stageBytes())
}

// blocks is how many a multiprocessor has at a time: two where they fit, for one then
// computes while the other waits.
func (s Spec) blocks() int {
	if s.Rank <= rankOfTwo && s.stages(2) >= 2 {
		return 2
	}
	return 1
}

func (s Spec) stageBytes() int { return 2 * tileRows * (tileColumns + 8 + s.Rank + 8) }

// partsBytes is the warps' parts of d.
func (s Spec) partsBytes() int { return threads / 32 * tileRows * s.Rank * 4 }

// Runs reports whether there is a kernel for a Spec.
func Runs(s Spec) bool {
	return s.Type != device.Float32 && s.Rank > 0 && s.Rank%8 == 0 && s.Rank <= mostRank && len(s.Widths) > 0 && len(s.Widths) <= MostOutputs &&
		!slices.ContainsFunc(s.Widths, func(width int) bool { return width%8 != 0 }) && s.Processors > 0 && s.stages(1) >= 2
}

// columns is how many blocks share the columns of all adapters.
func (s Spec) columns() int {
	count := 0
	for _, width := range s.Widths {
		count += device.Ceil(width, tileColumns)
	}
	return count
}

// width is the columns of all adapters.
func (s Spec) width() int {
	sum := 0
	for _, width := range s.Widths {
		sum += width
	}
	return sum
}

// A Backward is the kernels of a Spec.
type Backward struct {
	spec          Spec
	share, finish *device.Kernel
}

// New asks a set for the kernels.
func New(set *device.Set, s Spec) *Backward {
	widths := make([]string, MostOutputs)
	for i := range widths {
		widths[i] = "0"
		if i < len(s.Widths) {
			widths[i] = strconv.Itoa(s.Widths[i])
		}
	}
	source := device.Source{
		Name: "backward.cu", Text: device.Include + device.PTX + passesText + backwardText,
		Defines: []string{
			rows.DefineType("TYPE", s.Type), rows.DefineFlag("BF16", s.Type == device.BFloat16),
			rows.Define("ADAPTERS", len(s.Widths)), "WIDTHS=" + strings.Join(widths, ","), rows.Define("RANK", s.Rank), rows.Define("STAGES", s.stages(s.blocks())), rows.Define("BLOCKS", s.blocks()),
		},
	}
	return &Backward{spec: s, share: set.Kernel(source, "share"), finish: set.Kernel(source, "finish")}
}

// cut is how many blocks share the columns, into how many spans rows are cut, and how
// long those are.
func (b *Backward) cut(n int) (columns, spans, span int) {
	columns = b.spec.columns()
	spans, each := cut(columns, device.Ceil(n, tileRows), b.mostSpans(), b.spec.Processors*b.spec.blocks())
	return columns, spans, each * tileRows
}

// cut cuts tiles, one behind the other, into at most some spans, each for so many blocks
// beside each other: so that no multiprocessor has much more to do than the others, and
// shares are few. atOnce is how many blocks the GPU has at a time; each is the tiles of
// a span.
func cut(beside, tiles, most, atOnce int) (spans, each int) {
	least := 0.0
	for long := device.Ceil(tiles, most); long <= tiles; long++ {
		count := device.Ceil(tiles, long)
		rounds := device.Ceil(beside*count, atOnce)
		// A block's beginning and end, and adding its shares up, take as long as some
		// tiles.
		cost := float64(rounds)*(float64(long)+3) + 0.1*float64(count)
		if least == 0 || cost < least {
			least, spans, each = cost, count, long
		}
	}
	return spans, each
}

// mostSpans is as many as give each multiprocessor four blocks.
func (b *Backward) mostSpans() int {
	return device.Ceil(4*b.spec.Processors, b.spec.columns())
}

// Workspace is the bytes that Run needs for up to n rows.
func (b *Backward) Workspace(n int) int64 {
	return b.ofD(n) + device.Align(int64(b.mostSpans())*int64(b.spec.width())*int64(b.spec.Rank)*4)
}

// ofD is the bytes of the shares of d.
func (b *Backward) ofD(n int) int64 {
	return device.Align(int64(b.spec.columns()) * int64(n) * int64(b.spec.Rank) * 4)
}

// Most is the most bytes that Run needs for as many as n rows, or for fewer, where it
// wins.
func (b *Backward) Most(n int) int64 { return min(b.Workspace(n), mostWorkspace) }

// Wins reports whether there are kernels, and the shares of n rows are small enough for
// them to be worth it.
func (b *Backward) Wins(n int) bool {
	return b != nil && n >= tileRows && b.Workspace(n) <= mostWorkspace
}

// A Matrix is one whose rows lie Stride numbers apart.
type Matrix struct {
	At     device.Pointer
	Stride int
}

// An Output is what an adapter has to do with what its linear gives: the gradient of that, B,
// and B's gradient, float32.
type Output struct{ DY, B, DB device.Pointer }

// Run writes d [n, adapters·Rank] and adds to each dB [width, Rank] from h [n, adapters·Rank]
// and the adapters' outputs, as many as Widths.
func (b *Backward) Run(q *device.Queue, n int, d, h Matrix, of []Output, scale float32, workspace device.Pointer) {
	if n == 0 {
		return
	}
	columns, spans, span := b.cut(n)
	shares := workspace.Offset(b.ofD(n))
	var all [MostOutputs]Output
	copy(all[:], of)
	grid := device.Grid{X: columns, Y: spans, Threads: threads, Shared: b.spec.partsBytes() + b.spec.stages(b.spec.blocks())*b.spec.stageBytes()}
	q.Launch(b.share, grid, all[0].DY, all[1].DY, all[2].DY, all[3].DY, all[0].B, all[1].B, all[2].B, all[3].B, h.At, workspace, shares,
		int32(n), int32(h.Stride), int32(span))
	numbers := (n*len(b.spec.Widths) + b.spec.width()) * b.spec.Rank
	q.Launch(b.finish, device.Grid{X: device.Ceil(numbers, 4*256), Threads: 256}, workspace, shares, d.At, all[0].DB, all[1].DB, all[2].DB, all[3].DB,
		scale, int32(n), int32(d.Stride), int32(spans))
}
