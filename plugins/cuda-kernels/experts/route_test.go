package experts

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
	"github.com/honeml/hone/sdk/graph"
)

// best are the indices of the n largest, of equal ones the lower first.
func best(x []float64, n int) []int {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(x[b], x[a]) })
	return order[:n]
}

func scores(o graph.Route, logits []float64) []float64 {
	out, total := make([]float64, len(logits)), 0.0
	for i, x := range logits {
		out[i] = math.Exp(x)
		total += out[i]
		if o.Sigmoid {
			out[i] = 1 / (1 + math.Exp(-x))
		}
	}
	for i := range out {
		if !o.Sigmoid {
			out[i] /= total
		}
	}
	return out
}

// chosenOf is the choice of a token's experts by its definition.
func chosenOf(o graph.Route, logits, bias []float64) []int {
	standing := slices.Clone(logits)
	if !o.After {
		standing = scores(o, logits)
	}
	for e := range bias {
		standing[e] += bias[e]
	}
	size := o.Experts / o.Groups
	groups := make([]float64, o.Groups)
	for g := range groups {
		for _, e := range best(standing[g*size:(g+1)*size], o.GroupTop) {
			groups[g] += standing[g*size+e]
		}
	}
	kept := best(groups, o.Keep)
	for e := range standing {
		if !slices.Contains(kept, e/size) {
			standing[e] = math.Inf(-1)
		}
	}
	return best(standing, o.TopK)
}

// weightsOf are the weights of a token's chosen experts.
func weightsOf(o graph.Route, logits []float64, chosen []int) []float64 {
	var out []float64
	if o.After {
		var picked []float64
		for _, e := range chosen {
			picked = append(picked, logits[e])
		}
		out = scores(o, picked)
	} else {
		all := scores(o, logits)
		for _, e := range chosen {
			out = append(out, all[e])
		}
	}
	total := 1.0
	if o.Normalise {
		total = o.NormEpsilon
		for _, s := range out {
			total += s
		}
	}
	for i := range out {
		out[i] *= o.Factor / total
	}
	return out
}

func routes() map[string]graph.Route {
	plain := graph.Route{Experts: 16, TopK: 4, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1, Bias: graph.NoParam}
	with := func(f func(o *graph.Route)) graph.Route {
		o := plain
		f(&o)
		return o
	}
	return map[string]graph.Route{
		"softmax":           plain,
		"normalised":        with(func(o *graph.Route) { o.Normalise, o.NormEpsilon, o.Factor = true, 0.25, 2.5 }),
		"after":             with(func(o *graph.Route) { o.After = true }),
		"after, normalised": with(func(o *graph.Route) { o.After, o.Normalise, o.Experts = true, true, 33 }),
		"sigmoid":           with(func(o *graph.Route) { o.Sigmoid, o.Experts, o.TopK = true, 128, 8 }),
		"sigmoid after":     with(func(o *graph.Route) { o.Sigmoid, o.After, o.TopK = true, true, 1 }),
		"bias":              with(func(o *graph.Route) { o.Bias, o.Sigmoid, o.Normalise = 0, true, true }),
		"bias after":        with(func(o *graph.Route) { o.Bias, o.After = 0, true }),
		"groups": with(func(o *graph.Route) {
			o.Experts, o.Groups, o.Keep, o.GroupTop, o.Bias, o.Sigmoid, o.Normalise, o.Factor = 256, 8, 4, 2, 0, true, true, 2.5
			o.TopK, o.NormEpsilon = 8, 1e-20
		}),
		"groups of one":      with(func(o *graph.Route) { o.Experts, o.Groups, o.Keep, o.TopK = 7, 7, 3, 3 }),
		"everything chosen":  with(func(o *graph.Route) { o.Experts, o.TopK = 3, 3 }),
		"more than a warp":   with(func(o *graph.Route) { o.Experts, o.TopK, o.Normalise = 70, 40, true }),
		"as many as can be":  with(func(o *graph.Route) { o.Experts, o.TopK = mostExperts, 6 }),
		"one":                with(func(o *graph.Route) { o.Experts, o.TopK = 1, 1 }),
		"groups, all of one": with(func(o *graph.Route) { o.Groups, o.Keep, o.GroupTop, o.TopK = 4, 1, 4, 4 }),
	}
}

func TestRoute(t *testing.T) {
	b := devicetest.Open(t)
	for name, o := range routes() {
		for _, typ := range rowstest.Types() {
			tryRoute(b, fmt.Sprint(name, ", ", typ, ": "), o, typ)
		}
	}
}

func tryRoute(b *devicetest.Bench, name string, o graph.Route, typ device.Type) {
	b.Helper()
	const rowCount = 9
	var set device.Set
	r := NewRoute(&set, o, typ)
	b.Load(&set)
	x, bias := rowstest.Random(b, typ, rowCount*o.Experts, 1), rowstest.Random(b, device.Float32, o.Experts, 2)
	var biases []float64
	if o.Bias != graph.NoParam {
		biases = floats(bias, 0, o.Experts)
	}
	indices, weights := b.Alloc(device.Float32, rowCount*o.TopK), rowstest.Empty(b, device.Float32, rowCount*o.TopK)
	r.Forward(b.Queue, rowCount, indices, weights.Pointer, x.Pointer, bias.Pointer)
	found := ints(b, indices, rowCount*o.TopK)
	var want []float64
	for row := range rowCount {
		chosen := chosenOf(o, floats(x, row*o.Experts, o.Experts), biases)
		if got := found[row*o.TopK : (row+1)*o.TopK]; !slices.Equal(got, chosen) {
			b.Fatalf("%stoken %d chose %v, want %v", name, row, got, chosen)
		}
		want = append(want, weightsOf(o, floats(x, row*o.Experts, o.Experts), chosen)...)
	}
	rowstest.Compare(b, name+"weights", weights, want, 1e-6)

	dw := rowstest.Random(b, device.Float32, rowCount*o.TopK, 3)
	for _, add := range []bool{false, true} {
		d := rowstest.Result(b, typ, rowCount*o.Experts, add)
		gradient := make([]float64, rowCount*o.Experts)
		for i := range gradient {
			row, e := i/o.Experts, i%o.Experts
			gradient[i] = slope(func(delta float64) float64 {
				logits := floats(x, row*o.Experts, o.Experts)
				logits[e] += delta
				sum := 0.0
				for s, w := range weightsOf(o, logits, found[row*o.TopK:(row+1)*o.TopK]) {
					sum += w * dw.At(row*o.TopK+s)
				}
				return sum
			})
			if add {
				gradient[i] += d.At(i)
			}
		}
		r.Backward(b.Queue, rowCount, d.Pointer, x.Pointer, indices, dw.Pointer, add, Balance{})
		rowstest.Compare(b, fmt.Sprint(name, "gradient, added ", add), d, gradient, 1e-5)
	}
}

