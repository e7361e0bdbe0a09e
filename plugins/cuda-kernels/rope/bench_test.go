package rope_test

import (
	"fmt"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rope"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

func BenchmarkRoPE(b *testing.B) {
	const rows, widest = 16384, 4096
	bench := devicetest.Open(b)
	x, y := bench.Alloc(device.Float32, rows*widest), bench.Alloc(device.Float32, rows*widest)
	freq, position := bench.Upload(device.Float32, frequencies(64)), bench.UploadInts(positions(rows))
	set := &device.Set{}
	var tasks []rowstest.Task
	for _, s := range []rope.Spec{
		{Heads: 32, HeadWidth: 128, Pairs: 64, Factor: 1},
		{Heads: 32, HeadWidth: 128, Pairs: 64, Factor: 1, Interleaved: true},
		{Heads: 8, HeadWidth: 128, Pairs: 64, Factor: 1},
		{Heads: 9, HeadWidth: 64, Pairs: 32, Factor: 1},
		{Heads: 32, HeadWidth: 96, Pairs: 24, Factor: 1},
	} {
		for _, t := range []device.Type{device.BFloat16, device.Float32} {
			s.Type = t
			r := rope.New(set, s)
			bytes := int64(rows*s.Heads*s.HeadWidth) * t.Size()
			name := fmt.Sprintf("%d heads of %d, %d pairs/%v/", s.Heads, s.HeadWidth, s.Pairs, t)
			if s.Interleaved {
				name += "interleaved/"
			}
			tasks = append(tasks,
				rowstest.Task{Name: name + "out of place", Bytes: 2 * bytes, Run: func() {
					r.Forward(bench.Queue, rows, y, x, freq, position)
				}},
				rowstest.Task{Name: name + "in place", Bytes: 2 * bytes, Run: func() {
					r.Forward(bench.Queue, rows, x, x, freq, position)
				}},
			)
		}
	}
	bench.Load(set)
	rowstest.Rates(b, bench, tasks)
}
