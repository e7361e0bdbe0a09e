package attention

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// tiles is how a kernel on tensor cores is cut up.
type tiles struct {
	queries, keys int // rows of a tile of each
	queryTiles    int // tiles of 16 queries that a warp has
	split         int // warps that share 16 keys
	stages        int // tiles in shared memory that arrive or are computed with
	pad           int // what widths are rounded up to a multiple of
	threads       int
	shared        int // bytes
}

func (t tiles) defines() []string {
	return []string{
		define("QUERIES", t.queries), define("KEYS", t.keys), define("QUERY_TILES", t.queryTiles),
		define("SPLIT", t.split), define("STAGES", t.stages), define("PAD", t.pad),
	}
}

// choose finds out which kernels the operation runs on, and in which tiles.
func (a *Attention) choose() {
	o := a.spec.Op
	if a.spec.Type == device.Float32 || o.KeyWidth%8 != 0 || o.ValueWidth%8 != 0 || max(o.KeyWidth, o.ValueWidth) > 256 {
		return
	}
	forward, ok1 := first(a.spec, forwardCandidates, sizeForward)
	keys, ok2 := first(a.spec, keyCandidates, sizeKeys)
	queries, ok3 := first(a.spec, queryCandidates, sizeQueries)
	a.flash = ok1 && ok2 && ok3
	a.forwardTiles, a.keyTiles, a.queryTiles = forward, keys, queries
}

// first is the first candidate that fits into a block's shared memory and a
// thread's registers.
func first(s Spec, candidates []tiles, size func(s Spec, t *tiles) (registers int)) (tiles, bool) {
	for _, t := range candidates {
		if registers := size(s, &t); t.shared <= s.Shared && registers <= maxRegisters {
			return t, true
		}
	}
	return tiles{}, false
}

// maxRegisters is how many numbers a thread's tiles may take of its 255 registers:
// the others are for addresses, masks and operands.
const maxRegisters = 216

// The candidates, the fastest first.
var (
	forwardCandidates = []tiles{
		{queries: 128, keys: 64, queryTiles: 2, split: 1, stages: 1, pad: 16},
		{queries: 128, keys: 48, queryTiles: 2, split: 1, stages: 1, pad: 16},
		{queries: 64, keys: 64, queryTiles: 1, split: 1, stages: 1, pad: 16},
		{queries: 64, keys: 32, queryTiles: 1, split: 1, stages: 1, pad: 16},
	}
	keyCandidates = []tiles{
		{queries: 64, keys: 128, queryTiles: 1, split: 1, stages: 2, pad: 16},
		{queries: 32, keys: 128, queryTiles: 1, split: 1, stages: 2, pad: 16},
		{queries: 32, keys: 128, queryTiles: 1, split: 1, stages: 1, pad: 16},
		{queries: 32, keys: 64, queryTiles: 1, split: 1, stages: 1, pad: 16},
		{queries: 32, keys: 64, queryTiles: 1, split: 2, stages: 2, pad: 32},
		{queries: 32, keys: 64, queryTiles: 1, split: 2, stages: 1, pad: 32},
		{queries: 16, keys: 64, queryTiles: 1, split: 2, stages: 1, pad: 32},
	}
	queryCandidates = []tiles{
		{queries: 128, keys: 32, queryTiles: 2, split: 1, stages: 2, pad: 16},
		{queries: 128, keys: 32, queryTiles: 2, split: 1, stages: 1, pad: 16},
		{queries: 64, keys: 32, queryTiles: 1, split: 1, stages: 2, pad: 16},
		{queries: 64, keys: 32, queryTiles: 1, split: 1, stages: 1, pad: 16},
		{queries: 64, keys: 16, queryTiles: 1, split: 1, stages: 1, pad: 16},
	}
)

// columns are a head's widths as tiles hold them.
func (s Spec) columns(t *tiles) (key, value int) {
	return device.Ceil(s.Op.KeyWidth, t.pad) * t.pad, device.Ceil(s.Op.ValueWidth, t.pad) * t.pad
}

// padding is what a row has beside its columns; tile.cuh says why.
const padding = 8

// sizeForward: queries, keys and values once; a thread has the result and the
// scores, and reads wide keys ahead.
func sizeForward(s Spec, t *tiles) (registers int) {
	key, value := s.columns(t)
	t.threads = t.queries / t.queryTiles / 16 * 32
	t.shared = 2 * ((t.queries+t.keys)*(key+padding) + t.keys*(value+padding))
	return t.queryTiles*(value/2+t.keys/2) + key/6
}

// sizeKeys: keys and values once, a tile of queries for each stage with two floats
// a row; a thread has dk and dv, and the tile's probabilities and their gradients.
func sizeKeys(s Spec, t *tiles) (registers int) {
	key, value := s.columns(t)
	t.threads = t.keys / 16 * t.split * 32
	row := 2 * (key + value + 2*padding)
	t.shared = t.keys*row + t.stages*t.queries*(row+8)
	return (key+value)/2/t.split + t.queries + t.queries/4
}

// sizeQueries: queries and dy once, keys and values for each stage; a thread has
// dq, and the tile's probabilities and their gradients.
func sizeQueries(s Spec, t *tiles) (registers int) {
	key, value := s.columns(t)
	t.threads = t.queries / t.queryTiles / 16 * 32
	t.shared = 2 * (t.queries + t.stages*t.keys) * (key + value + 2*padding)
	return t.queryTiles * (key/2 + t.keys)
}

// side is the rows of a tile of the plain kernels.
const side = 64

// plainColumns is how many columns of a result a block of the plain kernels has.
func (s Spec) plainColumns() int {
	for columns := 16; columns < 128; columns *= 2 {
		if max(s.Op.KeyWidth, s.Op.ValueWidth) <= columns {
			return columns
		}
	}
	return 128
}

func (a *Attention) plainDefines() []string {
	return []string{define("COLUMNS", a.spec.plainColumns())}
}

// sinkBlocks is in how many shares the sum over rows is cut that a sink's gradient
// is.
const sinkBlocks = 64

func (a *Attention) deltaDefines() []string {
	width := a.spec.Op.ValueWidth
	vector := vectorOf(a.spec.Type, width)
	return []string{define("VECTOR", vector), define("LANES", deltaLanes(width, vector)), define("SINK_BLOCKS", sinkBlocks)}
}

// deltaLanes is how many threads share a row of a head: as many as have something
// to read, a power of 2 up to a warp.
func deltaLanes(width, vector int) int {
	lanes := 1
	for lanes < 32 && lanes*vector < width {
		lanes *= 2
	}
	return lanes
}

// vectorOf is how many numbers of a head are read at once: 16 bytes of them, where
// the width allows.
func vectorOf(t device.Type, width int) int {
	vector := int(16 / t.Size())
	for width%vector != 0 {
		vector /= 2
	}
	return vector
}
