package experts

import (
	"fmt"
	"math"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
	"github.com/honeml/hone/sdk/graph"
)

// normalised are a token's scores divided by their sum.
func normalised(o graph.Route, logits []float64) []float64 {
	out, total := scores(o, logits), 0.0
	for _, s := range out {
		total += s
	}
	for i := range out {
		out[i] /= total
	}
	return out
}

// TestBalance compares the balancing losses of documents, some without a weight, and their
// gradients with the definition, beside the gradient by the weights and alone.
func TestBalance(t *testing.T) {
	b := devicetest.Open(t)
	for name, o := range routes() {
		o.Balance = 0.75
		for _, typ := range rowstest.Types() {
			tryBalance(b, fmt.Sprint(name, ", ", typ, ": "), o, typ)
		}
	}
}

func tryBalance(b *devicetest.Bench, name string, o graph.Route, typ device.Type) {
	b.Helper()
	const scale = 8
	var start, end []int32
	var share []float32
	for i, n := range []int{1, 7, 30, 1, 4, 1, 1} {
		first := len(share)
		for range n {
			start, end = append(start, int32(first)), append(end, int32(first+n))
			share = append(share, []float32{0.5, 2, 1.25, 0, 0, 3, 0}[i])
		}
	}
	rowCount := len(share)
	var set device.Set
	r, grouping := NewRoute(&set, o, typ), NewGrouping(&set, o.Experts, o.TopK, typ)
	b.Load(&set)
	x, bias := rowstest.Random(b, typ, rowCount*o.Experts, 1), rowstest.Random(b, device.Float32, o.Experts, 2)
	indices := b.Alloc(device.Float32, rowCount*o.TopK)
	r.Forward(b.Queue, rowCount, indices, b.Alloc(device.Float32, rowCount*o.TopK), x.Pointer, bias.Pointer)
	groups := grouping.At(b.Alloc(device.Float32, int(grouping.Bytes(rowCount))/4), rowCount)
	grouping.Group(b.Queue, groups, indices, b.Alloc(device.Float32, int(grouping.Workspace(rowCount))/4))
	chosen := ints(b, indices, rowCount*o.TopK)

	balance := Balance{
		DocStart: b.UploadInts(start), DocEnd: b.UploadInts(end), Share: b.Upload(device.Float32, share),
		Scale: b.Upload(device.Float32, []float32{scale}), F: rowstest.Empty(b, device.Float32, int(r.ShareBytes(rowCount)/4)).Pointer,
	}
	r.Shares(b.Queue, rowCount, balance, groups)
	losses := rowstest.Empty(b, device.Float32, rowCount)
	r.Losses(b.Queue, rowCount, losses.Pointer, x.Pointer, balance)
	want, gradient := make([]float64, rowCount), make([]float64, rowCount*o.Experts)
	for row := range want {
		from, to, weight := int(start[row]), int(end[row]), float64(share[row])*o.Balance
		f, logits := make([]float64, o.Experts), floats(x, row*o.Experts, o.Experts)
		for _, e := range chosen[from*o.TopK : to*o.TopK] {
			f[e] += float64(o.Experts) / float64(o.TopK*(to-from))
		}
		mean, s := 0.0, normalised(o, logits)
		for e := range s {
			mean += f[e] * s[e]
		}
		want[row] = weight * mean
		for e := range s {
			d := scale * weight * s[e] * (f[e] - mean)
			if o.Sigmoid {
				d /= 1 + math.Exp(logits[e])
			}
			gradient[row*o.Experts+e] = d
		}
	}
	rowstest.Compare(b, name+"losses", losses, want, slack(want))

	dw := rowstest.Random(b, device.Float32, rowCount*o.TopK, 3)
	for _, alone := range []bool{true, false} {
		weights := dw.Pointer
		if alone {
			weights = 0
		} else if o.Experts > 256 { // differences would take long
			return
		}
		for i := 0; i < len(gradient) && !alone; i++ {
			row, e := i/o.Experts, i%o.Experts
			gradient[i] += slope(func(delta float64) float64 {
				logits, sum := floats(x, row*o.Experts, o.Experts), 0.0
				logits[e] += delta
				for s, w := range weightsOf(o, logits, chosen[row*o.TopK:(row+1)*o.TopK]) {
					sum += w * dw.At(row*o.TopK+s)
				}
				return sum
			})
		}
		for _, add := range []bool{false, true} {
			d := rowstest.Result(b, typ, rowCount*o.Experts, add)
			sum := before(d, add)
			for i := range sum {
				sum[i] += gradient[i]
			}
			r.Backward(b.Queue, rowCount, d.Pointer, x.Pointer, indices, weights, add, balance)
			rowstest.Compare(b, fmt.Sprint(name, "gradient, alone ", alone, ", added ", add), d, sum, slack(sum))
		}
	}
}

// slack is what float32 arithmetic loses of sums with such results.
func slack(x []float64) float64 {
	most := 1.0
	for _, v := range x {
		most = max(most, math.Abs(v))
	}
	return 1e-5 * most
}

// TestBalanceOfLowLogits: sigmoids that are all 0 in float32 still have normal scores.
func TestBalanceOfLowLogits(t *testing.T) {
	b := devicetest.Open(t)
	o := graph.Route{Experts: 4, TopK: 1, Sigmoid: true, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1, Bias: graph.NoParam, Balance: 1}
	var set device.Set
	r := NewRoute(&set, o, device.Float32)
	b.Load(&set)
	balance := Balance{
		DocStart: b.UploadInts([]int32{0}), Share: b.Upload(device.Float32, []float32{1}), Scale: b.Upload(device.Float32, []float32{1}),
		F: b.Upload(device.Float32, []float32{0, 4, 0, 0}),
	}
	logits := b.Upload(device.Float32, []float32{-200, -201, -200, -202})
	losses, d := rowstest.Empty(b, device.Float32, 1), rowstest.Empty(b, device.Float32, 4)
	r.Losses(b.Queue, 1, losses.Pointer, logits, balance)
	r.Backward(b.Queue, 1, d.Pointer, logits, b.UploadInts([]int32{1}), 0, false, balance)
	total := 2 + math.Exp(-1) + math.Exp(-2)
	s := []float64{1 / total, math.Exp(-1) / total, 1 / total, math.Exp(-2) / total}
	rowstest.Compare(b, "loss", losses, []float64{4 * s[1]}, 1e-5)
	want := make([]float64, 4)
	for e, f := range []float64{0, 4, 0, 0} {
		want[e] = s[e] * (f - 4*s[1])
	}
	rowstest.Compare(b, "gradient", d, want, 1e-5)
}
