package adapter_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/adapter"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
	"github.com/honeml/hone/sdk/graph/dropout"
)

// TestInput compares h and dA with float64: widths that fill tiles and do not, few rows
// and many, ranks of one adapter and of several, little shared memory.
func TestInput(t *testing.T) {
	b := devicetest.Open(t)
	for _, kind := range []device.Type{device.BFloat16, device.Float16} {
		for _, rank := range []int{8, 24, 48, 96} {
			for _, width := range []int{8, 200, 392} {
				for _, shared := range []int{b.GPU.Info.SharedPerBlock, 99 << 10} {
					s := adapter.InputSpec{Type: kind, Width: width, Rank: rank, Shared: shared, Processors: b.GPU.Info.SMs}
					if !adapter.RunsInput(s) {
						t.Errorf("%+v: there is no kernel", s)
						continue
					}
					set := &device.Set{}
					kernels := adapter.NewInput(set, s)
					b.Load(set)
					for _, n := range []int{1, 33, 300, 700} {
						compareInput(b, kernels, s, n)
					}
				}
			}
		}
	}
}

func compareInput(b *devicetest.Bench, kernels *adapter.Input, s adapter.InputSpec, n int) {
	b.Helper()
	const scale = 0.5
	name := fmt.Sprintf("%+v, %d rows: ", s, n)
	x, a, d := rowstest.Random(b, s.Type, n*s.Width, 1), rowstest.Random(b, s.Type, s.Width*s.Rank, 2), rowstest.Random(b, s.Type, n*s.Rank, 3)
	gradient := rowstest.Random(b, device.Float32, s.Width*s.Rank, 4)
	wantH, wantA := make([]float64, n*s.Rank), make([]float64, s.Width*s.Rank)
	for i := range wantA {
		wantA[i] = gradient.At(i)
	}
	for row := range n {
		for c := range s.Width {
			v := x.At(row*s.Width + c)
			for k := range s.Rank {
				wantH[row*s.Rank+k] += v * a.At(k*s.Width+c) * scale
				wantA[k*s.Width+c] += v * d.At(row*s.Rank+k)
			}
		}
	}
	workspace := b.Alloc(device.Float32, int(kernels.Workspace(n)/4))
	h := rowstest.Empty(b, s.Type, n*s.Rank)
	kernels.Down(b.Queue, n, h.Pointer, x.Pointer, a.Pointer, scale, adapter.Mask{}, workspace)
	kernels.Gradient(b.Queue, n, gradient.Pointer, x.Pointer, d.Pointer, workspace)
	rowstest.Compare(b, name+"h", h, wantH, 1e-3)
	rowstest.Compare(b, name+"dA", gradient, wantA, 1e-3)

	wantGram := make([]float64, s.Rank*s.Rank)
	for i := range wantGram {
		for c := range s.Width {
			wantGram[i] += a.At(i/s.Rank*s.Width+c) * a.At(i%s.Rank*s.Width+c)
		}
	}
	for i := range wantH {
		wantH[i] /= scale
	}
	products := b.Alloc(device.Float32, n*s.Rank*kernels.ProductShares(n))
	kernels.Products(b.Queue, n, products, x.Pointer, a.Pointer)
	compareShares(b, name+"x·Aᵀ", products, kernels.ProductShares(n), wantH)
	gram := b.Alloc(device.Float32, s.Rank*s.Rank*kernels.GramShares())
	kernels.Gram(b.Queue, gram, a.Pointer)
	compareShares(b, name+"A·Aᵀ", gram, kernels.GramShares(), wantGram)

	again := rowstest.Empty(b, s.Type, n*s.Rank)
	again.Numbers, h.Numbers = make([]float32, n*s.Rank), make([]float32, n*s.Rank)
	kernels.Down(b.Queue, n, again.Pointer, x.Pointer, a.Pointer, scale, adapter.Mask{}, workspace)
	rowstest.Same(b, name+"h, twice", h, again)
}

