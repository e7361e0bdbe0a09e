package attention

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// A Decoder is attention of one new token a sequence over a cache.
type Decoder struct {
	spec    Spec
	atOnce  int // heads of a group that a block has
	decode  *device.Kernel
	combine *device.Kernel
	append  *device.Kernel
}

// A Cache is the keys [Sequences, Capacity, KVHeads·KeyWidth] and values
// [Sequences, Capacity, KVHeads·ValueWidth] of tokens so far.
type Cache struct {
	Keys, Values        device.Pointer
	Sequences, Capacity int
}

// NewDecoder asks a set for the kernels.
func NewDecoder(set *device.Set, spec Spec) *Decoder {
	d := &Decoder{spec: spec, atOnce: headsAtOnce(spec)}
	source := device.Source{Name: "attention/decode.cu", Text: maskText + decodeText, Defines: append(spec.defines(),
		define("HEADS_AT_ONCE", d.atOnce), define("VECTOR", vectorOf(spec.Type, spec.Op.KeyWidth)))}
	d.decode = set.Kernel(source, "attention_decode")
	d.combine = set.Kernel(source, "attention_combine")
	d.append = set.Kernel(source, "attention_append")
	return d
}

// headsAtOnce is how many heads of a group a block has: up to 8, or as many as
// leave room for their queries in shared memory and their results in registers.
func headsAtOnce(s Spec) int {
	n := min(8, s.Op.Heads/s.Op.KVHeads)
	for n > 1 && (n*s.Op.KeyWidth*4 > 32<<10 || n*device.Ceil(s.Op.ValueWidth, 128) > 32) {
		n--
	}
	return n
}

// Bytes are the sizes of a cache's keys and values.
func (d *Decoder) Bytes(sequences, capacity int) (keys, values int64) {
	tokens := int64(sequences) * int64(capacity) * int64(d.spec.Op.KVHeads) * d.spec.Type.Size()
	return tokens * int64(d.spec.Op.KeyWidth), tokens * int64(d.spec.Op.ValueWidth)
}

// Append writes k [rows, KVHeads·KeyWidth] and v [rows, KVHeads·ValueWidth] to the
// cache, each row where sample and position, int32 [rows], say. Rows whose sample is
// no sequence, as −1 is none, and positions beyond the capacity are passed over.
func (d *Decoder) Append(q *device.Queue, rows int, k, v, sample, position device.Pointer, cache Cache) {
	q.Launch(d.append, device.Grid{X: rows, Threads: 128}, k, v, sample, position, cache.Keys, cache.Values,
		int32(cache.Sequences), int32(cache.Capacity))
}

// shares is in how many parts a sequence's keys are cut: of 256 keys or more, and
// no more than fill a large GPU.
func (d *Decoder) shares(cache Cache) int {
	blocks := max(1, d.blocks()*cache.Sequences)
	return max(1, min(device.Ceil(cache.Capacity, 256), device.Ceil(1056, blocks)))
}

func (d *Decoder) blocks() int {
	return d.spec.Op.KVHeads * device.Ceil(d.spec.Op.Heads/d.spec.Op.KVHeads, d.atOnce)
}

// Workspace is the bytes that Decode needs.
func (d *Decoder) Workspace(cache Cache) int64 {
	results, limits := d.sizes(cache)
	return results + limits
}

func (d *Decoder) sizes(cache Cache) (results, limits int64) {
	n := int64(cache.Sequences) * int64(d.spec.Op.Heads) * int64(d.shares(cache)) * 4
	return device.Align(n * int64(d.spec.Op.ValueWidth)), device.Align(n * 2)
}

// Decode computes y [Sequences, Heads·ValueWidth] for queries [Sequences,
// Heads·KeyWidth], each at the last of its sequence's lengths[i] tokens, whose keys
// and values are all in the cache. Lengths are int32 [Sequences]; a sequence of
// length 0 gives zeros. Sinks is as in Inputs.
func (d *Decoder) Decode(q *device.Queue, queries, sinks, lengths device.Pointer, cache Cache, y, workspace device.Pointer) {
	if cache.Sequences == 0 {
		return
	}
	shares := d.shares(cache)
	results, _ := d.sizes(cache)
	limits := workspace.Offset(results)
	grid := device.Grid{X: d.blocks(), Y: shares, Z: cache.Sequences, Threads: 128}
	q.Launch(d.decode, grid, queries, cache.Keys, cache.Values, lengths, workspace, limits, int32(cache.Capacity), int32(shares))
	grid = device.Grid{X: d.spec.Op.Heads, Y: cache.Sequences, Threads: 128}
	q.Launch(d.combine, grid, workspace, limits, sinks, y, int32(shares))
}
