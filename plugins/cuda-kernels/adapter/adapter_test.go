package adapter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/adapter"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

// TestBackward compares d and dB with float64: widths that fill blocks and do not, of one
// adapter and of several, few rows and many, every rank, little shared memory.
func TestBackward(t *testing.T) {
	const scale = 0.5
	b := devicetest.Open(t)
	for _, kind := range []device.Type{device.BFloat16, device.Float16} {
		for _, rank := range []int{8, 16, 24, 32} {
			for _, widths := range [][]int{{8}, {200}, {512}, {1288}, {520, 8}, {1024, 200, 512}, {8, 16, 1032, 200}} {
				for _, shared := range []int{b.GPU.Info.SharedPerBlock, 99 << 10} {
					s := adapter.Spec{Type: kind, Widths: widths, Rank: rank, Shared: shared, Processors: b.GPU.Info.SMs}
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
	name, all := fmt.Sprintf("%+v, %d rows: ", s, n), s.Rank*len(s.Widths)
	h, wantD := rowstest.Random(b, s.Type, n*all, 3), make([]float64, n*all)
	var outputs []adapter.Output
	var gradients []rowstest.Buffer
	var wantB [][]float64
	for i, width := range s.Widths {
		seed := uint64(10 * i)
		dy, factor, gradient := rowstest.Random(b, s.Type, n*width, seed+1), rowstest.Random(b, s.Type, width*s.Rank, seed+2), rowstest.Random(b, device.Float32, width*s.Rank, seed+4)
		want := make([]float64, width*s.Rank)
		for j := range want {
			want[j] = gradient.At(j)
		}
		for row := range n {
			for c := range width {
				v := dy.At(row*width + c)
				for k := range s.Rank {
					wantD[row*all+i*s.Rank+k] += v * factor.At(c*s.Rank+k) * float64(scale)
					want[c*s.Rank+k] += v * h.At(row*all+i*s.Rank+k)
				}
			}
		}
		outputs = append(outputs, adapter.Output{DY: dy.Pointer, B: factor.Pointer, DB: gradient.Pointer})
		gradients, wantB = append(gradients, gradient), append(wantB, want)
	}
	workspace := b.Alloc(device.Float32, int(kernels.Workspace(n)/4))
	first := rowstest.Empty(b, s.Type, n*all)
	matrix := func(v rowstest.Buffer) adapter.Matrix { return adapter.Matrix{At: v.Pointer, Stride: all} }
	kernels.Run(b.Queue, n, matrix(first), matrix(h), outputs, scale, workspace)
	rowstest.Compare(b, name+"d", first, wantD, 1e-3)
	for i, gradient := range gradients {
		rowstest.Compare(b, fmt.Sprint(name, "dB of ", i), gradient, wantB[i], 1e-3)
	}

	again := rowstest.Empty(b, s.Type, n*all)
	again.Numbers = make([]float32, n*all)
	first.Numbers = make([]float32, n*all)
	kernels.Run(b.Queue, n, matrix(again), matrix(h), outputs, scale, workspace)
	rowstest.Same(b, name+"d, twice", first, again)
}

// TestRuns: what there are kernels for.
func TestRuns(t *testing.T) {
	good := adapter.Spec{Type: device.BFloat16, Widths: []int{4096}, Rank: 16, Shared: 227 << 10, Processors: 132}
	for name, test := range map[string]struct {
		change func(*adapter.Spec)
		want   bool
	}{
		"as it is": {func(*adapter.Spec) {}, true}, "float32": {func(s *adapter.Spec) { s.Type = device.Float32 }, false},
		"rank 64": {func(s *adapter.Spec) { s.Rank = 64 }, false}, "rank 12": {func(s *adapter.Spec) { s.Rank = 12 }, false}, "rank 0": {func(s *adapter.Spec) { s.Rank = 0 }, false},
		"width": {func(s *adapter.Spec) { s.Widths = []int{4096, 4100} }, false}, "three": {func(s *adapter.Spec) { s.Widths = []int{4096, 1024, 1024} }, true},
		"five": {func(s *adapter.Spec) { s.Widths = make([]int, 5) }, false}, "none": {func(s *adapter.Spec) { s.Widths = nil }, false}, "no GPU": {func(s *adapter.Spec) { s.Processors = 0 }, false},
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
		b := adapter.New(&device.Set{}, adapter.Spec{Type: device.BFloat16, Widths: []int{width}, Rank: 16, Shared: 227 << 10, Processors: 132})
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
	for _, widths := range [][]int{{512}, {1024}, {2048}, {4096}, {8192}, {14336}, {4096, 1024, 1024}, {14336, 14336}, {576, 192, 192}} {
		s := adapter.Spec{Type: device.BFloat16, Widths: widths, Rank: 16, Shared: bench.GPU.Info.SharedPerBlock, Processors: bench.GPU.Info.SMs}
		kernels, all, sum := adapter.New(set, s), s.Rank*len(widths), 0
		var outputs []adapter.Output
		for _, width := range widths {
			outputs = append(outputs, adapter.Output{
				DY: bench.Alloc(device.BFloat16, n*width), B: bench.Alloc(device.BFloat16, width*s.Rank), DB: bench.Alloc(device.Float32, width*s.Rank),
			})
			sum += width
		}
		d, h := bench.Alloc(device.BFloat16, n*all), bench.Alloc(device.BFloat16, n*all)
		workspace := bench.Alloc(device.Float32, int(kernels.Workspace(n)/4))
		tasks = append(tasks, rowstest.Task{Name: strings.ReplaceAll(fmt.Sprint(widths), " ", "+"), Bytes: int64(2 * n * sum), Run: func() {
			rows := func(at device.Pointer) adapter.Matrix { return adapter.Matrix{At: at, Stride: all} }
			kernels.Run(bench.Queue, n, rows(d), rows(h), outputs, 1, workspace)
		}})
	}
	bench.Load(set)
	rowstest.Rates(b, bench, tasks)
}
