package elementwise

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/expr"
	"github.com/honeml/hone/sdk/graph/graphtest"
)

// A trial is a map with numbers for all of it, here and on the GPU.
type trial struct {
	spec     Spec
	rows     int
	in       [][]float32 // by input
	params   [][]float32 // by argument
	position []int32
	dy       []float32
}

func newTrial(spec Spec, rows int, rng *rand.Rand) *trial {
	t := &trial{spec: spec, rows: rows}
	draw := func(typ device.Type, n int) []float32 { return numbers(rng, typ, n) }
	for range rows {
		t.position = append(t.position, rng.Int32N(8))
	}
	all := rows * max(1, spec.Slots)
	for _, in := range spec.Inputs {
		t.in = append(t.in, draw(in.Type, all*in.Width))
	}
	for _, w := range spec.ParamWidths {
		t.params = append(t.params, draw(device.Float32, w))
	}
	t.dy = draw(spec.Out, all*spec.Map.Width)
	return t
}

// numbers draws n numbers of a type; they repeat after the first 65,536.
func numbers(rng *rand.Rand, typ device.Type, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		if i < 1<<16 {
			x[i] = devicetest.Round(typ, float32(rng.NormFloat64()*1.5))
		} else {
			x[i] = x[i-1<<16]
		}
	}
	return x
}

// each evaluates expressions at every element of y.
func (t *trial) each(roots []*expr.Node, f func(row, column int, values []float64)) {
	p := expr.Compile(roots...)
	registers := make([]float64, len(p.Instrs))
	args := make([]float64, len(t.spec.Map.Args))
	values := make([]float64, len(roots))
	width := t.spec.Map.Width
	for row := range t.rows * max(1, t.spec.Slots) {
		for c := range width {
			for i, a := range t.spec.Map.Args {
				if a.Param != graph.NoParam {
					args[i] = float64(t.params[i][c%len(t.params[i])])
				} else {
					w := t.spec.Inputs[a.Input].Width
					args[i] = float64(t.in[a.Input][row*w+c*w/width])
				}
			}
			p.Eval(args, float64(t.position[row/max(1, t.spec.Slots)]), registers)
			for k, r := range p.Outputs {
				values[k] = registers[r]
			}
			f(row, c, values)
		}
	}
}

// A sum is a number with the sum of its terms' sizes, which bounds the error.
type sum struct{ value, size float64 }

func (s *sum) add(v float64) { s.value += v; s.size += math.Abs(v) }

// want is y, then the gradients by input and by parameter gradient.
func (t *trial) want() (y []sum, dIn, dParams [][]sum) {
	e, err := t.spec.Map.Parse()
	if err != nil {
		panic(err)
	}
	roots := []*expr.Node{e.Root}
	width := t.spec.Map.Width
	all := t.rows * max(1, t.spec.Slots)
	for _, g := range t.spec.Step.Inputs {
		roots = append(roots, g.Derivative)
		dIn = append(dIn, make([]sum, all*t.spec.Inputs[g.Input].Width))
	}
	for _, g := range t.spec.Step.Params {
		roots = append(roots, g.Derivative)
		dParams = append(dParams, make([]sum, t.spec.ParamWidths[t.argument(g.Param)]))
	}
	t.each(roots, func(row, c int, v []float64) {
		var s sum
		s.add(v[0])
		y = append(y, s)
		dy := float64(t.dy[row*width+c])
		for k, g := range t.spec.Step.Inputs {
			w := t.spec.Inputs[g.Input].Width
			dIn[k][row*w+c*w/width].add(dy * v[1+k])
		}
		for k := range t.spec.Step.Params {
			dParams[k][c%len(dParams[k])].add(dy * v[1+len(dIn)+k])
		}
	})
	return y, dIn, dParams
}

func (t *trial) argument(id graph.ParamID) int {
	return slices.IndexFunc(t.spec.Map.Args, func(a graph.MapArg) bool { return a.Param == id })
}

// epsilon is the relative error of rounding to a type.
func epsilon(t device.Type) float64 {
	return map[device.Type]float64{device.Float32: 1.0 / (1 << 24), device.BFloat16: 1.0 / (1 << 8), device.Float16: 1.0 / (1 << 11)}[t]
}

