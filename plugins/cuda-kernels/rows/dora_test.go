package rows_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/adapter"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

// A dora is the matrices of a linear with magnitudes, and what float64 has for them. Its
// first row is zeros, and the magnitudes of the third and the last are 0.
type dora struct {
	rows.DoRASpec
	rows.DoRAMatrices
	w, a, b, m          rowstest.Buffer
	norm, ratio         rowstest.Buffer
	whole               []float64 // W + s·B·A
	wantNorm, wantRatio []float64
}

// drawDoRA draws one, B by a factor smaller than the others.
func drawDoRA(b *devicetest.Bench, s rows.DoRASpec, scale, factor float32) *dora {
	b.Helper()
	changed := func(t device.Type, count int, seed uint64, change func(numbers []float32)) rowstest.Buffer {
		x := rowstest.Random(b, t, count, seed)
		change(x.Numbers)
		for i := range x.Numbers {
			x.Numbers[i] = devicetest.Round(t, x.Numbers[i])
		}
		x.Pointer = b.Upload(t, x.Numbers)
		return x
	}
	d := &dora{
		DoRASpec: s, whole: make([]float64, s.Out*s.In), wantNorm: make([]float64, s.Out), wantRatio: make([]float64, s.Out),
		w: changed(s.Weight, s.Out*s.In, 1, func(x []float32) { clear(x[:s.In]) }), a: rowstest.Random(b, s.Type, s.Rank*s.In, 2),
		b: changed(s.Type, s.Out*s.Rank, 3, func(x []float32) {
			clear(x[:s.Rank])
			for i := range x {
				x[i] *= factor
			}
		}),
		m:    changed(device.Float32, s.Out, 4, func(x []float32) { x[2], x[s.Out-1] = 0, 0 }),
		norm: rowstest.Empty(b, device.Float32, s.Out), ratio: rowstest.Empty(b, device.Float32, s.Out),
	}
	d.DoRAMatrices = rows.DoRAMatrices{
		W: d.w.Pointer, A: d.a.Pointer, B: d.b.Pointer, M: d.m.Pointer, Norm: d.norm.Pointer, Ratio: d.ratio.Pointer, Scale: scale,
	}
	for c := range s.Out {
		d.take(c)
	}
	return d
}

// take takes row c of W + s·B·A, its norm and its ratio.
func (d *dora) take(c int) {
	squares := 0.0
	for k := range d.In {
		v := d.w.At(c*d.In + k)
		for r := range d.Rank {
			v += float64(d.Scale) * d.b.At(c*d.Rank+r) * d.a.At(r*d.In+k)
		}
		d.whole[c*d.In+k] = v
		squares += v * v
	}
	d.wantNorm[c], d.wantRatio[c] = math.Sqrt(squares), 1
	if squares > 0 {
		d.wantRatio[c] = d.m.At(c) / d.wantNorm[c]
	}
}

// TestDoRA compares norms, ratios and gradients of magnitudes with float64, where rows and
// magnitudes are zeros too.
func TestDoRA(t *testing.T) {
	b := devicetest.Open(t)
	for _, types := range [][2]device.Type{{device.Float32, device.Float32}, {device.BFloat16, device.BFloat16}, {device.Float16, device.Float16}, {device.BFloat16, device.Float32}} {
		for _, shape := range [][3]int{{264, 72, 8}, {9, 7, 3}, {130, 515, 16}, {33, 18, 200}} {
			s := rows.DoRASpec{Type: types[0], Weight: types[1], In: shape[0], Out: shape[1], Rank: shape[2]}
			set := &device.Set{}
			k := rows.NewDoRA(set, s)
			b.Load(set)
			name := fmt.Sprintf("%+v: ", s)
			d := drawDoRA(b, s, 0.5, 1)
			k.Norms(b.Queue, d.DoRAMatrices)
			size := math.Sqrt(float64(s.In * s.Rank))
			rowstest.Compare(b, name+"norm", d.norm, d.wantNorm, 1e-5*size)
			rowstest.Compare(b, name+"ratio", d.ratio, d.wantRatio, 1e-5)
			for _, n := range []int{1, 70, 300} {
				d.compareGradients(b, k, n, name)
			}
		}
	}
}

