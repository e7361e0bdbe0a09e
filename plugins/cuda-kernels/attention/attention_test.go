package attention

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/sdk/graph"
)

var types = []device.Type{device.Float32, device.BFloat16, device.Float16}

// large is the shared memory that Hopper lends a block.
const large = 227 << 10

// tolerance is how far a result may be from float64's, in units of the results'
// root mean square, or of 0.25 where that is less: δ is of results that were rounded.
func tolerance(t device.Type) float64 {
	return map[device.Type]float64{device.Float32: 4e-5, device.BFloat16: 0.08, device.Float16: 0.016}[t]
}

// check compares what a kernel wrote with what it should have: within a part of the numbers'
// root mean square, and what rounding takes from one that is large.
func check(tb testing.TB, what string, got []float32, want []float64, tolerance float64) {
	tb.Helper()
	square := 0.0
	for _, x := range want {
		square += x * x
	}
	bound := tolerance * max(math.Sqrt(square/float64(len(want))), 0.25)
	for i, x := range want {
		if !(math.Abs(float64(got[i])-x) <= bound+tolerance/20*math.Abs(x)) {
			tb.Errorf("%s[%d] is %v, want %v, within %v", what, i, got[i], x, bound)
			return
		}
	}
}

// A trial is a problem on the GPU.
type trial struct {
	*devicetest.Bench
	t         device.Type
	p         *problem
	a         *Attention
	in        Inputs
	out       Outputs
	dy, work  device.Pointer
	gradients Gradients
}

func newTrial(b *devicetest.Bench, spec Spec, p *problem) *trial {
	t := spec.Type
	tr := &trial{Bench: b, t: t, p: p}
	var set device.Set
	tr.a = New(&set, spec)
	b.Load(&set)
	tr.in = Inputs{
		Q: b.Upload(t, p.q), K: b.Upload(t, p.k), V: b.Upload(t, p.v), Sinks: b.Upload(device.Float32, p.sinks),
		Batch: Batch{DocStart: b.UploadInts(p.start), DocEnd: b.UploadInts(p.end)},
	}
	tr.out = Outputs{Y: b.Alloc(t, len(p.dy)), LogSum: b.Alloc(device.Float32, p.rows*p.op.Heads)}
	tr.dy = b.Upload(t, p.dy)
	tr.work = b.Alloc(device.Float32, int(tr.a.Workspace(p.rows)/4))
	tr.gradients = Gradients{
		Q: Gradient{To: b.Alloc(t, len(p.q))}, K: Gradient{To: b.Alloc(t, len(p.k))}, V: Gradient{To: b.Alloc(t, len(p.v))},
		Sinks: b.Upload(device.Float32, make([]float32, p.op.Heads)),
	}
	return tr
}

func (tr *trial) forward() { tr.a.Forward(tr.Queue, tr.p.rows, tr.in, tr.out) }

func (tr *trial) backward() {
	tr.a.Backward(tr.Queue, tr.p.rows, tr.in, tr.out, tr.dy, tr.gradients, tr.work)
}

// results are what the passes wrote.
func (tr *trial) results() map[string][]float32 {
	p, g := tr.p, tr.gradients
	out := map[string][]float32{
		"y": tr.Download(tr.out.Y, tr.t, len(p.dy)), "log sum": tr.Download(tr.out.LogSum, device.Float32, p.rows*p.op.Heads),
		"dq": tr.Download(g.Q.To, tr.t, len(p.q)), "dk": tr.Download(g.K.To, tr.t, len(p.k)), "dv": tr.Download(g.V.To, tr.t, len(p.v)),
	}
	if p.op.Sinks != graph.NoParam {
		out["dsinks"] = tr.Download(g.Sinks, device.Float32, p.op.Heads)
	}
	return out
}

func (p *problem) wants() map[string][]float64 {
	return map[string][]float64{"y": p.y, "log sum": p.logSum, "dq": p.dq, "dk": p.dk, "dv": p.dv, "dsinks": p.dsinks}
}

// A testCase is an operation and how much memory its blocks may have.
type testCase struct {
	name   string
	op     graph.Attention
	shared int
}

