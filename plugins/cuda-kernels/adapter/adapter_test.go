package adapter_test

import (
	"fmt"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/adapter"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

// TestBackward compares d and dB with float64: widths that fill blocks and do not, few
// rows and many, every rank, little shared memory.
func TestBackward(t *testing.T) {
	const scale = 0.5
	b := devicetest.Open(t)
	for _, kind := range []device.Type{device.BFloat16, device.Float16} {
		for _, rank := range []int{8, 16, 24, 32} {
			for _, width := range []int{8, 200, 512, 1288} {
				for _, shared := range []int{b.GPU.Info.SharedPerBlock, 99 << 10} {
					s := adapter.Spec{Type: kind, Width: width, Rank: rank, Shared: shared, Processors: b.GPU.Info.SMs}
					if !adapter.Runs(s) {
						continue // much rank, little memory
					}
					set := &device.Set{}
					kernels := adapter.New(set, s)
					b.Load(set)
					for _, n := range []int{1, 33, 300, 900} {
						compare(b, kernels, s, n, scale)
					}
				}
			}
		}
	}
}

func compare(b *devicetest.Bench, kernels *adapter.Backward, s adapter.Spec, n int, scale float32) {
	b.Helper()
	name := fmt.Sprintf("%+v, %d rows: ", s, n)
	dy, factor, h := rowstest.Random(b, s.Type, n*s.Width, 1), rowstest.Random(b, s.Type, s.Width*s.Rank, 2), rowstest.Random(b, s.Type, n*s.Rank, 3)
	wantD, gradient := make([]float64, n*s.Rank), rowstest.Random(b, device.Float32, s.Width*s.Rank, 4)
	wantB := make([]float64, s.Width*s.Rank)
	for i := range wantB {
		wantB[i] = gradient.At(i)
	}
	for row := range n {
		for c := range s.Width {
			v := dy.At(row*s.Width + c)
			for k := range s.Rank {
				wantD[row*s.Rank+k] += v * factor.At(c*s.Rank+k) * float64(scale)
				wantB[c*s.Rank+k] += v * h.At(row*s.Rank+k)
			}
		}
	}
	workspace := b.Alloc(device.Float32, int(kernels.Workspace(n)/4))
	first := rowstest.Empty(b, s.Type, n*s.Rank)
	matrix := func(v rowstest.Buffer) adapter.Matrix { return adapter.Matrix{At: v.Pointer, Stride: s.Rank} }
	kernels.Run(b.Queue, n, matrix(first), gradient.Pointer, dy.Pointer, factor.Pointer, matrix(h), scale, workspace)
	rowstest.Compare(b, name+"d", first, wantD, 1e-3)
	rowstest.Compare(b, name+"dB", gradient, wantB, 1e-3)

	again := rowstest.Empty(b, s.Type, n*s.Rank)
	again.Numbers = make([]float32, n*s.Rank)
	first.Numbers = make([]float32, n*s.Rank)
	kernels.Run(b.Queue, n, matrix(again), gradient.Pointer, dy.Pointer, factor.Pointer, matrix(h), scale, workspace)
	rowstest.Same(b, name+"d, twice", first, again)
}

// TestRuns: what there are kernels for.
func TestRuns(t *testing.T) {
	good := adapter.Spec{Type: device.BFloat16, Width: 4096, Rank: 16, Shared: 227 << 10, Processors: 132}
	for name, test := range map[string]struct {
		change func(*adapter.Spec)
		want   bool
	}{
		"as it is": {func(*adapter.Spec) {}, true}, "float32": {func(s *adapter.Spec) { s.Type = device.Float32 }, false},
		"rank 64": {func(s *adapter.Spec) { s.Rank = 64 }, false}, "rank 12": {func(s *adapter.Spec) { s.Rank = 12 }, false}, "rank 0": {func(s *adapter.Spec) { s.Rank = 0 }, false},
		"width": {func(s *adapter.Spec) { s.Width = 4100 }, false}, "no GPU": {func(s *adapter.Spec) { s.Processors = 0 }, false},
		"little shared memory": {func(s *adapter.Spec) { s.Shared = 0 }, false}, "as an RTX 4090's": {func(s *adapter.Spec) { s.Shared = 99 << 10 }, true},
	} {
		s := good
		test.change(&s)
		if got := adapter.Runs(s); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWorkspace: a layer's linears need little, and a vocabulary's output is left alone.
func TestWorkspace(t *testing.T) {
	for width, want := range map[int]bool{1024: true, 4096: true, 14336: true, 128256: false} {
		b := adapter.New(&device.Set{}, adapter.Spec{Type: device.BFloat16, Width: width, Rank: 16, Shared: 227 << 10, Processors: 132})
		if got := b.Wins(8192); got != want {
			t.Errorf("width %d: %v, %d bytes", width, got, b.Workspace(8192))
		}
		for n := 32; n <= 8192; n += 32 {
			if b.Wins(n) && b.Workspace(n) > b.Most(8192) {
				t.Errorf("width %d: %d rows need %d bytes, the most is %d", width, n, b.Workspace(n), b.Most(8192))
			}
		}
	}
}

func BenchmarkBackward(b *testing.B) {
	const n = 8192
	bench := devicetest.Open(b)
	var tasks []rowstest.Task
	set := &device.Set{}
	for _, width := range []int{512, 1024, 2048, 4096, 8192, 14336} {
		s := adapter.Spec{Type: device.BFloat16, Width: width, Rank: 16, Shared: bench.GPU.Info.SharedPerBlock, Processors: bench.GPU.Info.SMs}
		kernels := adapter.New(set, s)
		dy, factor, h := bench.Alloc(device.BFloat16, n*width), bench.Alloc(device.BFloat16, width*s.Rank), bench.Alloc(device.BFloat16, n*s.Rank)
		d, gradient := bench.Alloc(device.BFloat16, n*s.Rank), bench.Alloc(device.Float32, width*s.Rank)
		workspace := bench.Alloc(device.Float32, int(kernels.Workspace(n)/4))
		tasks = append(tasks, rowstest.Task{Name: fmt.Sprint(width), Bytes: int64(2 * n * width), Run: func() {
			rows := func(at device.Pointer) adapter.Matrix { return adapter.Matrix{At: at, Stride: s.Rank} }
			kernels.Run(bench.Queue, n, rows(d), gradient, dy, factor, rows(h), 1, workspace)
		}})
	}
	bench.Load(set)
	rowstest.Rates(b, bench, tasks)
}