// compareGradients compares what goes back through the magnitudes, on n rows, dz in a place
// of its own and in those of dy and y.
func (d *dora) compareGradients(b *devicetest.Bench, k *rows.DoRA, n int, name string) {
	b.Helper()
	sum := rowstest.Random(b, device.Float32, d.Out, 9)
	wantSum, workspace := wide(sum), b.Alloc(device.Float32, int(k.Workspace(n)/4))
	large := 0.0 // a divisor may be small
	for place, by := range []rowstest.Buffer{rowstest.Random(b, device.Float32, d.Out, 10), d.m, d.norm} {
		dy, y := rowstest.Random(b, d.Type, n*d.Out, 6), rowstest.Random(b, d.Type, n*d.Out, 7)
		if by.Pointer == d.norm.Pointer {
			by.Numbers = b.Download(by.Pointer, by.Type, d.Out)
		}
		dz := []rowstest.Buffer{rowstest.Empty(b, d.Type, n*d.Out), dy, y}[place]
		g := rows.DoRAGradient{DY: dy.Pointer, Y: y.Pointer, By: by.Pointer, DM: sum.Pointer, DZ: dz.Pointer}
		k.Gradient(b.Queue, n, g, d.DoRAMatrices, workspace)
		wantZ := make([]float64, n*d.Out)
		for i := range wantZ {
			c := i % d.Out
			wantZ[i] = dy.At(i) * d.wantRatio[c]
			if by.At(c) != 0 && d.wantNorm[c] != 0 {
				wantSum[c] += dy.At(i) * y.At(i) / by.At(c)
			}
		}
		rowstest.Compare(b, fmt.Sprintf("%s%d rows, dz %d", name, n, place), dz, wantZ, 1e-4)
		for _, v := range wantSum {
			large = max(large, math.Abs(v))
		}
		rowstest.Compare(b, fmt.Sprintf("%s%d rows, dm %d", name, n, place), sum, wantSum, 1e-5*large+1e-3)
	}
	x, dy := rowstest.Random(b, d.Type, n*d.In, 5), rowstest.Random(b, d.Type, n*d.Out, 6)
	k.Missing(b.Queue, n, sum.Pointer, dy.Pointer, x.Pointer, d.DoRAMatrices)
	for _, c := range []int{2, d.Out - 1} {
		for row := range n {
			for i := range d.In {
				wantSum[c] += dy.At(row*d.Out+c) * x.At(row*d.In+i) * d.whole[c*d.In+i] / d.wantNorm[c]
			}
		}
	}
	rowstest.Compare(b, fmt.Sprintf("%s%d rows, missing", name, n), sum, wantSum, 1e-5*large+2e-3)
}

// TestRowNorms compares norms that come from products on tensor cores with float64: with B
// of zeros, of a size that training gives it and as large as A; where rows are zeros, of W,
// of B or of both; where W and s·B·A leave half of each other, next to nothing, or nothing.
func TestRowNorms(t *testing.T) {
	const scale = 0.5
	b := devicetest.Open(t)
	for _, kind := range []device.Type{device.BFloat16, device.Float16} {
		for _, shape := range [][3]int{{264, 72, 8}, {4096, 515, 16}, {1000, 130, 24}, {200, 64, 96}} {
			s := rows.DoRASpec{Type: kind, Weight: kind, In: shape[0], Out: shape[1], Rank: shape[2]}
			input := adapter.InputSpec{Type: kind, Width: s.In, Rank: s.Rank, Shared: b.GPU.Info.SharedPerBlock, Processors: b.GPU.Info.SMs}
			if !adapter.RunsInput(input) {
				t.Fatalf("%+v: there is no kernel", input)
			}
			set := &device.Set{}
			norms, products := rows.NewRowNorms(set, s), adapter.NewInput(set, input)
			b.Load(set)
			for _, factor := range []float32{0, 0.01, 1} {
				d := drawDoRA(b, s, scale, factor)
				d.leave(b, 5, 0)
				d.leave(b, 6, -0.5)
				d.leave(b, 7, -1)
				d.b.Numbers[8*s.Rank] = 2 // and of A's first row, W_8 is just that
				clear(d.b.Numbers[8*s.Rank+1 : 9*s.Rank])
				d.leave(b, 8, -1)
				p := rows.NormProducts{Squares: b.Alloc(device.Float32, s.Out), ProductShares: products.ProductShares(s.Out), GramShares: products.GramShares()}
				p.Products = b.Alloc(device.Float32, s.Out*s.Rank*p.ProductShares)
				p.Gram = b.Alloc(device.Float32, s.Rank*s.Rank*p.GramShares)
				norms.Squares(b.Queue, p.Squares, d.W)
				run := func() {
					products.Products(b.Queue, s.Out, p.Products, d.W, d.A)
					products.Gram(b.Queue, p.Gram, d.A)
					norms.Norms(b.Queue, d.DoRAMatrices, p)
				}
				run()
				d.compareNorms(b, fmt.Sprintf("%+v, B by %v", s, factor))
				first := b.Download(d.Norm, device.Float32, s.Out)
				run()
				if !slices.Equal(first, b.Download(d.Norm, device.Float32, s.Out)) {
					t.Errorf("%+v: norms differ the second time", s)
				}
			}
		}
	}
}

