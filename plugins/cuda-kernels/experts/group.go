package experts

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

//go:embed group.cu
var groupText string

// share is how many slots a block counts.
const share = 1024

// A Grouping sorts slots by expert, for products of a type.
type Grouping struct {
	experts, slots int // slots of a token
	tile           int
	count          *device.Kernel
	scan           *device.Kernel
	place          *device.Kernel
}

// NewGrouping is for tokens of so many slots.
func NewGrouping(set *device.Set, experts, slots int, t device.Type) *Grouping {
	g := &Grouping{experts: experts, slots: slots, tile: tileRows(t)}
	source := device.Source{Name: "group.cu", Text: groupText, Defines: []string{
		rows.Define("EXPERTS", experts), rows.Define("SHARE", share), rows.Define("TILE", g.tile),
	}}
	g.count, g.scan, g.place = set.Kernel(source, "group_count"), set.Kernel(source, "group_scan"), set.Kernel(source, "group_place")
	return g
}

// Groups are the slots of a batch by expert, as group.cu has them.
type Groups struct {
	order, offsets, tiles device.Pointer
	slots                 int // of all tokens
	most                  int // tiles, at most
}

// mostTiles is the most tiles that so many slots come to: one for each expert that has
// a slot, and one more for each whole tile of the others.
func (g *Grouping) mostTiles(slots int) int {
	used := min(g.experts, slots)
	return used + (slots-used)/g.tile
}

// pieces are the bytes of order, offsets and tiles.
func (g *Grouping) pieces(slots int) [3]int64 {
	return [3]int64{device.Align(4 * int64(slots)), device.Align(4 * int64(g.experts+1)), device.Align(8 * int64(g.mostTiles(slots)))}
}

// Bytes is the memory of the Groups of so many tokens.
func (g *Grouping) Bytes(rowCount int) int64 {
	total := int64(0)
	for _, n := range g.pieces(rowCount * g.slots) {
		total += n
	}
	return total
}

// At are the Groups of so many tokens that lie, or will lie, at an address.
func (g *Grouping) At(at device.Pointer, rowCount int) Groups {
	slots := rowCount * g.slots
	n := g.pieces(slots)
	return Groups{order: at, offsets: at.Offset(n[0]), tiles: at.Offset(n[0] + n[1]), slots: slots, most: g.mostTiles(slots)}
}

// Workspace is the bytes that Group needs.
func (g *Grouping) Workspace(rowCount int) int64 {
	return 4 * int64(device.Ceil(rowCount*g.slots, share)) * int64(g.experts)
}

// Group fills the Groups in by the experts of the slots, int32 [rows, slots].
func (g *Grouping) Group(q *device.Queue, to Groups, indices, workspace device.Pointer) {
	shares := device.Ceil(to.slots, share)
	q.Launch(g.count, device.Grid{X: shares, Threads: 256}, workspace, indices, int32(to.slots))
	q.Launch(g.scan, device.Grid{X: 1, Threads: 1024}, workspace, to.offsets, to.tiles, int32(shares), int32(to.most))
	q.Launch(g.place, device.Grid{X: shares, Threads: 32}, to.order, workspace, indices, int32(to.slots))
}
