package rows_test

import (
	"fmt"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
	"github.com/honeml/hone/sdk/graph/dropout"
)

// widths are odd ones, and such as are read in each number of bytes at once.
var widths = []int{1, 3, 6, 12, 40, 257, 576}

// exact is the slack where the only arithmetic is a sum of two numbers.
const exact = 1e-6

// each asks for a kernel for each case, loads them together and runs each.
func each[C, K any](t *testing.T, cases []C, ask func(*device.Set, C) K, run func(*devicetest.Bench, C, K)) {
	t.Helper()
	b := devicetest.Open(t)
	set := &device.Set{}
	var kernels []K
	for _, c := range cases {
		kernels = append(kernels, ask(set, c))
	}
	b.Load(set)
	for i, c := range cases {
		run(b, c, kernels[i])
	}
}

// sized is a width and the types of two matrices.
type sized struct {
	width    int
	from, to device.Type
}

func (s sized) String() string { return fmt.Sprintf("%d, %v to %v", s.width, s.from, s.to) }

// sizes are all widths in each type, and one width between types.
func sizes() []sized {
	var out []sized
	for _, from := range rowstest.Types() {
		for _, width := range widths {
			out = append(out, sized{width, from, from})
		}
		for _, to := range rowstest.Types() {
			if from != to {
				out = append(out, sized{40, from, to}, sized{7, from, to})
			}
		}
	}
	return out
}

func TestScale(t *testing.T) {
	each(t, sizes(), func(set *device.Set, c sized) *rows.Scale { return rows.NewScale(set, c.from, c.to) },
		func(b *devicetest.Bench, c sized, s *rows.Scale) {
			x := rowstest.Random(b, c.from, c.width*5, 1)
			for _, factor := range []float32{1, -0.3} {
				for _, accumulate := range []bool{false, true} {
					y := rowstest.Result(b, c.to, c.width*5, accumulate)
					want := make([]float64, len(x.Numbers))
					for i := range want {
						want[i] = float64(x.Numbers[i] * factor)
						if accumulate {
							want[i] += y.At(i)
						}
					}
					run := s.Write
					if accumulate {
						run = s.Add
					}
					run(b.Queue, int64(len(want)), y.Pointer, x.Pointer, factor)
					rowstest.Compare(b, fmt.Sprint(c, ": ", factor, accumulate), y, want, exact)
				}
			}
		})
}

func TestBias(t *testing.T) {
	each(t, sizes(), func(set *device.Set, c sized) *rows.Bias { return rows.NewBias(set, c.width, c.to) },
		func(b *devicetest.Bench, c sized, k *rows.Bias) {
			y, bias := rowstest.Random(b, c.to, c.width*5, 1), rowstest.Random(b, device.Float32, c.width, 2)
			want := make([]float64, len(y.Numbers))
			for i := range want {
				want[i] = y.At(i) + 0.5*bias.At(i%c.width)
			}
			k.Add(b.Queue, 5, y.Pointer, bias.Pointer, 0.5)
			rowstest.Compare(b, c.String(), y, want, exact)
		})
}

func TestColumnSums(t *testing.T) {
	each(t, sizes(), func(set *device.Set, c sized) *rows.ColumnSums { return rows.NewColumnSums(set, c.width, c.to) },
		func(b *devicetest.Bench, c sized, k *rows.ColumnSums) {
			for _, n := range []int{1, 31, 1000} {
				x, y := rowstest.Random(b, c.to, c.width*n, 1), rowstest.Random(b, device.Float32, c.width, 2)
				want := make([]float64, c.width)
				for i := range want {
					want[i] = y.At(i)
				}
				for i := range x.Numbers {
					want[i%c.width] -= 2 * x.At(i)
				}
				workspace := b.Alloc(device.Float32, int(k.Workspace(int64(n))/4))
				k.Add(b.Queue, int64(n), y.Pointer, x.Pointer, -2, workspace)
				rowstest.Compare(b, fmt.Sprint(c, ", rows ", n), y, want, 1e-4)
			}
		})
}

func TestIndex(t *testing.T) {
	each(t, sizes(), func(set *device.Set, c sized) *rows.Index { return rows.NewIndex(set, c.width, c.to) },
		func(b *devicetest.Bench, c sized, k *rows.Index) {
			index := []int32{3, -1, 0, 8}
			x := rowstest.Random(b, c.to, c.width*9, 1)
			y := rowstest.Empty(b, c.to, c.width*len(index))
			p := b.UploadInts(index)
			want := make([]float64, len(y.Numbers))
			for i := range want {
				if row := index[i/c.width]; row >= 0 {
					want[i] = x.At(int(row)*c.width + i%c.width)
				}
			}
			k.Gather(b.Queue, len(index), y.Pointer, x.Pointer, p)
			rowstest.Compare(b, c.String()+", gathered", y, want, 0)

			for _, accumulate := range []bool{false, true} {
				back := rowstest.Random(b, c.to, c.width*9, 2)
				z := rowstest.Random(b, c.to, c.width*len(index), 3)
				want := make([]float64, len(back.Numbers))
				for i := range want {
					want[i] = back.At(i)
				}
				for i := range z.Numbers {
					if row := int(index[i/c.width]); row >= 0 {
						at := row*c.width + i%c.width
						if !accumulate {
							want[at] = 0
						}
						want[at] += z.At(i)
					}
				}
				k.Scatter(b.Queue, len(index), back.Pointer, z.Pointer, p, accumulate)
				rowstest.Compare(b, fmt.Sprint(c, ", scattered ", accumulate), back, want, exact)
			}
		})
}

func TestDropout(t *testing.T) {
	for _, slots := range []int{1, 3} {
		each(t, sizes(), func(set *device.Set, c sized) *rows.Dropout {
			return rows.NewDropout(set, c.width, slots, c.from, c.to)
		},
			func(b *devicetest.Bench, c sized, k *rows.Dropout) { tryDropout(b, c, k, slots) })
	}
}

func tryDropout(b *devicetest.Bench, c sized, k *rows.Dropout, slots int) {
	key := dropout.NewKey(3, 4, "model.layers.0.self_attn.q_proj")
	sample, position := []int32{0, 0, 1, 7, 1 << 20}, []int32{0, 1, 0, 5, 1<<20 - 1}
	n := len(sample)
	x := rowstest.Random(b, c.from, c.width*slots*n, 1)
	keys := b.UploadInts([]int32{int32(key[0]), int32(key[1])})
	for _, p := range []float64{0, 0.1, 0.5, 1 - 0x1p-53} {
		for _, accumulate := range []bool{false, true} {
			y := rowstest.Result(b, c.to, len(x.Numbers), accumulate)
			want, m := make([]float64, len(x.Numbers)), make([]float32, c.width)
			for i := range want {
				if row := i / c.width; i%c.width == 0 {
					dropout.SlotRow(key, sample[row/slots], position[row/slots], int32(row%slots), p, m)
				}
				want[i] = float64(x.Numbers[i] * m[i%c.width])
				if accumulate {
					want[i] += y.At(i)
				}
			}
			k.Apply(b.Queue, n, y.Pointer, x.Pointer, b.UploadInts(sample), b.UploadInts(position), keys, p, accumulate)
			rowstest.Compare(b, fmt.Sprint(c, ", p ", p, accumulate), y, want, exact)
		}
	}
}
