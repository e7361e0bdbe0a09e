package norm_test

import (
	"fmt"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/norm"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

func BenchmarkNorm(b *testing.B) {
	const rows, widest = 16384, 8192
	bench := devicetest.Open(b)
	x, y := bench.Alloc(device.Float32, rows*widest), bench.Alloc(device.Float32, rows*widest)
	dx := bench.Alloc(device.Float32, rows*widest)
	weight, gradient := bench.Alloc(device.Float32, widest), bench.Alloc(device.Float32, widest)
	set := &device.Set{}
	var tasks []rowstest.Task
	for _, c := range []struct {
		name string
		spec norm.Spec
	}{
		{"4096", norm.Spec{Width: 4096, Groups: 1, Weight: 4096}},
		{"2048", norm.Spec{Width: 2048, Groups: 1, Weight: 2048}},
		{"8192", norm.Spec{Width: 8192, Groups: 1, Weight: 8192}},
		{"576", norm.Spec{Width: 576, Groups: 1, Weight: 576}},
		{"layer 4096", norm.Spec{Width: 4096, Groups: 1, Weight: 4096, Bias: 4096, Centre: true}},
		{"heads 32x128", norm.Spec{Width: 4096, Groups: 32, Weight: 128}},
	} {
		for _, t := range []device.Type{device.BFloat16, device.Float32} {
			c.spec.X, c.spec.Y, c.spec.Epsilon, c.spec.TrainWeight = t, t, 1e-5, true
			n := norm.New(set, c.spec)
			workspace := bench.Alloc(device.Float32, int(n.Workspace(rows)/4))
			bytes := int64(rows*c.spec.Width) * t.Size()
			backward := func(dWeight device.Pointer, accumulate bool) func() {
				return func() {
					n.Backward(bench.Queue, rows, dx, y, x, weight, dWeight, 0, workspace, accumulate)
				}
			}
			name := fmt.Sprintf("%s/%v/", c.name, t)
			tasks = append(tasks,
				rowstest.Task{Name: name + "forward", Bytes: 2 * bytes, Run: func() {
					n.Forward(bench.Queue, rows, y, x, weight, weight)
				}},
				rowstest.Task{Name: name + "backward", Bytes: 3 * bytes, Run: backward(0, false)},
				rowstest.Task{Name: name + "backward added", Bytes: 4 * bytes, Run: backward(0, true)},
				rowstest.Task{Name: name + "backward and weight", Bytes: 3 * bytes, Run: backward(gradient, false)},
			)
		}
	}
	bench.Load(set)
	rowstest.Rates(b, bench, tasks)
}
