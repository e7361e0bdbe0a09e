package rope_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rope"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

// rotate is the rotation in float64, with sign −1 its reverse.
func rotate(s rope.Spec, x rowstest.Buffer, freq []float32, position []int32, sign float64) []float64 {
	y := make([]float64, len(x.Numbers))
	for i := range y {
		y[i] = x.At(i)
	}
	width := s.Heads * s.HeadWidth
	for t, p := range position {
		for h := range s.Heads {
			base := t*width + h*s.HeadWidth + s.Offset
			for i, f := range freq {
				a, b := base+i, base+i+s.Pairs
				if s.Interleaved {
					a, b = base+2*i, base+2*i+1
				}
				sin, cos := math.Sincos(float64(float32(p) * f))
				cos *= float64(s.Factor)
				sin *= sign * float64(s.Factor)
				y[a], y[b] = x.At(a)*cos-x.At(b)*sin, x.At(b)*cos+x.At(a)*sin
			}
		}
	}
	return y
}

func frequencies(pairs int) []float32 {
	freq := make([]float32, pairs)
	for i := range freq {
		freq[i] = float32(math.Pow(10000, -float64(i)/float64(pairs)))
	}
	return freq
}

// positions are short ones and, by and by, up to 2²⁰.
func positions(rows int) []int32 {
	p := make([]int32, rows)
	for t := range p {
		p[t] = int32(t)
		if t%3 == 2 {
			p[t] = int32(1<<20 - 1 - t*t*1000%(1<<20))
		}
	}
	return p
}

func TestRoPE(t *testing.T) {
	var specs []rope.Spec
	for _, s := range []rope.Spec{
		{Heads: 32, HeadWidth: 128, Pairs: 64, Factor: 1},
		{Heads: 9, HeadWidth: 64, Pairs: 32, Factor: 1},
		{Heads: 1, HeadWidth: 64, Pairs: 32, Factor: 1.25},
		{Heads: 4, HeadWidth: 96, Pairs: 24, Factor: 1},
		{Heads: 4, HeadWidth: 192, Offset: 128, Pairs: 32, Factor: 0.7},
		{Heads: 3, HeadWidth: 10, Offset: 2, Pairs: 3, Factor: 1},
		{Heads: 3, HeadWidth: 7, Offset: 1, Pairs: 3, Factor: 1},
		{Heads: 5, HeadWidth: 2, Pairs: 1, Factor: 1},
		{Heads: 1, HeadWidth: 8200, Pairs: 4100, Factor: 1},
		{Heads: 2, HeadWidth: 5, Factor: 1},
	} {
		for _, interleaved := range []bool{false, true} {
			for _, numbers := range rowstest.Types() {
				s.Interleaved, s.Type = interleaved, numbers
				specs = append(specs, s)
			}
		}
	}
	b := devicetest.Open(t)
	set, kernels := &device.Set{}, make([]*rope.RoPE, len(specs))
	for i, s := range specs {
		kernels[i] = rope.New(set, s)
	}
	b.Load(set)
	for i, s := range specs {
		for _, rows := range []int{1, 37} {
			check(b, kernels[i], s, rows)
		}
	}
}

func check(b *devicetest.Bench, r *rope.RoPE, s rope.Spec, rows int) {
	b.Helper()
	const slack = 2e-6 // of numbers of a few units
	n := rows * s.Heads * s.HeadWidth
	x, places := rowstest.Random(b, s.Type, n, 1), positions(rows)
	freq := frequencies(s.Pairs)
	f, position := b.Upload(device.Float32, freq), b.UploadInts(places)
	there, back := rotate(s, x, freq, places, 1), rotate(s, x, freq, places, -1)
	name := fmt.Sprintf("%+v, %d rows: ", s, rows)

	y := rowstest.Empty(b, s.Type, n)
	r.Forward(b.Queue, rows, y.Pointer, x.Pointer, f, position)
	rowstest.Compare(b, name+"y", y, there, slack)

	dx := rowstest.Empty(b, s.Type, n)
	r.Backward(b.Queue, rows, dx.Pointer, x.Pointer, f, position, false)
	rowstest.Compare(b, name+"dx", dx, back, slack)

	dx = rowstest.Random(b, s.Type, n, 2)
	for i := range back {
		back[i] += dx.At(i)
	}
	r.Backward(b.Queue, rows, dx.Pointer, x.Pointer, f, position, true)
	rowstest.Compare(b, name+"dx added", dx, back, slack)

	r.Forward(b.Queue, rows, x.Pointer, x.Pointer, f, position)
	rowstest.Compare(b, name+"y in place", x, there, slack)
}

// TestAngles goes through positions up to 2²⁰ at frequency 1, whose angles are the
// largest, and beyond.
func TestAngles(t *testing.T) {
	const rows = 4096
	b := devicetest.Open(t)
	s := rope.Spec{Heads: 1, HeadWidth: 2, Pairs: 1, Factor: 1, Type: device.Float32}
	set := &device.Set{}
	r := rope.New(set, s)
	b.Load(set)
	for _, freq := range []float32{1, 0.73, 1000} {
		places, numbers := make([]int32, rows), make([]float32, 2*rows)
		for i := range places {
			places[i] = int32(i * 257 % (1 << 20))
			numbers[2*i] = 1
		}
		x := rowstest.Buffer{Pointer: b.Upload(device.Float32, numbers), Type: device.Float32, Numbers: numbers}
		y := rowstest.Empty(b, device.Float32, 2*rows)
		r.Forward(b.Queue, rows, y.Pointer, x.Pointer, b.Upload(device.Float32, []float32{freq}), b.UploadInts(places))
		rowstest.Compare(b, fmt.Sprint("cosines and sines, frequency ", freq), y, rotate(s, x, []float32{freq}, places, 1), 1.2e-7)
	}
}