// TestDropped compares h, dA and dx of adapters with dropout with float64: widths that fill
// tiles and do not, few rows and many, one adapter and several, dx wanted and not.
func TestDropped(t *testing.T) {
	b := devicetest.Open(t)
	for _, kind := range []device.Type{device.BFloat16, device.Float16} {
		for _, of := range []struct{ rank, adapters int }{{8, 1}, {16, 1}, {24, 3}, {48, 3}, {64, 2}} {
			for _, width := range []int{8, 200, 392} {
				s := adapter.InputSpec{
					Type: kind, Width: width, Rank: of.rank, Dropped: of.adapters, Shared: b.GPU.Info.SharedPerBlock, Processors: b.GPU.Info.SMs,
				}
				set := &device.Set{}
				kernels := adapter.NewInput(set, s)
				b.Load(set)
				for n, p := range map[int]float64{1: 0.6, 33: 0.05, 300: 0.2} {
					compareDropped(b, kernels, s, n, p, n != 33)
				}
			}
		}
	}
}

func compareDropped(b *devicetest.Bench, kernels *adapter.Input, s adapter.InputSpec, n int, p float64, wanted bool) {
	b.Helper()
	const scale = 0.5
	name := fmt.Sprintf("%+v, %d rows, p %v: ", s, n, p)
	x, a, d := rowstest.Random(b, s.Type, n*s.Width, 1), rowstest.Random(b, s.Type, s.Width*s.Rank, 2), rowstest.Random(b, s.Type, n*s.Rank, 3)
	gradient, dx := rowstest.Random(b, device.Float32, s.Width*s.Rank, 4), rowstest.Random(b, s.Type, n*s.Width, 5)
	var keys []int32
	var of []dropout.Key
	for i := range s.Dropped {
		key := dropout.NewKey(3, 4, fmt.Sprint("module ", i))
		keys, of = append(keys, int32(key[0]), int32(key[1])), append(of, key)
	}
	sample, position := make([]int32, n), make([]int32, n)
	for i := range n {
		sample[i], position[i] = int32(1<<20+i/7), int32(i%7*1000)
	}
	m := adapter.Mask{Sample: b.UploadInts(sample), Position: b.UploadInts(position), Keys: b.UploadInts(keys), P: p}

	wantH, wantA, wantX := make([]float64, n*s.Rank), make([]float64, s.Width*s.Rank), make([]float64, n*s.Width)
	for i := range wantA {
		wantA[i] = gradient.At(i)
	}
	for i := range wantX {
		wantX[i] = dx.At(i)
	}
	multipliers := make([]float32, s.Width)
	for row := range n {
		for k := range s.Rank {
			if k%(s.Rank/s.Dropped) == 0 {
				dropout.Row(of[k/(s.Rank/s.Dropped)], sample[row], position[row], p, multipliers)
			}
			for c := range s.Width {
				v := x.At(row*s.Width+c) * float64(multipliers[c])
				wantH[row*s.Rank+k] += v * a.At(k*s.Width+c) * scale
				wantA[k*s.Width+c] += v * d.At(row*s.Rank+k)
				wantX[row*s.Width+c] += d.At(row*s.Rank+k) * a.At(k*s.Width+c) * float64(multipliers[c])
			}
		}
	}
	workspace := b.Alloc(device.Float32, int(kernels.Workspace(n)/4))
	h := rowstest.Empty(b, s.Type, n*s.Rank)
	kernels.Down(b.Queue, n, h.Pointer, x.Pointer, a.Pointer, scale, m, workspace)
	to := dx.Pointer
	if !wanted {
		to = 0
	}
	kernels.DroppedGradient(b.Queue, n, gradient.Pointer, to, x.Pointer, a.Pointer, d.Pointer, m, workspace)
	rowstest.Compare(b, name+"h", h, wantH, 1e-3)
	rowstest.Compare(b, name+"dA", gradient, wantA, 1e-3)
	if wanted {
		rowstest.Compare(b, name+"dx", dx, wantX, 1e-3)
	}
}

// compareShares compares the sum of matrices that lie one behind the other.
func compareShares(b *devicetest.Bench, name string, at device.Pointer, count int, want []float64) {
	b.Helper()
	shares := b.Download(at, device.Float32, count*len(want))
	for i, w := range want {
		got := 0.0
		for j := range count {
			got += float64(shares[j*len(want)+i])
		}
		if !(math.Abs(got-w) <= 1e-3) {
			b.Errorf("%s[%d] = %v, want %v", name, i, got, w)
			return
		}
	}
}

