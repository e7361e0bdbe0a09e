package rows_test

import (
	"fmt"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/adapter"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

func BenchmarkRows(b *testing.B) {
	const n, width, vocabulary = 16384, 4096, 32000
	bench := devicetest.Open(b)
	buffer := func() device.Pointer { return bench.Alloc(device.Float32, n*width) }
	x, y, z := buffer(), buffer(), buffer()
	table := bench.Alloc(device.Float32, vocabulary*width)
	vector, taps := bench.Alloc(device.Float32, width), bench.Alloc(device.Float32, 4*width)
	key, workspace := bench.UploadInts([]int32{1, 2}), buffer()
	counts, ids, ends := make([]int32, n), make([]int32, n), make([]int32, n)
	for t := range counts {
		counts[t], ids[t], ends[t] = int32(t), int32(t*7919%vocabulary), n
	}
	first, next := make([]int32, n), make([]int32, n)
	rows.Chains(first, next, ids)
	count, id, end, start := bench.UploadInts(counts), bench.UploadInts(ids), bench.UploadInts(ends), bench.UploadInts(make([]int32, n))
	firsts, nexts := bench.UploadInts(first), bench.UploadInts(next)
	q, set := bench.Queue, &device.Set{}
	var tasks []rowstest.Task
	for _, t := range []device.Type{device.BFloat16, device.Float32} {
		add := func(name string, bytes int64, run func()) {
			tasks = append(tasks, rowstest.Task{Name: fmt.Sprintf("%s/%v", name, t), Bytes: bytes, Run: run})
		}
		bytes := n * width * t.Size()
		same, cast := rows.NewScale(set, t, t), rows.NewScale(set, t, device.Float32)
		add("scale", 2*bytes, func() { same.Write(q, n*width, y, x, 0.5) })
		add("add", 3*bytes, func() { same.Add(q, n*width, y, x, 1) })
		add("cast to float32", bytes+n*width*4, func() { cast.Write(q, n*width, y, x, 1) })
		embed := rows.NewEmbed(set, width, t, t)
		add("embed", 2*bytes, func() { embed.Forward(q, n, y, table, id, 1) })
		add("embed backward", bytes+2*n*width*4, func() { embed.Backward(q, n, table, x, id, firsts, nexts, rows.Own{}, 1) })
		split := rows.NewSplit(set, 8, []int{256, 128, 128}, t)
		add("split", 2*bytes, func() {
			split.Forward(q, n, []device.Pointer{y, y.Offset(bytes / 2), y.Offset(bytes / 4 * 3)}, x)
		})
		concat := rows.NewConcat(set, 16, []int{192, 64}, []bool{false, true}, t)
		add("concat", bytes/4*3+bytes, func() { concat.Forward(q, n, y, []device.Pointer{x, z}) })
		add("concat backward", bytes/4*3+bytes, func() {
			concat.Backward(q, n, []device.Pointer{y, z}, x, []bool{false, false})
		})
		index := rows.NewIndex(set, width, t)
		add("gather", 2*bytes, func() { index.Gather(q, n, y, x, count) })
		add("scatter", 2*bytes, func() { index.Scatter(q, n, y, x, count, false) })
		bias, sums := rows.NewBias(set, width, t), rows.NewColumnSums(set, width, t)
		add("bias", 2*bytes, func() { bias.Add(q, n, y, vector, 1) })
		add("column sums", bytes, func() { sums.Add(q, n, vector, x, 1, workspace) })
		drop := rows.NewDropout(set, width, 1, t, t)
		add("dropout", 2*bytes, func() { drop.Apply(q, n, y, x, start, count, key, 0.1, false) })
		conv := rows.NewConv(set, width, 4, t, true)
		add("conv", 2*bytes, func() { conv.Forward(q, n, y, x, taps, 0, start) })
		add("conv backward", 2*bytes, func() { conv.Backward(q, n, y, x, taps, end, false) })
		add("conv weight", 2*bytes, func() { conv.Train(q, n, taps, 0, y, x, start, workspace) })
	}
	bench.Load(set)
	rowstest.Rates(b, bench, tasks)
}

// BenchmarkDoRA times what magnitudes take in a step of 8192 tokens, for linears of
// Llama-3.1-8B [In, Out] with adapters of rank 16.
func BenchmarkDoRA(b *testing.B) {
	const n, rank = 8192, 16
	bench := devicetest.Open(b)
	set, q := &device.Set{}, bench.Queue
	var tasks []rowstest.Task
	for _, shape := range [][2]int{{4096, 1024}, {4096, 4096}, {4096, 14336}, {14336, 4096}} {
		s := rows.DoRASpec{Type: device.BFloat16, Weight: device.BFloat16, In: shape[0], Out: shape[1], Rank: rank}
		k, norms := rows.NewDoRA(set, s), rows.NewRowNorms(set, s)
		input := adapter.NewInput(set, adapter.InputSpec{Type: s.Type, Width: s.In, Rank: rank, Shared: bench.GPU.Info.SharedPerBlock, Processors: bench.GPU.Info.SMs})
		vector := func() device.Pointer { return bench.Alloc(device.Float32, s.Out) }
		dy, y, dm, workspace := bench.Alloc(s.Type, n*s.Out), bench.Alloc(s.Type, n*s.Out), vector(), bench.Alloc(device.Float32, int(k.Workspace(n)/4))
		m := rows.DoRAMatrices{
			W: bench.Alloc(s.Weight, s.Out*s.In), A: bench.Alloc(s.Type, rank*s.In), B: bench.Alloc(s.Type, s.Out*rank), M: vector(),
			Norm: vector(), Ratio: vector(), Scale: 1,
		}
		p := rows.NormProducts{Squares: vector(), ProductShares: input.ProductShares(s.Out), GramShares: input.GramShares()}
		p.Products, p.Gram = bench.Alloc(device.Float32, s.Out*rank*p.ProductShares), bench.Alloc(device.Float32, rank*rank*p.GramShares)
		for name, run := range map[string]func(){
			"norms from products": func() {
				input.Products(q, s.Out, p.Products, m.W, m.A)
				input.Gram(q, p.Gram, m.A)
				norms.Norms(q, m, p)
			},
			"norms number by number": func() { k.Norms(q, m) },
		} {
			tasks = append(tasks, rowstest.Task{Name: fmt.Sprintf("%s/%dx%d", name, s.In, s.Out), Bytes: int64(s.In*s.Out) * 2, Run: run})
		}
		tasks = append(tasks, rowstest.Task{Name: fmt.Sprintf("gradient/%d", s.Out), Bytes: 3 * n * int64(s.Out) * 2, Run: func() {
			k.Gradient(q, n, rows.DoRAGradient{DY: dy, Y: y, By: m.M, DM: dm, DZ: dy}, m, workspace)
		}})
	}
	bench.Load(set)
	rowstest.Rates(b, bench, tasks)
}
