package rows_test

import (
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

// TestLarge looks at the last rows of matrices of more than 2³¹ numbers, 4 GiB.
func TestLarge(t *testing.T) {
	const width, n, last = 4096, 1<<19 + 8, 8
	const before = (n - last) * width
	b := devicetest.Open(t)
	set := &device.Set{}
	scale, bias := rows.NewScale(set, device.BFloat16, device.BFloat16), rows.NewBias(set, width, device.BFloat16)
	split := rows.NewSplit(set, 2, []int{width / 4, width / 4}, device.BFloat16)
	sums := rows.NewColumnSums(set, width, device.BFloat16)
	b.Load(set)

	buffer := func() (p device.Pointer) {
		t.Helper()
		err := b.GPU.Do(func() (err error) {
			p, err = b.GPU.Alloc(n * width * 2)
			return err
		})
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { _ = b.GPU.Do(func() error { return b.GPU.Free(p) }) })
		b.Zero(p, n*width*2)
		return p
	}
	tail := func(p device.Pointer, numbers int) rowstest.Buffer {
		return rowstest.Buffer{Pointer: p, Type: device.BFloat16, Numbers: make([]float32, numbers)}
	}
	x, y := buffer(), buffer()
	end := rowstest.Random(b, device.BFloat16, last*width, 1)
	vector := rowstest.Random(b, device.Float32, width, 2)
	b.Copy(x.Offset(before*2), end.Pointer, last*width*2)

	scale.Write(b.Queue, n*width, y, x, 2)
	bias.Add(b.Queue, n, y, vector.Pointer, 1)
	want := make([]float64, last*width)
	for i := range want {
		want[i] = 2*end.At(i) + vector.At(i%width)
	}
	rowstest.Compare(b, "scale and bias", tail(y.Offset(before*2), last*width), want, exact)

	split.Forward(b.Queue, n, []device.Pointer{y, 0}, x)
	for i := range last * width / 2 {
		group, c := i/(width/4), i%(width/4)
		want[i] = end.At(group*width/2 + c)
	}
	rowstest.Compare(b, "split", tail(y.Offset(before), last*width/2), want[:last*width/2], 0)

	total := rowstest.Buffer{Pointer: b.Upload(device.Float32, make([]float32, width)), Type: device.Float32, Numbers: make([]float32, width)}
	want = make([]float64, width)
	for i := range last * width {
		want[i%width] += end.At(i)
	}
	sums.Add(b.Queue, n, total.Pointer, x, 1, b.Alloc(device.Float32, int(sums.Workspace(n)/4)))
	rowstest.Compare(b, "column sums", total, want, 1e-5)
}
