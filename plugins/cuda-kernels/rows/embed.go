package rows

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed embed.cu
var embedText string

// An Embed looks rows of a table up, as graph.Embed does.
type Embed struct {
	pieces                     int64
	forward, overlay, backward *device.Kernel
}

// NewEmbed is for a table [vocabulary, width] of a type and y [rows, width] of
// another.
func NewEmbed(set *device.Set, width int, table, y device.Type) *Embed {
	vector := Vector(max(table.Size(), y.Size()), width)
	source := device.Source{Name: "embed.cu", Text: embedText, Defines: []string{
		DefineType("TABLE_TYPE", table), DefineType("Y_TYPE", y), Define("WIDTH", width), Define("VEC", vector),
	}}
	return &Embed{
		pieces:  int64(width / vector),
		forward: set.Kernel(source, "forward"), overlay: set.Kernel(source, "overlay"), backward: set.Kernel(source, "backward"),
	}
}

// Forward is y[t] = scale·table[id[t]]. The ids are those of the table's rows.
func (e *Embed) Forward(q *device.Queue, rows int, y, table, id device.Pointer, scale float32) {
	q.Launch(e.forward, Blocks(int64(rows)*e.pieces), y, table, id, int64(rows), scale)
}

// An Own is rows of one's own in a table: Count ids, ascending, int32.
type Own struct {
	IDs   device.Pointer
	Count int
}

// Overlay is y[t] = scale·table[k] where id[t] is own.IDs[k]; other rows of y stay as they
// are. The table is [own.Count, width].
func (e *Embed) Overlay(q *device.Queue, rows int, y, table, id device.Pointer, own Own, scale float32) {
	q.Launch(e.overlay, Blocks(int64(rows)*e.pieces), y, table, id, own.IDs, int32(own.Count), int64(rows), scale)
}

// Backward adds scale·dy[t] to the row id[t] of d, [vocabulary, width] float32, but not to
// those rows that are replaced by some of one's own. first and next are what [Chains]
// makes of the ids.
func (e *Embed) Backward(q *device.Queue, rows int, d, dy, id, first, next device.Pointer, replaced Own, scale float32) {
	e.back(q, rows, d, dy, id, first, next, replaced, false, scale)
}

// OverlayBackward adds scale·dy[t] to row k of d, [own.Count, width] float32, where id[t]
// is own.IDs[k].
func (e *Embed) OverlayBackward(q *device.Queue, rows int, d, dy, id, first, next device.Pointer, own Own, scale float32) {
	e.back(q, rows, d, dy, id, first, next, own, true, scale)
}

func (e *Embed) back(q *device.Queue, rows int, d, dy, id, first, next device.Pointer, o Own, own bool, scale float32) {
	q.Launch(e.backward, Blocks(int64(rows)*e.pieces), d, dy, id, first, next, o.IDs, int32(o.Count), Flag(own), int64(rows), scale)
}

// Chains links rows with the same id, for [Embed.Backward]: first[t] is 1 where t is
// the first row with its id, else 0; next[t] is the next row with t's id, or −1.
// first and next have room for the ids of a whole bucket: the rows beyond the ids
// are in no chain.
func Chains(first, next, ids []int32) {
	last := make(map[int32]int, len(ids))
	for t := range first {
		first[t], next[t] = 0, -1
		if t >= len(ids) {
			continue
		}
		if before, ok := last[ids[t]]; ok {
			next[before] = int32(t)
		} else {
			first[t] = 1
		}
		last[ids[t]] = t
	}
}
