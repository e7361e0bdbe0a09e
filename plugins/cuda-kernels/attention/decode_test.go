package attention

import (
	"fmt"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/sdk/graph"
)

// TestDecode appends the keys and values of sequences to a cache and asks for the
// last token of each.
func TestDecode(t *testing.T) {
	all := masks(plainOp(4, 2, 64, 64))
	for _, w := range [][2]int{{128, 128}, {192, 128}, {6, 12}, {256, 256}} {
		all = append(all, testCase{name: fmt.Sprint(w), op: plainOp(9, 1, w[0], w[1])})
	}
	for _, c := range all {
		for _, typ := range types {
			for _, capacity := range []int{300, 3000} {
				t.Run(fmt.Sprintf("%s/%v/%d", c.name, typ, capacity), func(t *testing.T) {
					testDecode(t, c.op, typ, []int{capacity, 0, 1, 64, 129}, capacity)
				})
			}
		}
	}
}

func testDecode(t *testing.T, op graph.Attention, typ device.Type, lengths []int, capacity int) {
	b := devicetest.Open(t)
	var set device.Set
	d := NewDecoder(&set, Spec{Op: op, Type: typ})
	b.Load(&set)

	rows := 0
	var sample, position, length []int32
	for s, n := range lengths {
		for i := range n {
			sample, position = append(sample, int32(s)), append(position, int32(i))
		}
		rows += n
		length = append(length, int32(n))
	}
	// A row of no sequence, and one past the end.
	sample, position = append(sample, -1, 0), append(position, 0, int32(capacity))
	p := drawProblem(op, typ, rows+2, rows+2)

	keys, values := d.Bytes(len(lengths), capacity)
	cache := Cache{
		Keys: b.Alloc(typ, int(keys/typ.Size())), Values: b.Alloc(typ, int(values/typ.Size())),
		Sequences: len(lengths), Capacity: capacity,
	}
	d.Append(b.Queue, rows+2, b.Upload(typ, p.k), b.Upload(typ, p.v), b.UploadInts(sample), b.UploadInts(position), cache)
	q := p.q[:len(lengths)*op.Heads*op.KeyWidth]
	y := b.Alloc(typ, len(lengths)*op.Heads*op.ValueWidth)
	d.Decode(b.Queue, b.Upload(typ, q), b.Upload(device.Float32, p.sinks), b.UploadInts(length), cache, y, b.Alloc(device.Float32, int(d.Workspace(cache)/4)))
	got := b.Download(y, typ, len(lengths)*op.Heads*op.ValueWidth)
	check(t, "y", got, decodeWant(p, q, lengths), tolerance(typ))
}

// decodeWant is the attention of each sequence's last token, sequences laid end to
// end in the problem's keys and values.
func decodeWant(p *problem, q []float32, lengths []int) []float64 {
	o := &p.op
	want := make([]float64, len(lengths)*o.Heads*o.ValueWidth)
	start := 0
	for s, n := range lengths {
		for h := range o.Heads {
			kv, qa, ya := h*o.KVHeads/o.Heads, (s*o.Heads+h)*o.KeyWidth, (s*o.Heads+h)*o.ValueWidth
			row := attend(o, q[qa:qa+o.KeyWidth], p.k, p.sinks[h], kv, start, n-1)
			for i, j := range row.rows {
				for c := range o.ValueWidth {
					want[ya+c] += row.p[i] * float64(p.v[(j*o.KVHeads+kv)*o.ValueWidth+c])
				}
			}
		}
		start += n
	}
	return want
}