// leave makes row c of W what s·B·A is there, by a factor, and rounded.
func (d *dora) leave(b *devicetest.Bench, c int, factor float64) {
	b.Helper()
	for k := range d.In {
		v := 0.0
		for r := range d.Rank {
			v += float64(d.Scale) * d.b.At(c*d.Rank+r) * d.a.At(r*d.In+k)
		}
		d.w.Numbers[c*d.In+k] = devicetest.Round(d.Weight, float32(factor*v))
	}
	d.w.Pointer, d.b.Pointer = b.Upload(d.Weight, d.w.Numbers), b.Upload(d.Type, d.b.Numbers)
	d.W, d.B = d.w.Pointer, d.b.Pointer
	d.take(c)
}

// compareNorms compares them to a part of each: a thousandth in the rows that leave has
// made, whose terms are more than what is left of them, and far less in the others.
func (d *dora) compareNorms(b *devicetest.Bench, name string) {
	b.Helper()
	norm, ratio := b.Download(d.Norm, device.Float32, d.Out), b.Download(d.Ratio, device.Float32, d.Out)
	for c := range d.Out {
		limit := 3e-5
		if c >= 5 && c <= 8 {
			limit = 1e-3
		}
		for _, pair := range [][2]float64{{float64(norm[c]), d.wantNorm[c]}, {float64(ratio[c]), d.wantRatio[c]}} {
			if got, want := pair[0], pair[1]; !(math.Abs(got-want) <= limit*math.Abs(want)) {
				b.Errorf("%s: norm and ratio of row %d are %v and %v, want %v and %v", name, c, norm[c], ratio[c], d.wantNorm[c], d.wantRatio[c])
				return
			}
		}
	}
}

// TestScaled multiplies columns, in place, into another matrix, and added.
func TestScaled(t *testing.T) {
	const n, more = 7, -1
	each(t, sizes(), func(set *device.Set, c sized) *rows.Scaled { return rows.NewScaled(set, c.width, c.from, c.to) },
		func(b *devicetest.Bench, c sized, k *rows.Scaled) {
			x, factor := rowstest.Random(b, c.from, n*c.width, 1), rowstest.Random(b, device.Float32, c.width, 2)
			y, sum, less := rowstest.Empty(b, c.to, n*c.width), rowstest.Random(b, c.to, n*c.width, 3), rowstest.Random(b, c.to, n*c.width, 4)
			want, wantSum, wantLess := wide(x), wide(sum), wide(less)
			for i := range want {
				wantSum[i] += want[i] * (factor.At(i%c.width) + more)
				wantLess[i] += want[i] * more
				want[i] *= factor.At(i % c.width)
			}
			k.Write(b.Queue, n, y.Pointer, x.Pointer, factor.Pointer, 0)
			rowstest.Compare(b, c.String(), y, want, 4*exact)
			k.Add(b.Queue, n, sum.Pointer, x.Pointer, factor.Pointer, more)
			rowstest.Compare(b, c.String()+", added", sum, wantSum, 8*exact)
			k.Add(b.Queue, n, less.Pointer, x.Pointer, 0, more)
			rowstest.Compare(b, c.String()+", taken away", less, wantLess, 4*exact)
		})
}