// compare checks numbers of a type. Expressions lose some bits of float32 to
// cancellation within them; smallest is float16's smallest step.
func compare(t *testing.T, what string, typ device.Type, got []float32, want []sum) {
	t.Helper()
	wrong := 0
	for i, g := range got {
		smallest := 0.0
		if typ == device.Float16 {
			smallest = 1.0 / (1 << 25)
		}
		tolerance := epsilon(typ)*1.01*math.Abs(want[i].value) + 3e-5*(0.1+want[i].size) + smallest
		if d := math.Abs(float64(g) - want[i].value); !(d <= tolerance) {
			if wrong++; wrong <= 3 {
				t.Errorf("%s[%d] = %g, want %g ± %g", what, i, g, want[i].value, tolerance)
			}
		}
	}
	if wrong > 3 {
		t.Errorf("%s: %d of %d wrong", what, wrong, len(got))
	}
}

// onGPU is a trial's numbers in the GPU's memory.
type onGPU struct {
	b                   *devicetest.Bench
	m                   *Map
	t                   *trial
	in, params          []device.Pointer
	position, out, dy   device.Pointer
	dIn, dParams        []device.Pointer // by input; by Step.Params
	workspace           device.Pointer
	accumulate          []bool
	before, beforeParam [][]float32
}

func upload(b *devicetest.Bench, m *Map, t *trial, accumulate bool, rng *rand.Rand) *onGPU {
	d := &onGPU{b: b, m: m, t: t, position: b.UploadInts(t.position)}
	draw := func(typ device.Type, n int) []float32 { return numbers(rng, typ, n) }
	for i, x := range t.in {
		typ := t.spec.Inputs[i].Type
		d.in = append(d.in, b.Upload(typ, x))
		d.accumulate = append(d.accumulate, accumulate)
		d.before = append(d.before, make([]float32, len(x)))
		if accumulate {
			d.before[i] = draw(typ, len(x))
			d.dIn = append(d.dIn, b.Upload(typ, d.before[i]))
		} else {
			d.dIn = append(d.dIn, b.Alloc(typ, len(x)))
		}
	}
	for _, p := range t.params {
		d.params = append(d.params, b.Upload(device.Float32, p))
	}
	for _, g := range t.spec.Step.Params {
		x := draw(device.Float32, t.spec.ParamWidths[t.argument(g.Param)])
		d.beforeParam = append(d.beforeParam, x)
		d.dParams = append(d.dParams, b.Upload(device.Float32, x))
	}
	d.out = b.Alloc(t.spec.Out, len(t.dy))
	d.dy = b.Upload(t.spec.Out, t.dy)
	d.workspace = b.Alloc(device.Float32, int(m.Workspace(t.rows)/4))
	return d
}

func (d *onGPU) forward() { d.m.Forward(d.b.Queue, d.t.rows, d.in, d.params, d.position, d.out) }

func (d *onGPU) backward() {
	d.m.Backward(d.b.Queue, d.t.rows, d.in, d.params, d.position, d.dy, d.dIn, d.accumulate, d.dParams, d.workspace)
}

func (d *onGPU) check(t *testing.T) {
	t.Helper()
	y, dIn, dParams := d.t.want()
	compare(t, "y", d.t.spec.Out, d.b.Download(d.out, d.t.spec.Out, len(y)), y)
	for k, g := range d.t.spec.Step.Inputs {
		for i := range dIn[k] {
			dIn[k][i].add(float64(d.before[g.Input][i]))
		}
		typ := d.t.spec.Inputs[g.Input].Type
		compare(t, "the gradient of input "+d.t.spec.Map.Args[g.Input].Name, typ, d.b.Download(d.dIn[g.Input], typ, len(dIn[k])), dIn[k])
	}
	for k, g := range d.t.spec.Step.Params {
		for i := range dParams[k] {
			dParams[k][i].add(float64(d.beforeParam[k][i]))
		}
		name := d.t.spec.Map.Args[d.t.argument(g.Param)].Name
		compare(t, "the gradient of parameter "+name, device.Float32, d.b.Download(d.dParams[k], device.Float32, len(dParams[k])), dParams[k])
	}
}

