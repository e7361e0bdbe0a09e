package loss

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
)

// A chunk is rows of logits with what is predicted from them.
type chunk struct {
	spec    Spec
	logits  []float32 // [rows, Stride]
	targets []int32
	weights []float32
}

func newChunk(spec Spec, rows int, rng *rand.Rand) *chunk {
	if spec.Stride == 0 {
		spec.Stride = spec.Vocab
	}
	c := &chunk{spec: spec, logits: make([]float32, rows*spec.Stride)}
	for i := range c.logits {
		if i < 1<<18 {
			c.logits[i] = devicetest.Round(spec.Type, float32(rng.NormFloat64()*4+10))
		} else {
			c.logits[i] = c.logits[i-1<<18]
		}
	}
	for r := range rows {
		target := rng.Int32N(int32(spec.Vocab))
		switch r % 4 { // the ends of a row are treated apart
		case 0:
			target = 0
		case 1:
			target = int32(spec.Vocab) - 1
		}
		c.targets = append(c.targets, target)
		c.weights = append(c.weights, []float32{1, 0.25, 0, 1}[r%4])
	}
	return c
}

func (c *chunk) row(r int) []float32 { return c.logits[r*c.spec.Stride:][:c.spec.Vocab] }

// logp is the definition.
func (c *chunk) logp(r int) (logp, largest, sum float64) {
	largest = math.Inf(-1)
	for _, x := range c.row(r) {
		largest = max(largest, float64(x))
	}
	for _, x := range c.row(r) {
		sum += math.Exp(float64(x) - largest)
	}
	return float64(c.row(r)[c.targets[r]]) - largest - math.Log(sum), largest, sum
}

// checkRow compares a row's gradient and its loss.
func (c *chunk) checkRow(t *testing.T, r int, scale float64, got []float32, loss float32) {
	t.Helper()
	logp, largest, sum := c.logp(r)
	up := float64(c.weights[r]) * scale
	if want := -float64(c.weights[r]) * logp; math.Abs(float64(loss)-want) > 2e-5*(1+math.Abs(want)) {
		t.Errorf("row %d: loss %g, want %g", r, loss, want)
	}
	relative := map[device.Type]float64{device.Float32: 5e-6, device.BFloat16: 1.01 / (1 << 8), device.Float16: 1.01 / (1 << 11)}[c.spec.Type]
	smallest := map[device.Type]float64{device.Float16: 1.0 / (1 << 24)}[c.spec.Type]
	for i, x := range c.row(r) {
		want := up * math.Exp(float64(x)-largest) / sum
		if int32(i) == c.targets[r] {
			want -= up
		}
		// Where the target is nearly certain the difference to 1 has float32's rounding.
		if d := math.Abs(float64(got[i]) - want); !(d <= relative*math.Abs(want)+2e-7*up+smallest) {
			t.Fatalf("row %d, column %d of %d: gradient %g, want %g", r, i, c.spec.Vocab, got[i], want)
		}
	}
}

// run gives gradient, losses and log-probabilities.
func (c *chunk) run(b *devicetest.Bench, k *CrossEntropy, scale float32) (gradient, losses, logp []float32) {
	rows := len(c.targets)
	logits := b.Upload(c.spec.Type, c.logits)
	targets := b.UploadInts(c.targets)
	l, p := b.Alloc(device.Float32, rows), b.Alloc(device.Float32, rows)
	k.Score(b.Queue, rows, logits, targets, p)
	k.Gradient(b.Queue, rows, logits, targets, b.Upload(device.Float32, c.weights), b.Upload(device.Float32, []float32{scale}), l)
	return b.Download(logits, c.spec.Type, len(c.logits)), b.Download(l, device.Float32, rows), b.Download(p, device.Float32, rows)
}

