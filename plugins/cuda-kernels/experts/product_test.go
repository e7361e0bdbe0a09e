package experts

import (
	"fmt"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

// matrix is element (n, k) of the matrix of an expert.
func (s ProductSpec) matrix(w rowstest.Buffer, expert, depth, n, k int) float64 {
	if s.Transposed {
		return w.At((expert*s.Width+n)*depth + k)
	}
	return w.At((expert*depth+k)*s.Width + n)
}

// A productCase is a Product and the choice that it is tried on.
type productCase struct {
	ProductSpec
	experts, slots, rows int
	bias, add            bool
}

func productCases(t device.Type) []productCase {
	var out []productCase
	for _, transposed := range []bool{true, false} {
		spec := func(depth, width, depth2, share int) ProductSpec {
			return ProductSpec{Depth: depth, Width: width, Depth2: depth2, Share: share, Transposed: transposed, Type: t}
		}
		out = append(out,
			productCase{spec(64, 128, 0, 1), 3, 2, 100, false, false},
			productCase{spec(72, 136, 16, 2), 4, 2, 150, true, true},
			productCase{spec(200, 264, 4, 3), 9, 3, 40, true, false},
			productCase{spec(96, 16, 0, 4), 5, 4, 70, false, false},
			productCase{spec(40, 8, 0, 1), 5, 4, 70, false, true},
			productCase{spec(130, 32, 0, 2), 5, 2, 70, false, false},
			productCase{spec(33, 60, 7, 1), 2, 1, 140, true, true},
			productCase{spec(7, 129, 3, 2), 4, 2, 9, true, true},
			productCase{spec(1, 1, 1, 1), 1, 1, 1, false, false},
		)
	}
	return out
}

func (c productCase) run(b *devicetest.Bench) (y rowstest.Buffer, want []float64) {
	b.Helper()
	var set device.Set
	p := NewProduct(&set, c.ProductSpec)
	b.Load(&set)
	chosen := choose(b, c.experts, c.slots, c.rows, c.Type)
	slots := len(chosen.indices)
	x := rowstest.Random(b, c.Type, slots/c.Share*c.Depth, 1)
	w := rowstest.Random(b, c.Type, c.experts*c.Depth*c.Width, 2)
	o := Operands{X: x.Pointer, W: w.Pointer, Factor: 0.5, Add: c.add}
	var x2, w2, bias rowstest.Buffer
	if c.Depth2 > 0 {
		x2, w2 = rowstest.Random(b, c.Type, slots*c.Depth2, 3), rowstest.Random(b, c.Type, c.experts*c.Depth2*c.Width, 4)
		o.X2, o.W2 = x2.Pointer, w2.Pointer
	}
	if c.bias {
		bias = rowstest.Random(b, device.Float32, c.experts*c.Width, 5)
		o.Bias = bias.Pointer
	}
	y = rowstest.Result(b, c.Type, slots*c.Width, c.add)
	o.Y = y.Pointer
	for i, e := range chosen.indices {
		for n := range c.Width {
			sum := 0.0
			for k := range c.Depth {
				sum += x.At(i/c.Share*c.Depth+k) * c.matrix(w, int(e), c.Depth, n, k)
			}
			for k := range c.Depth2 {
				sum += x2.At(i*c.Depth2+k) * c.matrix(w2, int(e), c.Depth2, n, k)
			}
			sum *= 0.5
			if c.bias {
				sum += bias.At(int(e)*c.Width + n)
			}
			if c.add {
				sum += y.At(len(want))
			}
			want = append(want, sum)
		}
	}
	p.Run(b.Queue, chosen.groups, o)
	return y, want
}

func TestProduct(t *testing.T) {
	b := devicetest.Open(t)
	for _, typ := range rowstest.Types() {
		for _, c := range productCases(typ) {
			y, want := c.run(b)
			rowstest.Compare(b, fmt.Sprintf("%+v: y", c), y, want, 1e-4)
		}
	}
}

// TestRepeats runs twice and wants the same bits.
func TestRepeats(t *testing.T) {
	b := devicetest.Open(t)
	c := productCases(device.BFloat16)[1]
	first, _ := c.run(b)
	second, _ := c.run(b)
	rowstest.Same(b, "y", first, second)
}

func TestOuter(t *testing.T) {
	b := devicetest.Open(t)
	type outerCase struct {
		height, width, heightShare, widthShare int
		experts, slots, rows                   int
	}
	cases := []outerCase{
		{128, 128, 1, 2, 3, 2, 100}, {136, 264, 1, 1, 4, 2, 150}, {200, 16, 4, 1, 9, 4, 30},
		{130, 8, 3, 1, 5, 3, 70}, {33, 60, 1, 1, 2, 1, 140}, {257, 4, 1, 1, 4, 2, 9}, {1, 1, 1, 1, 1, 1, 1},
	}
	for _, typ := range rowstest.Types() {
		for _, c := range cases {
			for _, strided := range []bool{false, true} {
				spec := OuterSpec{
					Height: c.height, Width: c.width, HeightShare: c.heightShare, WidthShare: c.widthShare, Experts: c.experts, Type: typ,
					Expert: c.height * c.width, Row: c.width, Column: 1,
				}
				if strided { // as an adapter's B
					spec.Expert, spec.Row, spec.Column = 1, c.width*c.experts, c.experts
				}
				var set device.Set
				o := NewOuter(&set, spec)
				b.Load(&set)
				chosen := choose(b, c.experts, c.slots, c.rows, typ)
				p := rowstest.Random(b, typ, len(chosen.indices)/c.heightShare*c.height, 1)
				q := rowstest.Random(b, typ, len(chosen.indices)/c.widthShare*c.width, 2)
				d := rowstest.Random(b, device.Float32, c.experts*c.height*c.width, 3)
				want := make([]float64, len(d.Numbers))
				for i := range want {
					want[i] = d.At(i)
				}
				for i, e := range chosen.indices {
					for m := range c.height {
						for n := range c.width {
							want[int(e)*spec.Expert+m*spec.Row+n*spec.Column] += 0.5 * p.At(i/c.heightShare*c.height+m) * q.At(i/c.widthShare*c.width+n)
						}
					}
				}
				o.Add(b.Queue, chosen.groups, d.Pointer, p.Pointer, q.Pointer, 0.5)
				rowstest.Compare(b, fmt.Sprintf("%v %+v, strided %v: d", typ, c, strided), d, want, 1e-4)
			}
		}
	}
}

func TestPack(t *testing.T) {
	b := devicetest.Open(t)
	for _, typ := range rowstest.Types() {
		for _, c := range [][3]int{{3, 5, 16}, {128, 9, 4}, {2, 300, 3}, {1, 1, 1}} {
			experts, height, rank := c[0], c[1], c[2]
			var set device.Set
			p := NewPack(&set, experts, height, rank, typ)
			b.Load(&set)
			from, to := rowstest.Random(b, typ, experts*height*rank, 1), rowstest.Empty(b, typ, experts*height*rank)
			var want []float64
			for e := range experts {
				for row := range height {
					for j := range rank {
						want = append(want, from.At((row*rank+j)*experts+e))
					}
				}
			}
			p.Run(b.Queue, to.Pointer, from.Pointer)
			rowstest.Compare(b, fmt.Sprint(typ, c), to, want, 0)
		}
	}
}

func TestBiasSums(t *testing.T) {
	b := devicetest.Open(t)
	for _, typ := range rowstest.Types() {
		for _, width := range []int{1, 33, 128} {
			const experts, slots, rowCount = 4, 2, 100
			var set device.Set
			k := NewBiasSums(&set, experts, width, typ)
			b.Load(&set)
			chosen := choose(b, experts, slots, rowCount, typ)
			x, d := rowstest.Random(b, typ, rowCount*slots*width, 1), rowstest.Random(b, device.Float32, experts*width, 2)
			want := make([]float64, len(d.Numbers))
			for i := range want {
				want[i] = d.At(i)
			}
			for i := range x.Numbers {
				want[int(chosen.indices[i/width])*width+i%width] += x.At(i)
			}
			k.Add(b.Queue, chosen.groups, d.Pointer, x.Pointer)
			rowstest.Compare(b, fmt.Sprint(typ, width), d, want, 1e-4)
		}
	}
}