// TestMaps compares every specimen, in every type, with its definition in float64.
func TestMaps(t *testing.T) {
	b := devicetest.Open(t)
	rng := rand.New(rand.NewPCG(1, 2))
	type run struct {
		name string
		m    *Map
		t    *trial
	}
	set := &device.Set{}
	var runs []run
	for _, text := range specimens {
		for typ := device.Float32; typ <= device.Float16; typ++ {
			for _, shape := range []struct{ width, rows, slots int }{{7, 1, 1}, {1, 70, 1}, {36, 5, 2}, {96, 300, 1}, {4096, 3, 1}, {5120, 33, 1}} {
				spec, err := specimen(text, shape.width, typ)
				if err != nil {
					t.Fatal(err)
				}
				spec.Slots = shape.slots
				m, err := New(set, spec)
				if err != nil {
					t.Fatal(err)
				}
				runs = append(runs, run{fmt.Sprintf("%s/%v/%dx%d", text, typ, shape.rows, shape.width), m, newTrial(spec, shape.rows, rng)})
			}
		}
	}
	b.Load(set)
	for i, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			d := upload(b, r.m, r.t, i%2 == 1, rng)
			d.forward()
			d.backward()
			d.check(t)
		})
	}
}

// TestSameBits: a second run on the same numbers gives the same bits, sums included.
func TestSameBits(t *testing.T) {
	b := devicetest.Open(t)
	rng := rand.New(rand.NewPCG(3, 4))
	spec, err := specimen("c * a * sigmoid(r) * h + s * a", 4096, device.BFloat16)
	if err != nil {
		t.Fatal(err)
	}
	set := &device.Set{}
	m, err := New(set, spec)
	if err != nil {
		t.Fatal(err)
	}
	b.Load(set)
	tr := newTrial(spec, 1000, rng)
	var first [][]float32
	for range 3 {
		d := upload(b, m, tr, false, rand.New(rand.NewPCG(5, 6)))
		d.backward()
		var got [][]float32
		for k, g := range spec.Step.Inputs {
			got = append(got, b.Download(d.dIn[g.Input], spec.Inputs[g.Input].Type, len(tr.in[k])))
		}
		for k := range spec.Step.Params {
			got = append(got, b.Download(d.dParams[k], device.Float32, len(d.beforeParam[k])))
		}
		if first == nil {
			first = got
		}
		for i := range got {
			if !slices.Equal(got[i], first[i]) {
				t.Errorf("gradient %d differs", i)
			}
		}
	}
}

// TestInPlace: the gradients stand in the place of dy and of an input, y in that of an
// input, and an input that no derivative reads is not there.
func TestInPlace(t *testing.T) {
	b := devicetest.Open(t)
	rng := rand.New(rand.NewPCG(7, 8))
	spec, err := specimen("silu(a) * b", 1000, device.BFloat16)
	if err != nil {
		t.Fatal(err)
	}
	add, err := specimen("a + b", 1000, device.BFloat16)
	if err != nil {
		t.Fatal(err)
	}
	set := &device.Set{}
	m, err := New(set, spec)
	if err != nil {
		t.Fatal(err)
	}
	sumMap, err := New(set, add)
	if err != nil {
		t.Fatal(err)
	}
	b.Load(set)

	d := upload(b, m, newTrial(spec, 33, rng), false, rng)
	d.forward()
	d.dIn[0], d.dIn[1] = d.in[0], d.dy
	d.backward()
	d.check(t)

	d = upload(b, sumMap, newTrial(add, 33, rng), false, rng)
	d.out = d.in[1]
	d.forward()
	d.in[0], d.in[1] = 0, 0
	d.backward()
	d.check(t)
}

// TestValueTwice: a value that is two inputs has one gradient, rounded once.
func TestValueTwice(t *testing.T) {
	b := devicetest.Open(t)
	rng := rand.New(rand.NewPCG(9, 10))
	spec, err := specimen("a * b", 64, device.Float32)
	if err != nil {
		t.Fatal(err)
	}
	spec.Step.Inputs[1].Value = spec.Step.Inputs[0].Value
	set := &device.Set{}
	m, err := New(set, spec)
	if err != nil {
		t.Fatal(err)
	}
	b.Load(set)
	d := upload(b, m, newTrial(spec, 10, rng), false, rng)
	d.in[1], d.dIn[1] = d.in[0], d.dIn[0]
	d.backward()
	got := b.Download(d.dIn[0], device.Float32, 640)
	want := make([]sum, 640)
	for i := range want {
		want[i].add(2 * float64(d.t.dy[i]) * float64(d.t.in[0][i]))
	}
	compare(t, "dx", device.Float32, got, want)
}

