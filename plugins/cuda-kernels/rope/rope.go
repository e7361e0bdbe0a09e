// Package rope holds the kernel of graph.RoPE, forward and backward: the backward
// pass is the reverse rotation.
//
// Cosines and sines are made in the kernel, once a row for all heads, from the
// position and the frequencies: a table of them in memory would have to be read, and
// to be as long as the longest document.
package rope

import (
	_ "embed"
	"strconv"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

//go:embed rope.cu
var text string

// A Spec is a rotation of x [rows, Heads·HeadWidth]: of each head, 2·Pairs columns
// from Offset on.
type Spec struct {
	Heads, HeadWidth int
	Offset, Pairs    int
	Interleaved      bool // a pair is (2i, 2i+1); else (i, i+Pairs)
	Factor           float32
	Type             device.Type
}

// A RoPE is the kernel of a Spec.
type RoPE struct {
	rows   int // of a block
	kernel *device.Kernel
}

const (
	threads = 256
	// What a block's cosines and sines may take of shared memory, in floats of each.
	tableMost = 4096
	// Numbers a thread has, about: enough to have several reads under way.
	numbersWanted = 16
	rowsMost      = 32
)

// New asks a set for the kernel of a rotation.
func New(set *device.Set, spec Spec) *RoPE {
	r := &RoPE{rows: rowsOf(spec)}
	r.kernel = set.Kernel(device.Source{Name: "rope.cu", Text: text, Defines: r.defines(spec)}, "rotate")
	return r
}

// rowsOf is how many rows a block has: as many as give its threads enough to do.
func rowsOf(s Spec) int {
	n := threads * numbersWanted / (s.Heads * s.HeadWidth)
	if s.Pairs > 0 {
		n = min(n, tableMost/s.Pairs)
	}
	return max(1, min(n, rowsMost))
}

func (r *RoPE) defines(s Spec) []string {
	size := s.Type.Size()
	// Interleaved pairs lie together in up to 16 bytes, as far as heads are aligned.
	together := rows.Vector(size, s.HeadWidth, s.Offset, 2*s.Pairs)
	pairs := max(1, together/2)
	if !s.Interleaved {
		pairs = rows.Vector(size, s.HeadWidth, s.Offset, s.Pairs)
	}
	return []string{
		rows.DefineType("TYPE", s.Type), rows.Define("HEADS", s.Heads), rows.Define("HEAD", s.HeadWidth),
		rows.Define("OFFSET", s.Offset), rows.Define("HALF", s.Pairs), rows.DefineFlag("INTERLEAVED", s.Interleaved),
		"FACTOR=" + strconv.FormatFloat(float64(s.Factor), 'e', -1, 32) + "f",
		rows.Define("ROWS", r.rows), rows.DefineFlag("TABLE", s.Pairs > 0 && s.Pairs <= tableMost),
		rows.Define("PAIRS", pairs), rows.Define("TOGETHER", together),
		rows.Define("PASS", rows.Vector(size, s.HeadWidth, s.Offset, 2*s.Pairs)),
	}
}

// Forward writes y, the rotated x; y may be x. freq is float32 [pairs], position
// int32 [rows].
func (r *RoPE) Forward(q *device.Queue, rows int, y, x, freq, position device.Pointer) {
	r.rotate(q, rows, y, x, freq, position, 1, false)
}

// Backward writes or adds the gradient of x, which is dy rotated back. dx may be dy
// where it is written.
func (r *RoPE) Backward(q *device.Queue, rows int, dx, dy, freq, position device.Pointer, accumulate bool) {
	r.rotate(q, rows, dx, dy, freq, position, -1, accumulate)
}

func (r *RoPE) rotate(q *device.Queue, n int, y, x, freq, position device.Pointer, sign float32, accumulate bool) {
	grid := device.Grid{X: (n + r.rows - 1) / r.rows, Threads: threads}
	q.Launch(r.kernel, grid, y, x, position, freq, int64(n), sign, rows.Flag(accumulate))
}
