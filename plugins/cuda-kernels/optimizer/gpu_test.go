package optimizer

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/sdk/kernels"
)

// words uploads bytes, a multiple of 4 of them.
func words(b *devicetest.Bench, data []byte) device.Pointer {
	ints := make([]int32, len(data)/4)
	for i := range ints {
		ints[i] = int32(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return b.UploadInts(ints)
}

func downloadState(t *testing.T, b *devicetest.Bench, p device.Pointer) State {
	t.Helper()
	var data []byte
	for _, f := range b.Download(p, device.Float32, StateBytes/4) {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f))
	}
	s, err := DecodeState(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func float64At(b *devicetest.Bench, v float64) device.Pointer {
	return words(b, binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))
}

// bench is an optimizer with its buffers, and the same in float64.
type bench struct {
	*devicetest.Bench
	o       *Optimizer
	n       int
	buffers Buffers
	w, m, v []float64
	updates int
}

func newBench(b *devicetest.Bench, spec Spec, rng *rand.Rand) *bench {
	set := &device.Set{}
	o := New(set, spec)
	b.Load(set)
	n := int(spec.Elements)
	x := &bench{Bench: b, o: o, n: n, m: make([]float64, n), v: make([]float64, n)}
	w := make([]float32, n)
	for i := range w {
		w[i] = float32(rng.NormFloat64())
		x.w = append(x.w, float64(w[i]))
	}
	zeros := make([]float32, n)
	x.buffers = Buffers{
		Parameters: b.Upload(device.Float32, w), First: b.Upload(device.Float32, zeros), Second: b.Upload(device.Float32, zeros),
		Copy: b.Alloc(spec.Copy, n), State: words(b, o.Start().Encode()), Workspace: b.Alloc(device.Float32, int(o.Workspace()/4)),
	}
	return x
}

// step is the definition of kernels.Optimizer. It answers the norm before clipping.
func (x *bench) step(g []float32, scale, weight, rate float64) float64 {
	o, norm := x.o.spec, 0.0
	for _, v := range g {
		d := float64(v) / (weight * scale)
		norm += d * d
	}
	norm = math.Sqrt(norm)
	clip := 1.0
	if o.MaxGradNorm > 0 {
		clip = min(1, o.MaxGradNorm/(norm+1e-6))
	}
	x.updates++
	t := float64(x.updates)
	for i, v := range g {
		d := float64(v) / (weight * scale) * clip
		x.m[i] = o.Beta1*x.m[i] + (1-o.Beta1)*d
		x.v[i] = o.Beta2*x.v[i] + (1-o.Beta2)*d*d
		x.w[i] -= rate*o.WeightDecay*x.w[i] + rate*x.m[i]/(1-math.Pow(o.Beta1, t))/(math.Sqrt(x.v[i]/(1-math.Pow(o.Beta2, t)))+o.Epsilon)
	}
	return norm
}

func near(got []float32, want []float64, relative, absolute float64) error {
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= relative*math.Abs(w)+absolute) {
			return fmt.Errorf("element %d is %g, want %g", i, got[i], w)
		}
	}
	return nil
}