// slope is the derivative of f at 0, to about the tenth digit.
func slope(f func(float64) float64) float64 {
	const h = 1e-3
	return (8*(f(h)-f(-h)) - (f(2*h) - f(-2*h))) / (12 * h)
}

func floats(b rowstest.Buffer, from, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = b.At(from + i)
	}
	return out
}

// TestOddLogits: equal logits go to the lower index, zeros of both signs are equal, and
// what is no number still chooses experts that there are.
func TestOddLogits(t *testing.T) {
	b := devicetest.Open(t)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	o := graph.Route{Experts: 5, TopK: 3, After: true, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1, Bias: graph.NoParam}
	var set device.Set
	r := NewRoute(&set, o, device.Float32)
	b.Load(&set)
	logits := [][]float32{
		{1, 1, 1, 1, 1}, {float32(math.Copysign(0, -1)), 0, 0, -1, 0}, {nan, nan, nan, nan, nan}, {nan, 1, -inf, nan, 2}, {-inf, -inf, -inf, -inf, -inf}, {1, inf, 3, -2, 5},
	}
	want := []int{0, 1, 2, 0, 1, 2, 0, 1, 2, 4, 1, 0, 0, 1, 2, 1, 4, 2}
	indices := b.Alloc(device.Float32, len(want))
	r.Forward(b.Queue, len(logits), indices, b.Alloc(device.Float32, len(want)), b.Upload(device.Float32, slices.Concat(logits...)), 0)
	if got := ints(b, indices, len(want)); !slices.Equal(got, want) {
		t.Errorf("chose %v, want %v", got, want)
	}
}

func TestCombine(t *testing.T) {
	const rowCount = 11
	var cases []CombineSpec
	for _, typ := range rowstest.Types() {
		for _, width := range []int{1, 7, 40, 520} {
			cases = append(cases, CombineSpec{Width: width, Slots: 3, X: typ, Y: typ, Weight: device.Float32}, CombineSpec{Width: width, Slots: 1, Plain: width == 40, X: typ, Y: typ, Weight: typ})
		}
	}
	b := devicetest.Open(t)
	for _, c := range cases {
		var set device.Set
		k := NewCombine(&set, c)
		b.Load(&set)
		slots := rowCount * c.Slots
		x, w := rowstest.Random(b, c.X, slots*c.Width, 1), rowstest.Random(b, c.Weight, slots, 2)
		dy := rowstest.Random(b, c.Y, rowCount*c.Width, 3)
		weight := func(i int) float64 {
			if c.Plain {
				return 1
			}
			return w.At(i)
		}
		for _, add := range []bool{false, true} {
			name := fmt.Sprintf("%+v, added %v: ", c, add)
			y := rowstest.Result(b, c.Y, rowCount*c.Width, add)
			dx, dw := rowstest.Result(b, c.X, slots*c.Width, add), rowstest.Result(b, c.Weight, slots, add)
			sums, dxs, dws := before(y, add), before(dx, add), before(dw, add)
			for i := range slots * c.Width {
				slot := i / c.Width
				at := slot/c.Slots*c.Width + i%c.Width
				sums[at] += weight(slot) * x.At(i)
				dxs[i] += weight(slot) * dy.At(at)
				dws[slot] += dy.At(at) * x.At(i)
			}
			k.Forward(b.Queue, rowCount, y.Pointer, x.Pointer, w.Pointer, add)
			rowstest.Compare(b, name+"y", y, sums, 1e-5)
			k.Backward(b.Queue, rowCount, Gradient{dx.Pointer, add}, Gradient{dw.Pointer, add}, dy.Pointer, x.Pointer, w.Pointer)
			rowstest.Compare(b, name+"dx", dx, dxs, 1e-5)
			rowstest.Compare(b, name+"dw", dw, dws, 1e-4)
			k.Backward(b.Queue, rowCount, Gradient{}, Gradient{To: dw.Pointer}, dy.Pointer, x.Pointer, w.Pointer)
			k.Backward(b.Queue, rowCount, Gradient{To: dx.Pointer}, Gradient{}, dy.Pointer, 0, w.Pointer)
			rowstest.Compare(b, name+"dx alone", dx, minus(dxs, before(dx, add)), 1e-5)
		}
	}
}

// before is what is in a result, zeros where it is not added to.
func before(b rowstest.Buffer, add bool) []float64 {
	out := make([]float64, len(b.Numbers))
	for i := range out {
		if add {
			out[i] = b.At(i)
		}
	}
	return out
}

func minus(a, b []float64) []float64 {
	out := slices.Clone(a)
	for i := range out {
		out[i] -= b[i]
	}
	return out
}