func masks(op graph.Attention) []testCase {
	with := func(name string, f func(o *graph.Attention)) testCase {
		o := op
		f(&o)
		return testCase{name: name, op: o}
	}
	return []testCase{
		with("plain", func(*graph.Attention) {}),
		with("window", func(o *graph.Attention) { o.Window = 37 }),
		with("window of 1", func(o *graph.Attention) { o.Window = 1 }),
		with("chunk", func(o *graph.Attention) { o.Chunk = 45 }),
		with("cap", func(o *graph.Attention) { o.Cap = 1.5 }),
		with("sinks", func(o *graph.Attention) { o.Sinks = 0 }),
		with("negative scale", func(o *graph.Attention) { o.Scale = -0.2 }),
		with("all", func(o *graph.Attention) { o.Window, o.Chunk, o.Cap, o.Sinks = 70, 90, 3, 0 }),
		with("long window", func(o *graph.Attention) { o.Window, o.Chunk = math.MaxInt, math.MaxInt }),
	}
}

func cases() []testCase {
	all := masks(plainOp(4, 2, 64, 64))
	for _, w := range [][2]int{{128, 128}, {80, 80}, {96, 96}, {192, 128}, {256, 256}, {8, 24}, {104, 40}, {2, 2}, {6, 12}, {12, 6}, {130, 7}, {300, 140}} {
		for _, heads := range [][2]int{{2, 2}, {3, 1}} {
			op := plainOp(heads[0], heads[1], w[0], w[1])
			op.Scale = 1 / math.Sqrt(float64(w[0]))
			name := fmt.Sprintf("%d heads of %d and %d", heads[0], w[0], w[1])
			all = append(all, testCase{name, op, 0}, testCase{name + ", Hopper", op, large})
		}
	}
	op := plainOp(8, 1, 128, 128)
	op.Window, op.Chunk, op.Cap, op.Sinks = 100, 130, 20, 0
	return append(all, testCase{"8 heads of 128, all", op, large}, testCase{"16 of 2", plainOp(16, 2, 32, 32), large})
}

func TestPasses(t *testing.T) {
	for _, c := range cases() {
		for _, typ := range types {
			t.Run(c.name+"/"+typ.String(), func(t *testing.T) {
				b := devicetest.Open(t)
				for _, rows := range []int{1, 63, 300} {
					p := newProblem(c.op, typ, rows, max(1, rows/2))
					tr := newTrial(b, Spec{Op: c.op, Type: typ, Shared: c.shared}, p)
					tr.forward()
					tr.backward()
					for name, got := range tr.results() {
						check(t, fmt.Sprintf("%d rows: %s", rows, name), got, p.wants()[name], tolerance(typ))
					}
				}
			})
		}
	}
}

// TestShortDocuments has more documents than tiles.
func TestShortDocuments(t *testing.T) {
	for _, typ := range types {
		t.Run(typ.String(), func(t *testing.T) {
			b := devicetest.Open(t)
			op := plainOp(2, 1, 64, 64)
			p := newProblem(op, typ, 400, 9)
			tr := newTrial(b, Spec{Op: op, Type: typ}, p)
			tr.forward()
			tr.backward()
			for name, got := range tr.results() {
				check(t, name, got, p.wants()[name], tolerance(typ))
			}
		})
	}
}

// TestAdd adds gradients to what is there, and leaves out those that go nowhere.
func TestAdd(t *testing.T) {
	for _, typ := range types {
		t.Run(typ.String(), func(t *testing.T) {
			b := devicetest.Open(t)
			op := plainOp(4, 2, 64, 64)
			op.Sinks = 0
			p := newProblem(op, typ, 200, 90)
			for _, arch := range arches(b) {
				testAdd(newTrial(b, Spec{Op: op, Type: typ, Shared: large, Arch: arch}, p))
			}
		})
	}
}

