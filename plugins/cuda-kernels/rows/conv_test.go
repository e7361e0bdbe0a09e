package rows_test

import (
	"fmt"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

// documents are the starts and ends of documents of these lengths, for each row.
func documents(lengths ...int) (start, end []int32) {
	at := 0
	for _, length := range lengths {
		for range length {
			start, end = append(start, int32(at)), append(end, int32(at+length))
		}
		at += length
	}
	return start, end
}

type convCase struct {
	width, kernel int
	of            device.Type
}

func TestConv(t *testing.T) {
	var cases []convCase
	for _, of := range rowstest.Types() {
		for _, kernel := range []int{1, 2, 3, 4, 5, 8, 9, 20} {
			cases = append(cases, convCase{24, kernel, of}, convCase{5, kernel, of})
		}
		cases = append(cases, convCase{576, 4, of}, convCase{1, 3, of})
	}
	each(t, cases, func(set *device.Set, c convCase) *rows.Conv {
		return rows.NewConv(set, c.width, c.kernel, c.of, true)
	}, func(b *devicetest.Bench, c convCase, k *rows.Conv) {
		checkConv(b, k, c, []int{1})
		checkConv(b, k, c, []int{5, 1, 2, 33, 1, 1, 40})
	})
}

func checkConv(b *devicetest.Bench, k *rows.Conv, c convCase, lengths []int) {
	b.Helper()
	start, end := documents(lengths...)
	n := len(start)
	name := fmt.Sprintf("width %d, kernel %d, %v, %d rows: ", c.width, c.kernel, c.of, n)
	x, dy := rowstest.Random(b, c.of, n*c.width, 1), rowstest.Random(b, c.of, n*c.width, 2)
	weight, bias := rowstest.Random(b, device.Float32, c.width*c.kernel, 3), rowstest.Random(b, device.Float32, c.width, 4)
	dWeight, dBias := rowstest.Random(b, device.Float32, c.width*c.kernel, 5), rowstest.Random(b, device.Float32, c.width, 6)
	y, dx := make([]float64, n*c.width), make([]float64, n*c.width)
	dw, db := wide(dWeight), wide(dBias)
	for i := range y {
		t, column := i/c.width, i%c.width
		y[i] = bias.At(column)
		db[column] += dy.At(i)
		for d := 0; d < c.kernel && d <= t-int(start[t]); d++ {
			w, from := column*c.kernel+c.kernel-1-d, i-d*c.width
			y[i] += weight.At(w) * x.At(from)
			dx[from] += weight.At(w) * dy.At(i)
			dw[w] += x.At(from) * dy.At(i)
		}
	}
	from, to := b.UploadInts(start), b.UploadInts(end)
	slack := 4 * exact * float64(c.kernel)

	out := rowstest.Empty(b, c.of, n*c.width)
	k.Forward(b.Queue, n, out.Pointer, x.Pointer, weight.Pointer, bias.Pointer, from)
	rowstest.Compare(b, name+"y", out, y, slack)

	k.Forward(b.Queue, n, out.Pointer, x.Pointer, weight.Pointer, 0, from)
	for i := range y {
		y[i] -= bias.At(i % c.width)
	}
	rowstest.Compare(b, name+"y without bias", out, y, slack)

	for _, accumulate := range []bool{false, true} {
		got := rowstest.Result(b, c.of, n*c.width, accumulate)
		want := dx
		if accumulate {
			want = sum(dx, wide(got))
		}
		k.Backward(b.Queue, n, got.Pointer, dy.Pointer, weight.Pointer, to, accumulate)
		rowstest.Compare(b, name+"dx", got, want, slack)
	}

	workspace := b.Alloc(device.Float32, int(k.Workspace(int64(n))/4))
	k.Train(b.Queue, n, dWeight.Pointer, dBias.Pointer, dy.Pointer, x.Pointer, from, workspace)
	rowstest.Compare(b, name+"dWeight", dWeight, dw, 2e-5)
	rowstest.Compare(b, name+"dBias", dBias, db, 2e-5)
}
