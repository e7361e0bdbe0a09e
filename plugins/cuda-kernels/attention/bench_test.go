package attention

import (
	"cmp"
	"fmt"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/sdk/graph"
)

// A benchmark is documents of equal length.
type benchmark struct {
	documents, length int
	op                graph.Attention
	t                 device.Type
}

func benchmarks() []benchmark {
	var all []benchmark
	for _, s := range [][2]int{{4, 2048}, {1, 8192}, {1, 16384}, {64, 128}} {
		all = append(all, benchmark{s[0], s[1], plainOp(32, 8, 128, 128), device.BFloat16})
	}
	return append(all,
		benchmark{4, 2048, plainOp(32, 8, 64, 64), device.BFloat16},
		benchmark{4, 2048, plainOp(16, 16, 192, 128), device.BFloat16},
		benchmark{4, 2048, plainOp(8, 4, 256, 256), device.BFloat16},
		benchmark{4, 2048, plainOp(32, 8, 128, 128), device.Float16},
		benchmark{2, 2048, plainOp(8, 2, 128, 128), device.Float32},
	)
}

func (m benchmark) String() string {
	return fmt.Sprintf("%dx%d, %d heads of %d and %d, %v", m.documents, m.length, m.op.Heads, m.op.KeyWidth, m.op.ValueWidth, m.t)
}

// flops are of the forward pass, as is usual for causal attention: half of the
// square of each document.
func (m benchmark) flops() float64 {
	pairs := float64(m.documents) * float64(m.length) * float64(m.length) / 2
	return 2 * pairs * float64(m.op.Heads) * float64(m.op.KeyWidth+m.op.ValueWidth)
}

// BenchmarkPasses prints TFLOP/s; a backward pass counts as 2.5 forward passes,
// whatever it computes anew, but the gradients of keys with values, and of queries, by
// themselves as the products that their kernels compute, 2 and 1.5.
func BenchmarkPasses(b *testing.B) {
	for _, m := range benchmarks() {
		for _, arch := range []string{"", device.HopperArch} {
			b.Run(fmt.Sprintf("%v/%s", m, cmp.Or(arch, "any")), func(b *testing.B) {
				bench := devicetest.Open(b)
				spec := Spec{Op: m.op, Type: m.t, Shared: large, Arch: arch}
				if arch != "" && (bench.GPU.Arch() != arch || !spec.onHopper()) {
					b.Skip("no kernels of its own")
				}
				m.run(b, bench, spec)
			})
		}
	}
}

func (m benchmark) run(b *testing.B, bench *devicetest.Bench, spec Spec) {
	p := drawProblem(m.op, m.t, m.documents*m.length, 1)
	for i := range p.start {
		p.start[i] = int32(i / m.length * m.length)
		p.end[i] = p.start[i] + int32(m.length)
	}
	tr := newTrial(bench, spec, p)
	tr.forward()
	report := func(name string, products float64, f func()) {
		b.ReportMetric(products*m.flops()/bench.Seconds(20, f)/1e12, name+"-TFLOP/s")
	}
	all := tr.gradients
	report("forward", 1, tr.forward)
	report("backward", 2.5, tr.backward)
	tr.gradients = Gradients{K: all.K, V: all.V}
	report("keys", 2, tr.backward)
	tr.gradients = Gradients{Q: all.Q}
	report("queries", 1.5, tr.backward)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDecode prints the rate at which the cache is read.
func BenchmarkDecode(b *testing.B) {
	for _, s := range [][2]int{{1, 2048}, {1, 32768}, {32, 2048}, {64, 8192}} {
		b.Run(fmt.Sprintf("%d sequences of %d", s[0], s[1]), func(b *testing.B) {
			bench := devicetest.Open(b)
			op := plainOp(32, 8, 128, 128)
			var set device.Set
			d := NewDecoder(&set, Spec{Op: op, Type: device.BFloat16})
			bench.Load(&set)
			keys, values := d.Bytes(s[0], s[1])
			zeros := func(bytes int64) device.Pointer {
				p := bench.Alloc(device.BFloat16, int(bytes/2))
				bench.Zero(p, bytes)
				return p
			}
			cache := Cache{Keys: zeros(keys), Values: zeros(values), Sequences: s[0], Capacity: s[1]}
			length := make([]int32, s[0])
			for i := range length {
				length[i] = int32(s[1])
			}
			n := s[0] * op.Heads * 128
			lengths, q, y, work := bench.UploadInts(length), zeros(int64(n)*2), zeros(int64(n)*2), zeros(d.Workspace(cache))
			seconds := bench.Seconds(20, func() { d.Decode(bench.Queue, q, 0, lengths, cache, y, work) })
			b.ReportMetric(float64(keys+values)/seconds/1e9, "GB/s")
			b.ReportMetric(seconds*1e6, "us")
			b.ReportMetric(0, "ns/op")
		})
	}
}