// TestRandomExpressions compares expressions that nobody wrote.
func TestRandomExpressions(t *testing.T) {
	b := devicetest.Open(t)
	rng := rand.New(rand.NewPCG(11, 12))
	set := &device.Set{}
	var maps []*Map
	var trials []*trial
	for range 30 {
		text := graphtest.Expression(rng, []string{"a", "b", "r", "h", "c", "s"}, 3)
		spec, err := specimen(text, 36, device.Float32)
		if err != nil {
			t.Fatal(err)
		}
		m, err := New(set, spec)
		if err != nil {
			t.Fatal(err)
		}
		maps, trials = append(maps, m), append(trials, newTrial(spec, 20, rng))
	}
	b.Load(set)
	for i, m := range maps {
		t.Run(m.spec.Map.Expr, func(t *testing.T) {
			d := upload(b, m, trials[i], false, rng)
			d.forward()
			d.backward()
			d.check(t)
		})
	}
}

// TestManyElements: more than 2³² elements, told apart by their row.
func TestManyElements(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 18 GB of the GPU's memory")
	}
	b := devicetest.Open(t)
	const rows, width = 1<<20 + 3, 4100
	m := &graph.Map{Expr: "pos * 0.5 + c", Width: width, Args: []graph.MapArg{{Name: "c", Input: -1}}}
	set := &device.Set{}
	k, err := New(set, Spec{Map: m, ParamWidths: []int{width}, Out: device.Float32})
	if err != nil {
		t.Fatal(err)
	}
	b.Load(set)
	position, c := make([]int32, rows), make([]float32, width)
	for i := range position {
		position[i] = int32(i)
	}
	for i := range c {
		c[i] = float32(i) / (1 << 13)
	}
	out := b.Alloc(device.Float32, rows*width)
	k.Forward(b.Queue, rows, nil, []device.Pointer{b.Upload(device.Float32, c)}, b.UploadInts(position), out)
	for _, row := range []int64{0, 1, 1047552, 1047553, rows - 1} {
		got := b.Download(out.Offset(row*width*4), device.Float32, width)
		for i, g := range got {
			if want := float32(float64(row)*0.5 + float64(c[i])); g != want {
				t.Fatalf("y[%d, %d] = %g, want %g", row, i, g, want)
			}
		}
	}
}

func BenchmarkMaps(b *testing.B) {
	for _, bench := range []struct {
		text        string
		rows, width int
	}{
		{"a + b", 8192, 4096},
		{"silu(a) * b", 8192, 14336},
		{"gelu_tanh(a) * b", 8192, 14336},
		{"gelu(a)", 8192, 14336},
		{"30 * tanh(a / 30)", 2048, 128256},
		{"a * sigmoid(r)", 8192, 4096},
		{"where(a > 0, s * a * a + c * a, (expm1(min(a, 0)) - a) * s)", 8192, 14336},
	} {
		b.Run(fmt.Sprintf("%s/%dx%d", bench.text, bench.rows, bench.width), func(b *testing.B) {
			gpu := devicetest.Open(b)
			spec, err := specimen(bench.text, bench.width, device.BFloat16)
			if err != nil {
				b.Fatal(err)
			}
			set := &device.Set{}
			m, err := New(set, spec)
			if err != nil {
				b.Fatal(err)
			}
			gpu.Load(set)
			d := upload(gpu, m, newTrial(spec, bench.rows, rand.New(rand.NewPCG(1, 1))), false, rand.New(rand.NewPCG(1, 1)))
			full := 0
			for _, in := range spec.Inputs {
				if in.Width == bench.width {
					full++
				}
			}
			array := float64(bench.rows*bench.width) * 2
			b.ReportMetric(array*float64(full+1)/gpu.Seconds(20, d.forward)/1e9, "forward-GB/s")
			// Every argument and dy are read and each gradient is written, each once; sums over
			// rows and columns read again.
			b.ReportMetric(array*float64(2*full+1)/gpu.Seconds(20, d.backward)/1e9, "backward-GB/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