func TestSteps(t *testing.T) {
	b := devicetest.Open(t)
	rng := rand.New(rand.NewPCG(1, 2))
	plain := kernels.Optimizer{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	clipped := kernels.Optimizer{Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-6, WeightDecay: 0.1, MaxGradNorm: 0.5}
	for _, spec := range []Spec{
		{Optimizer: plain, Elements: 1, Copy: device.Float32},
		{Optimizer: clipped, Elements: 3, Copy: device.BFloat16},
		{Optimizer: clipped, Elements: 4, Copy: device.Float16},
		{Optimizer: plain, Elements: 1027, Copy: device.BFloat16},
		{Optimizer: clipped, Elements: 1027, Copy: device.Float16, Scaling: Float16Scaling()},
		{Optimizer: clipped, Elements: 5_000_001, Copy: device.BFloat16},
	} {
		t.Run(fmt.Sprintf("%d/%v/clip=%g", spec.Elements, spec.Copy, spec.MaxGradNorm), func(t *testing.T) {
			x := newBench(b, spec, rng)
			for step := range 5 {
				scale := float64(x.o.Start().Scale)
				weight, rate := 100+10*float64(step), 1e-2/float64(step+1)
				g := make([]float32, x.n)
				for i := range g {
					g[i] = float32(rng.NormFloat64() * scale * 30)
				}
				x.buffers.Gradients = b.Upload(device.Float32, g)
				norm := x.step(g, scale, weight, rate)
				x.o.Step(b.Queue, x.buffers, float64At(b, 12.5), weight, rate)
				s := downloadState(t, b, x.buffers.State)
				if math.Abs(s.Norm-norm) > 1e-12*norm || s.Loss != 12.5 || s.Updates != int64(step+1) || s.NotFinite || s.Used != float32(scale) {
					t.Errorf("step %d: %+v, want the norm %g", step, s, norm)
				}
			}
			w := b.Download(x.buffers.Parameters, device.Float32, x.n)
			if err := near(w, x.w, 1e-6, 1e-6); err != nil {
				t.Errorf("parameters: %v", err)
			}
			if err := near(b.Download(x.buffers.First, device.Float32, x.n), x.m, 1e-5, 1e-7); err != nil {
				t.Errorf("first moments: %v", err)
			}
			if err := near(b.Download(x.buffers.Second, device.Float32, x.n), x.v, 1e-5, 1e-10); err != nil {
				t.Errorf("second moments: %v", err)
			}
			if spec.Copy == device.Float32 {
				return
			}
			copied := b.Download(x.buffers.Copy, spec.Copy, x.n)
			x.buffers.Copy = b.Alloc(spec.Copy, x.n)
			x.o.Cast(b.Queue, x.buffers)
			cast := b.Download(x.buffers.Copy, spec.Copy, x.n)
			for i := range min(x.n, 5000) {
				if want := devicetest.Round(spec.Copy, w[i]); copied[i] != want || cast[i] != want {
					t.Fatalf("element %d, %g, is copied as %g and cast as %g, want %g", i, w[i], copied[i], cast[i], want)
				}
			}
			if !slices.Equal(copied, cast) {
				t.Error("the copy is not what Cast gives")
			}
		})
	}
}

// TestNotFinite: a step whose gradient or loss is not finite changes nothing but the
// State, and Adam does not count it.
func TestNotFinite(t *testing.T) {
	b := devicetest.Open(t)
	rng := rand.New(rand.NewPCG(3, 4))
	spec := Spec{Optimizer: kernels.Optimizer{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}, Elements: 10_007, Copy: device.Float16, Scaling: Float16Scaling()}
	x := newBench(b, spec, rng)
	x.o.Cast(b.Queue, x.buffers)
	before := b.Download(x.buffers.Parameters, device.Float32, x.n)
	want := x.o.Start()
	for i, test := range []struct {
		name     string
		gradient float64
		loss     float64
		overflow bool
	}{
		{"a NaN", math.NaN(), 1, true},
		{"an infinity", math.Inf(-1), 1, true},
		{"the loss", 1, math.NaN(), false},
		{"both", math.NaN(), math.Inf(1), false},
	} {
		g := make([]float32, x.n)
		g[x.n-1-i*3000] = float32(test.gradient)
		x.buffers.Gradients = b.Upload(device.Float32, g)
		x.o.Step(b.Queue, x.buffers, float64At(b, test.loss), 100, 1e-3)
		if test.overflow {
			rescale(&want, true, spec.Scaling)
		}
		got := downloadState(t, b, x.buffers.State)
		if !got.NotFinite || got.Updates != 0 || got.Skipped != int64(i+1) || got.Scale != want.Scale || got.Interval != want.Interval {
			t.Errorf("%s: %+v, want %+v", test.name, got, want)
		}
	}
	if !slices.Equal(b.Download(x.buffers.Parameters, device.Float32, x.n), before) {
		t.Error("parameters changed")
	}
	if slices.ContainsFunc(b.Download(x.buffers.First, device.Float32, x.n), func(v float32) bool { return v != 0 }) {
		t.Error("moments changed")
	}
}

// TestLargeGradients: squares beyond float32 are no overflow.
func TestLargeGradients(t *testing.T) {
	b := devicetest.Open(t)
	x := newBench(b, Spec{Optimizer: kernels.Optimizer{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, MaxGradNorm: 1}, Elements: 5}, rand.New(rand.NewPCG(5, 6)))
	x.buffers.Gradients = b.Upload(device.Float32, []float32{3e38, 0, 0, 4e-30, 0})
	x.o.Step(b.Queue, x.buffers, 0, 1, 1e-3)
	if s := downloadState(t, b, x.buffers.State); s.NotFinite || math.Abs(s.Norm/3e38-1) > 1e-6 || s.Updates != 1 {
		t.Errorf("%+v", s)
	}
}

// TestScalingOnGPU holds the GPU to the definition over a run with overflows.
func TestScalingOnGPU(t *testing.T) {
	b := devicetest.Open(t)
	scaling := Scaling{Initial: 8, Least: 0.25, Most: 64, Interval: 2, Shortest: 1, Longest: 8}
	x := newBench(b, Spec{Optimizer: kernels.Optimizer{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}, Elements: 4, Scaling: scaling}, rand.New(rand.NewPCG(7, 8)))
	good := b.Upload(device.Float32, []float32{1, 2, 3, 4})
	bad := b.Upload(device.Float32, []float32{1, 2, float32(math.Inf(1)), 4})
	want := x.o.Start()
	rng := rand.New(rand.NewPCG(9, 10))
	for step := range 200 {
		overflow := rng.IntN(1+step/20) == 0 && rng.IntN(2) == 0
		x.buffers.Gradients = good
		if overflow {
			x.buffers.Gradients = bad
		}
		x.o.Step(b.Queue, x.buffers, 0, 1, 1e-3)
		rescale(&want, overflow, scaling)
		got := downloadState(t, b, x.buffers.State)
		if got.Scale != want.Scale || got.Good != want.Good || got.Interval != want.Interval || got.Calm != want.Calm || got.Streak != want.Streak {
			t.Fatalf("step %d: %+v, want %+v", step, got, want)
		}
	}
}

func BenchmarkStep(b *testing.B) {
	for _, n := range []int64{1 << 20, 42_000_000, 1 << 30} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			gpu := devicetest.Open(b)
			spec := Spec{Optimizer: kernels.Optimizer{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, MaxGradNorm: 1}, Elements: n, Copy: device.BFloat16}
			set := &device.Set{}
			o := New(set, spec)
			gpu.Load(set)
			zeros := make([]float32, n)
			buffers := Buffers{
				Parameters: gpu.Upload(device.Float32, zeros), Gradients: gpu.Upload(device.Float32, zeros),
				First: gpu.Upload(device.Float32, zeros), Second: gpu.Upload(device.Float32, zeros), Copy: gpu.Alloc(device.BFloat16, int(n)),
				State: words(gpu, o.Start().Encode()), Workspace: gpu.Alloc(device.Float32, int(o.Workspace()/4)),
			}
			seconds := gpu.Seconds(20, func() { o.Step(gpu.Queue, buffers, 0, 1, 1e-3) })
			// Gradients are read twice; 12 bytes more are read and 14 written.
			b.ReportMetric(float64(n)*(8+12+14)/seconds/1e9, "GB/s")
			b.ReportMetric(seconds*1e6, "us")
			b.ReportMetric(0, "ns/op")
		})
	}
}