// TestRunsInput: what there are kernels for.
func TestRunsInput(t *testing.T) {
	good := adapter.InputSpec{Type: device.BFloat16, Width: 4096, Rank: 48, Shared: 227 << 10, Processors: 132}
	for name, test := range map[string]struct {
		change func(*adapter.InputSpec)
		want   bool
	}{
		"as it is": {func(*adapter.InputSpec) {}, true}, "float32": {func(s *adapter.InputSpec) { s.Type = device.Float32 }, false},
		"rank 96": {func(s *adapter.InputSpec) { s.Rank = 96 }, true}, "rank 104": {func(s *adapter.InputSpec) { s.Rank = 104 }, false},
		"rank 12": {func(s *adapter.InputSpec) { s.Rank = 12 }, false}, "rank 0": {func(s *adapter.InputSpec) { s.Rank = 0 }, false},
		"width": {func(s *adapter.InputSpec) { s.Width = 4100 }, false}, "no GPU": {func(s *adapter.InputSpec) { s.Processors = 0 }, false},
		"dropout of each": {func(s *adapter.InputSpec) { s.Dropped = 3 }, true}, "dropout of parts that are no multiples of 8": {func(s *adapter.InputSpec) { s.Dropped = 4 }, false},
		"rank 72 with dropout": {func(s *adapter.InputSpec) { s.Rank, s.Dropped = 72, 3 }, false},
		"little shared memory": {func(s *adapter.InputSpec) { s.Shared = 0 }, false}, "as an RTX 4090's": {func(s *adapter.InputSpec) { s.Shared = 99 << 10 }, true},
	} {
		s := good
		test.change(&s)
		if got := adapter.RunsInput(s); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func BenchmarkInput(b *testing.B) {
	const n = 8192
	bench := devicetest.Open(b)
	var tasks []rowstest.Task
	set := &device.Set{}
	for _, shape := range []struct{ width, rank, dropped int }{
		{2048, 16, 0}, {4096, 16, 0}, {4096, 32, 0}, {4096, 48, 0}, {14336, 16, 0}, {4096, 16, 1}, {4096, 32, 2}, {4096, 48, 3}, {14336, 16, 1},
	} {
		s := adapter.InputSpec{Type: device.BFloat16, Width: shape.width, Rank: shape.rank, Dropped: shape.dropped, Shared: bench.GPU.Info.SharedPerBlock, Processors: bench.GPU.Info.SMs}
		kernels := adapter.NewInput(set, s)
		x, a, h := bench.Alloc(device.BFloat16, n*s.Width), bench.Alloc(device.BFloat16, s.Width*s.Rank), bench.Alloc(device.BFloat16, n*s.Rank)
		gradient, workspace := bench.Alloc(device.Float32, s.Width*s.Rank), bench.Alloc(device.Float32, int(kernels.Workspace(n)/4))
		bytes, runs := map[string]int64{"down": 1, "gradient": 1}, map[string]func(){
			"down":     func() { kernels.Down(bench.Queue, n, h, x, a, 1, adapter.Mask{}, workspace) },
			"gradient": func() { kernels.Gradient(bench.Queue, n, gradient, x, h, workspace) },
		}
		if s.Dropped > 0 {
			m := adapter.Mask{Sample: bench.UploadInts(make([]int32, n)), Position: bench.UploadInts(make([]int32, n)), Keys: bench.UploadInts(make([]int32, 2*s.Dropped)), P: 0.05}
			dx := bench.Alloc(device.BFloat16, n*s.Width)
			bytes, runs = map[string]int64{"dropped down": 1, "dropped gradient": 3}, map[string]func(){
				"dropped down":     func() { kernels.Down(bench.Queue, n, h, x, a, 1, m, workspace) },
				"dropped gradient": func() { kernels.DroppedGradient(bench.Queue, n, gradient, dx, x, a, h, m, workspace) },
			}
		}
		for name, run := range runs {
			tasks = append(tasks, rowstest.Task{Name: fmt.Sprintf("%s/%dx%d", name, s.Width, s.Rank), Bytes: bytes[name] * int64(2*n*s.Width), Run: run})
		}
	}
	bench.Load(set)
	rowstest.Rates(b, bench, tasks)
}
