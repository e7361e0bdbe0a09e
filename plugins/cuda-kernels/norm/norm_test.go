package norm_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/norm"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

// reference is a norm and its gradients in float64.
type reference struct{ y, dx, dWeight, dBias []float64 }

func refer(s norm.Spec, x, dy, weight, bias rowstest.Buffer) reference {
	n, size := len(x.Numbers), s.Width/s.Groups
	r := reference{make([]float64, n), make([]float64, n), make([]float64, s.Weight), make([]float64, s.Bias)}
	for at := 0; at < n; at += size {
		mean, variance := 0.0, 0.0
		for i := range size {
			if s.Centre {
				mean += x.At(at+i) / float64(size)
			}
		}
		for i := range size {
			d := x.At(at+i) - mean
			variance += d * d / float64(size)
		}
		inverse := 1 / math.Sqrt(variance+s.Epsilon)
		hat, g := make([]float64, size), make([]float64, size)
		sum, along := 0.0, 0.0
		for i := range size {
			c := (at + i) % s.Width
			w, b := 1.0, 0.0
			if s.Weight > 0 {
				w = weight.At(c % s.Weight)
			}
			if s.PlusOne {
				w++
			}
			if s.Bias > 0 {
				b = bias.At(c % s.Bias)
			}
			hat[i] = (x.At(at+i) - mean) * inverse
			g[i] = dy.At(at+i) * w
			r.y[at+i] = hat[i]*w + b
			sum += g[i] / float64(size)
			along += g[i] * hat[i] / float64(size)
			if s.Weight > 0 {
				r.dWeight[c%s.Weight] += dy.At(at+i) * hat[i]
			}
			if s.Bias > 0 {
				r.dBias[c%s.Bias] += dy.At(at + i)
			}
		}
		if !s.Centre {
			sum = 0
		}
		for i := range size {
			r.dx[at+i] = (g[i] - sum - hat[i]*along) * inverse
		}
	}
	return r
}

func plus(x []float64, before rowstest.Buffer, on bool) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = x[i]
		if on {
			out[i] += before.At(i)
		}
	}
	return out
}

func specs() map[string]norm.Spec {
	out := map[string]norm.Spec{}
	add := func(name string, s norm.Spec) {
		s.Epsilon, s.TrainWeight, s.TrainBias = 1e-5, s.Weight > 0, s.Bias > 0
		for _, t := range rowstest.Types() {
			s.X, s.Y = t, t
			out[fmt.Sprintf("%s/%v", name, t)] = s
		}
	}
	for _, size := range []int{1, 2, 3, 7, 8, 30, 64, 96, 128, 257, 576, 896, 1000, 1024, 1027, 1152, 2048, 5120, 16384, 20004} {
		add(fmt.Sprintf("rms %d", size), norm.Spec{Width: size, Groups: 1, Weight: size})
	}
	for _, size := range []int{1, 5, 64, 100, 768, 1032, 16385, 40000} {
		add(fmt.Sprintf("layer %d", size), norm.Spec{Width: size, Groups: 1, Centre: true, Weight: size, Bias: size})
	}
	add("plain", norm.Spec{Width: 48, Groups: 1})
	add("plus one", norm.Spec{Width: 2304, Groups: 1, Weight: 2304, PlusOne: true})
	add("heads", norm.Spec{Width: 9 * 64, Groups: 9, Weight: 64})
	add("heads of 6", norm.Spec{Width: 5 * 6, Groups: 5, Weight: 6, Bias: 30, Centre: true})
	add("heads, a weight each", norm.Spec{Width: 4 * 128, Groups: 4, Weight: 512})
	add("heads, a bias for all", norm.Spec{Width: 4 * 128, Groups: 4, Weight: 512, Bias: 128, PlusOne: true})
	add("wide groups", norm.Spec{Width: 3 * 2056, Groups: 3, Weight: 2056, Bias: 3 * 2056, Centre: true})
	s := norm.Spec{Width: 520, Groups: 1, Weight: 520, Epsilon: 1e-6}
	for _, x := range rowstest.Types() {
		for _, y := range rowstest.Types() {
			s.X, s.Y = x, y
			out[fmt.Sprintf("%v to %v", x, y)] = s
		}
	}
	return out
}