func TestCrossEntropy(t *testing.T) {
	b := devicetest.Open(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for typ := device.Float32; typ <= device.Float16; typ++ {
		for _, shape := range []struct{ vocab, stride, rows, shared int }{
			{2, 0, 9, 0}, {3, 0, 9, 0}, {97, 0, 9, 0}, {1024, 0, 5, 0}, {1025, 0, 5, 0}, {32000, 0, 5, 0}, {32000, 0, 5, 40000},
			{50257, 0, 9, 0}, {50257, 0, 9, 90000}, {50257, 50264, 5, 0}, {32000, 32001, 9, 10000}, {128256, 0, 4, 99000}, {262144, 0, 4, 0},
		} {
			t.Run(fmt.Sprintf("%v/%+v", typ, shape), func(t *testing.T) {
				spec := Spec{Vocab: shape.vocab, Stride: shape.stride, Type: typ, Shared: shape.shared}
				set := &device.Set{}
				k := New(set, spec)
				b.Load(set)
				c := newChunk(spec, shape.rows, rng)
				gradient, losses, logp := c.run(b, k, 8)
				for r := range shape.rows {
					row := gradient[r*c.spec.Stride:][:c.spec.Stride]
					c.checkRow(t, r, 8, row, losses[r])
					if want, _, _ := c.logp(r); math.Abs(float64(logp[r])-want) > 2e-5*(1+math.Abs(want)) {
						t.Errorf("row %d: log-probability %g, want %g", r, logp[r], want)
					}
					if padding := c.logits[r*c.spec.Stride+c.spec.Vocab:][:c.spec.Stride-c.spec.Vocab]; !slices.Equal(row[c.spec.Vocab:], padding) {
						t.Errorf("row %d: what follows the row was written", r)
					}
				}
			})
		}
	}
}

// TestSpecialLogits: −∞ is a probability of 0, NaN and +∞ reach the loss, and rows of
// weight 0 are 0 whatever they hold.
func TestSpecialLogits(t *testing.T) {
	b := devicetest.Open(t)
	infinity, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, vocab := range []int{100, 40000} {
		for typ := device.Float32; typ <= device.Float16; typ++ {
			set := &device.Set{}
			k := New(set, Spec{Vocab: vocab, Type: typ})
			b.Load(set)
			c := newChunk(Spec{Vocab: vocab, Type: typ}, 6, rand.New(rand.NewPCG(3, 4)))
			c.targets = []int32{5, 5, 5, 5, 5, int32(vocab) + 7}
			c.weights = []float32{1, 1, 1, 0, 1, 1}
			for i := range vocab {
				if i != 5 {
					c.row(0)[i] = -infinity
				}
			}
			c.row(1)[7] = nan
			c.row(2)[9] = infinity
			c.row(3)[11] = nan
			c.row(4)[5] = -infinity
			gradient, losses, _ := c.run(b, k, 1)
			row := func(r int) []float32 { return gradient[r*vocab : (r+1)*vocab] }
			if losses[0] != 0 || slices.ContainsFunc(row(0), func(x float32) bool { return x != 0 }) {
				t.Errorf("%v: a certain target: loss %g", typ, losses[0])
			}
			for _, r := range []int{1, 2, 5} {
				if losses[r] == losses[r] {
					t.Errorf("%v: row %d: loss %g, want NaN", typ, r, losses[r])
				}
			}
			if losses[3] != 0 || slices.ContainsFunc(row(3), func(x float32) bool { return x != 0 }) {
				t.Errorf("%v: weight 0: loss %g, or a gradient", typ, losses[3])
			}
			if losses[4] != infinity || row(4)[5] != -1 {
				t.Errorf("%v: an impossible target: loss %g, gradient %g", typ, losses[4], row(4)[5])
			}
		}
	}
}

func TestTotal(t *testing.T) {
	b := devicetest.Open(t)
	set := &device.Set{}
	k := New(set, Spec{Vocab: 10, Type: device.Float32})
	b.Load(set)
	rng := rand.New(rand.NewPCG(5, 6))
	for _, rows := range []int{1, 1000, 1025, 1 << 20} {
		losses := make([]float32, rows)
		want := 3.5
		for i := range losses {
			losses[i] = float32(rng.ExpFloat64())
			want += 2 * float64(losses[i])
		}
		bits := math.Float64bits(3.5)
		total := b.UploadInts([]int32{int32(uint32(bits)), int32(bits >> 32)})
		l := b.Upload(device.Float32, losses)
		k.Total(b.Queue, rows, l, total)
		k.Total(b.Queue, rows, l, total)
		words := b.Download(total, device.Float32, 2)
		got := math.Float64frombits(uint64(math.Float32bits(words[1]))<<32 | uint64(math.Float32bits(words[0])))
		if math.Abs(got-want) > 1e-12*want {
			t.Errorf("%d rows: %.17g, want %.17g", rows, got, want)
		}
	}
}

func BenchmarkCrossEntropy(b *testing.B) {
	for _, bench := range []struct {
		vocab int
		typ   device.Type
	}{{32000, device.BFloat16}, {49152, device.BFloat16}, {128256, device.BFloat16}, {128256, device.Float32}, {151669, device.BFloat16}, {262144, device.BFloat16}} {
		for _, shared := range []int{0, 1} {
			b.Run(fmt.Sprintf("%v/%d/shared=%d", bench.typ, bench.vocab, shared), func(b *testing.B) {
				gpu := devicetest.Open(b)
				spec := Spec{Vocab: bench.vocab, Type: bench.typ, Shared: shared * gpu.GPU.Info.SharedPerBlock}
				set := &device.Set{}
				k := New(set, spec)
				gpu.Load(set)
				const rows = 2048
				c := newChunk(spec, rows, rand.New(rand.NewPCG(1, 1)))
				for i := range c.weights {
					c.weights[i] = 1
				}
				logits, targets := gpu.Upload(spec.Type, c.logits), gpu.UploadInts(c.targets)
				weights, scale := gpu.Upload(device.Float32, c.weights), gpu.Upload(device.Float32, []float32{1})
				losses := gpu.Alloc(device.Float32, rows)
				bytes := float64(rows*bench.vocab) * float64(spec.Type.Size())
				b.ReportMetric(2*bytes/gpu.Seconds(20, func() { k.Gradient(gpu.Queue, rows, logits, targets, weights, scale, losses) })/1e9, "gradient-GB/s")
				b.ReportMetric(bytes/gpu.Seconds(20, func() { k.Score(gpu.Queue, rows, logits, targets, losses) })/1e9, "score-GB/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