func testAdd(tr *trial) {
	t, typ, p := tr.TB, tr.t, tr.p
	before := drawProblem(p.op, typ, 200, 50)
	tr.gradients = Gradients{
		Q: Gradient{tr.Upload(typ, before.q), true}, K: Gradient{tr.Upload(typ, before.k), true}, V: Gradient{tr.Upload(typ, before.v), true},
		Sinks: tr.Upload(device.Float32, before.sinks),
	}
	tr.forward()
	tr.backward()
	got := tr.results()
	check(t, "dq", got["dq"], sum(p.dq, before.q), tolerance(typ))
	check(t, "dk", got["dk"], sum(p.dk, before.k), tolerance(typ))
	check(t, "dv", got["dv"], sum(p.dv, before.v), tolerance(typ))
	check(t, "dsinks", got["dsinks"], sum(p.dsinks, before.sinks), tolerance(typ))

	for _, alone := range []string{"q", "k", "v"} {
		all := tr.gradients
		to := map[string]*Gradient{"q": &tr.gradients.Q, "k": &tr.gradients.K, "v": &tr.gradients.V}[alone]
		want := map[string][]float64{"q": p.dq, "k": p.dk, "v": p.dv}[alone]
		tr.gradients = Gradients{}
		*to = Gradient{To: tr.Alloc(typ, len(want))}
		tr.backward()
		check(t, "d"+alone+" alone", tr.Download(to.To, typ, len(want)), want, tolerance(typ))
		tr.gradients = all
		for name, x := range tr.results() {
			same(t, name+" that was not wanted", got[name], x)
		}
	}
}

func sum(a []float64, b []float32) []float64 {
	out := slices.Clone(a)
	for i, x := range b {
		out[i] += float64(x)
	}
	return out
}

func same(tb testing.TB, what string, a, b []float32) {
	tb.Helper()
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			tb.Errorf("%s[%d] is %v and then %v", what, i, a[i], b[i])
			return
		}
	}
}

// TestRepeats runs three times and wants the same bits.
func TestRepeats(t *testing.T) {
	for _, typ := range types {
		t.Run(typ.String(), func(t *testing.T) {
			b := devicetest.Open(t)
			op := plainOp(8, 2, 128, 128)
			op.Sinks = 0
			p := drawProblem(op, typ, 2000, 700)
			for _, arch := range arches(b) {
				var first map[string][]float32
				for range 3 {
					tr := newTrial(b, Spec{Op: op, Type: typ, Shared: large, Arch: arch}, p)
					tr.forward()
					tr.backward()
					got := tr.results()
					for name := range first {
						same(t, arch+" "+name, first[name], got[name])
					}
					first = got
				}
			}
		})
	}
}

// TestLong compares the kernels on tensor cores with those without, on more rows
// than float64 could do.
func TestLong(t *testing.T) {
	for _, width := range []int{64, 128} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			b := devicetest.Open(t)
			op := plainOp(8, 2, width, width)
			p := drawProblem(op, device.BFloat16, 6000, 4000)
			exact := newTrial(b, Spec{Op: op, Type: device.Float32}, p)
			exact.forward()
			exact.backward()
			want := map[string][]float64{}
			for name, x := range exact.results() {
				want[name] = sum(make([]float64, len(x)), x)
			}
			for _, arch := range arches(b) {
				fast := newTrial(b, Spec{Op: op, Type: device.BFloat16, Shared: large, Arch: arch}, p)
				fast.forward()
				fast.backward()
				for name, got := range fast.results() {
					check(t, arch+" "+name, got, want[name], 2*tolerance(device.BFloat16))
				}
			}
		})
	}
}

// TestTiles: what is chosen fits, and odd heads have no tiles.
func TestTiles(t *testing.T) {
	for width := 1; width <= 264; width++ {
		for _, shared := range []int{0, large} {
			var set device.Set
			a := New(&set, Spec{Op: plainOp(2, 1, width, width), Type: device.BFloat16, Shared: shared})
			if want := width%8 == 0 && width <= 256; a.flash != want {
				t.Errorf("heads of %d: on tensor cores %v, want %v", width, a.flash, want)
			}
			limit := max(shared, LeastShared)
			for _, tiles := range []tiles{a.forwardTiles, a.keyTiles, a.queryTiles} {
				if tiles.shared > limit || tiles.threads > 256 {
					t.Errorf("heads of %d: %+v takes more than %d bytes or 256 threads", width, tiles, limit)
				}
			}
		}
	}
}

// TestDefines: what specialises a source is what C++ takes.
func TestDefines(t *testing.T) {
	op := plainOp(8, 2, 64, 64)
	op.Scale, op.Cap, op.Window, op.Chunk = 1e300, 0.1, 1<<30, 5
	got := Spec{Op: op, Type: device.Float16}.defines()
	for _, want := range []string{"TYPE=f16", "BF16=0", "SCALE=3.4028235e+38f", "CAP=1e-01f", "WINDOW=0", "CHUNK=5", "SINKS=0"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
}
