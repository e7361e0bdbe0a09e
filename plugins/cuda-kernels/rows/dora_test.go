package rows_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

// TestDoRA compares norms, ratios and gradients of magnitudes with float64; the first row
// is zeros, and the magnitude of another is 0.
func TestDoRA(t *testing.T) {
	const n, scale = 70, 0.5
	b := devicetest.Open(t)
	for _, types := range [][2]device.Type{{device.Float32, device.Float32}, {device.BFloat16, device.BFloat16}, {device.Float16, device.Float16}, {device.BFloat16, device.Float32}} {
		for _, shape := range [][3]int{{264, 72, 8}, {9, 7, 3}, {130, 515, 16}, {33, 18, 200}} {
			s := rows.DoRASpec{Type: types[0], Weight: types[1], In: shape[0], Out: shape[1], Rank: shape[2]}
			set := &device.Set{}
			d := rows.NewDoRA(set, s)
			b.Load(set)
			name := fmt.Sprintf("%+v: ", s)
			zeroed := func(t device.Type, count int, seed uint64, zeros int) rowstest.Buffer {
				x := rowstest.Random(b, t, count, seed)
				clear(x.Numbers[:zeros])
				x.Pointer = b.Upload(t, x.Numbers)
				return x
			}
			w, a, up := zeroed(s.Weight, s.Out*s.In, 1, s.In), rowstest.Random(b, s.Type, s.Rank*s.In, 2), zeroed(s.Type, s.Out*s.Rank, 3, s.Rank)
			m := rowstest.Random(b, device.Float32, s.Out, 4)
			m.Numbers[2] = 0
			m.Pointer = b.Upload(device.Float32, m.Numbers)
			norm, ratio := rowstest.Empty(b, device.Float32, s.Out), rowstest.Empty(b, device.Float32, s.Out)
			whole := make([]float64, s.Out*s.In)
			wantNorm, wantRatio := make([]float64, s.Out), make([]float64, s.Out)
			for c := range s.Out {
				for k := range s.In {
					v := w.At(c*s.In + k)
					for r := range s.Rank {
						v += scale * up.At(c*s.Rank+r) * a.At(r*s.In+k)
					}
					whole[c*s.In+k] = v
					wantNorm[c] += v * v
				}
				wantNorm[c], wantRatio[c] = math.Sqrt(wantNorm[c]), 1
				if wantNorm[c] > 0 {
					wantRatio[c] = m.At(c) / wantNorm[c]
				}
			}
			matrices := rows.DoRAMatrices{W: w.Pointer, A: a.Pointer, B: up.Pointer, M: m.Pointer, Norm: norm.Pointer, Ratio: ratio.Pointer, Scale: scale}
			d.Norms(b.Queue, matrices)
			size := math.Sqrt(float64(s.In * s.Rank))
			rowstest.Compare(b, name+"norm", norm, wantNorm, 1e-5*size)
			rowstest.Compare(b, name+"ratio", ratio, wantRatio, 1e-5)

			x, dy, y := rowstest.Random(b, s.Type, n*s.In, 5), rowstest.Random(b, s.Type, n*s.Out, 6), rowstest.Random(b, s.Type, n*s.Out, 7)
			sum := rowstest.Random(b, device.Float32, s.Out, 9)
			wantSum, workspace := wide(sum), b.Alloc(device.Float32, int(d.Workspace(n)/4))
			for _, by := range []rowstest.Buffer{rowstest.Random(b, device.Float32, s.Out, 10), m} {
				d.Dots(b.Queue, n, sum.Pointer, dy.Pointer, y.Pointer, by.Pointer, norm.Pointer, workspace)
				for c := range s.Out {
					for row := range n {
						if by.At(c) != 0 && wantNorm[c] != 0 {
							wantSum[c] += dy.At(row*s.Out+c) * y.At(row*s.Out+c) / by.At(c)
						}
					}
				}
			}
			large := 0.0 // a divisor may be small
			for _, v := range wantSum {
				large = max(large, math.Abs(v))
			}
			rowstest.Compare(b, name+"dots", sum, wantSum, 1e-5*large+1e-3)

			d.Missing(b.Queue, n, sum.Pointer, dy.Pointer, x.Pointer, matrices)
			for row := range n {
				for k := range s.In {
					wantSum[2] += dy.At(row*s.Out+2) * x.At(row*s.In+k) * whole[2*s.In+k] / wantNorm[2]
				}
			}
			rowstest.Compare(b, name+"missing", sum, wantSum, 1e-5*large+2e-3)
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