func TestNorm(t *testing.T) {
	b := devicetest.Open(t)
	set, norms := &device.Set{}, map[string]*norm.Norm{}
	for name, s := range specs() {
		norms[name] = norm.New(set, s)
	}
	b.Load(set)
	for name, s := range specs() {
		for _, rows := range []int{1, 3, 70} {
			if rows*s.Width <= 1<<20 {
				check(b, fmt.Sprintf("%s, %d rows: ", name, rows), norms[name], s, rows)
			}
		}
	}
}

// check compares all of a norm with the reference. The gradients by parameters are
// those of two backward passes: they add up.
func check(b *devicetest.Bench, name string, n *norm.Norm, s norm.Spec, rows int) {
	b.Helper()
	size := rows * s.Width
	x, dy := rowstest.Random(b, s.X, size, 1), rowstest.Random(b, s.Y, size, 2)
	weight, bias := rowstest.Random(b, device.Float32, s.Weight, 3), rowstest.Random(b, device.Float32, s.Bias, 4)
	dWeight, dBias := rowstest.Random(b, device.Float32, s.Weight, 5), rowstest.Random(b, device.Float32, s.Bias, 6)
	y := rowstest.Empty(b, s.Y, size)
	workspace := b.Alloc(device.Float32, int(n.Workspace(rows)/4))
	want := refer(s, x, dy, weight, bias)

	n.Forward(b.Queue, rows, y.Pointer, x.Pointer, weight.Pointer, bias.Pointer)
	rowstest.Compare(b, name+"y", y, want.y, 3e-6*math.Sqrt(largest(want.y)))
	// A group of one number has no gradient, only what rounding leaves.
	slack := 1e-5 * (1 + largest(want.dx))
	if s.Width == s.Groups {
		slack += 1e-3
	}
	for _, accumulate := range []bool{false, true} {
		dx := rowstest.Result(b, s.X, size, accumulate)
		w, d := dWeight.Pointer, dBias.Pointer
		if !s.TrainWeight {
			w = 0
		}
		if !s.TrainBias {
			d = 0
		}
		n.Backward(b.Queue, rows, dx.Pointer, dy.Pointer, x.Pointer, weight.Pointer, w, d, workspace, accumulate)
		rowstest.Compare(b, name+"dx", dx, plus(want.dx, dx, accumulate), slack)
	}
	if s.TrainWeight {
		twice(b, name+"dWeight", dWeight, want.dWeight)
	}
	if s.TrainBias {
		twice(b, name+"dBias", dBias, want.dBias)
	}
}

func twice(b *devicetest.Bench, what string, got rowstest.Buffer, once []float64) {
	b.Helper()
	want := make([]float64, len(once))
	for i, v := range once {
		want[i] = got.At(i) + 2*v
	}
	rowstest.Compare(b, what, got, want, 1e-5*(1+largest(want)))
}

func largest(x []float64) float64 {
	most := 0.0
	for _, v := range x {
		most = max(most, math.Abs(v))
	}
	return most
}

// TestRepeats: the bits of gradients by parameters are the same each time.
func TestRepeats(t *testing.T) {
	b := devicetest.Open(t)
	s := norm.Spec{
		Width: 1024, Groups: 1, Weight: 1024, Bias: 1024, Centre: true, Epsilon: 1e-5,
		X: device.BFloat16, Y: device.BFloat16, TrainWeight: true, TrainBias: true,
	}
	set := &device.Set{}
	n := norm.New(set, s)
	b.Load(set)
	const rows = 600
	x, dy := rowstest.Random(b, s.X, rows*s.Width, 1), rowstest.Random(b, s.Y, rows*s.Width, 2)
	weight := rowstest.Random(b, device.Float32, s.Weight, 3)
	workspace := b.Alloc(device.Float32, int(n.Workspace(rows)/4))
	var first []rowstest.Buffer
	for range 3 {
		dWeight, dBias := rowstest.Random(b, device.Float32, s.Weight, 5), rowstest.Random(b, device.Float32, s.Bias, 6)
		n.Backward(b.Queue, rows, 0, dy.Pointer, x.Pointer, weight.Pointer, dWeight.Pointer, dBias.Pointer, workspace, false)
		if first == nil {
			first = []rowstest.Buffer{dWeight, dBias}
		}
		rowstest.Same(b, "dWeight", first[0], dWeight)
		rowstest.Same(b, "dBias", first[1], dBias)
	}
}
