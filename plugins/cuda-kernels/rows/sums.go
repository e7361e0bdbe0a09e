package rows

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed sums.cu
var sumsText string

// Sums adds up the rows of a matrix [rows, columns] in two stages. The first is a
// kernel of whoever uses it: its grid is Grid, of tiles of columns by parts of the
// rows, and it writes what each part adds up to into parts, float32 [parts,
// columns·per], where per numbers come of a column. The second is Add.
//
// The first stage's blocks have Across threads for a tile's columns, Vector columns
// each, and Down threads for every Down-th row of a part; Defines are these for the
// kernel: COLUMNS, VEC, ACROSS, DOWN.
type Sums struct {
	Columns, Vector, Across, Down int
	per                           int
	add                           *device.Kernel
}

// partsAtMost bounds the parts, and with blocksAimed the workspace; both are enough
// to fill a GPU.
const (
	partsAtMost = 512
	blocksAimed = 2048
)

// NewSums is for rows of so many columns, of which a thread takes vector at once and
// makes per numbers each.
func NewSums(set *device.Set, columns, vector, per int) *Sums {
	s := &Sums{Columns: columns, Vector: vector, Across: 1, per: per}
	for s.Across < 32 && s.Across*vector < columns {
		s.Across *= 2
	}
	s.Down = threads / s.Across
	s.add = set.Kernel(device.Source{
		Name: "sums.cu", Text: sumsText, Defines: []string{Define("COLUMNS", columns*per)},
	}, "add_parts")
	return s
}

// Defines are the macros that the first stage is specialised by.
func (s *Sums) Defines() []string {
	return []string{
		Define("COLUMNS", s.Columns), Define("VEC", s.Vector), Define("ACROSS", s.Across), Define("DOWN", s.Down),
	}
}

func (s *Sums) tiles() int64 { return device.Ceil(int64(s.Columns), int64(s.Across*s.Vector)) }

// Parts is how many parts so many rows are cut into.
func (s *Sums) Parts(rows int64) int64 {
	return max(1, min(device.Ceil(rows, int64(4*s.Down)), partsAtMost, blocksAimed/s.tiles()))
}

// Share is how many rows each part has; the last ones may have fewer, or none.
func (s *Sums) Share(rows int64) int64 { return device.Ceil(rows, s.Parts(rows)) }

// Grid is that of the first stage: tiles by parts.
func (s *Sums) Grid(rows int64) device.Grid {
	return device.Grid{X: int(s.tiles()), Y: int(s.Parts(rows)), Threads: threads}
}

// Workspace is the bytes of the parts.
func (s *Sums) Workspace(rows int64) int64 { return 4 * s.Parts(rows) * int64(s.Columns*s.per) }

// Add is y += factor·Σ parts; y is float32 [columns·per].
func (s *Sums) Add(q *device.Queue, rows int64, y, parts device.Pointer, factor float32) {
	grid := device.Grid{X: int(device.Ceil(int64(s.Columns*s.per), 32)), Threads: threads}
	q.Launch(s.add, grid, y, parts, int32(s.Parts(rows)), factor)
}
