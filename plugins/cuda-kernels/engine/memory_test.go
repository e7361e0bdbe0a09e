package engine

import (
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/facts"
)

// trainSome binds a model with random weights, does steps and gives their results, the
// plan, and how far the GPU's free memory fell.
func trainSome(t testing.TB, gpu *device.GPU, g *graph.Graph, o Options, length, steps int) ([]*kernels.StepResult, *Engine, int64) {
	t.Helper()
	free := func() (bytes int64) {
		if err := gpu.Do(func() (err error) {
			bytes, err = gpu.FreeMemory()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	before := free()
	e, err := Bind(&kernels.BindRequest{
		Graph: g,
		Settings: kernels.Settings{
			Adapter: adapt.DefaultName, Precision: "bf16", MaxLength: length, TokensPerStep: 4 * length, Seed: 5,
			Optimizer: kernels.Optimizer{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, MaxGradNorm: 1},
		},
		Phases: kernels.Phases{Train: true},
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Load(t.Context(), &kernels.LoadRequest{Random: &kernels.RandomWeights{Seed: 3, StdDev: 0.02}}, gpu, nil); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	number := int64(0)
	var results []*kernels.StepResult
	err = e.Train(t.Context(), func() (*kernels.Step, error) {
		if number++; number > int64(steps) {
			return nil, io.EOF
		}
		limit := e.layout.tokens
		batches := []*graph.Batch{{}}
		for sample := range 4 {
			ids, weights := make([]int32, length-37*sample), make([]float32, length-37*sample)
			for i := range ids {
				ids[i], weights[i] = int32(r.IntN(g.Vocabulary())), 1
			}
			b := batches[len(batches)-1]
			if b.Tokens()+len(ids) > limit {
				b = &graph.Batch{}
				batches = append(batches, b)
			}
			b.Append(int32(sample), ids, weights)
		}
		return &kernels.Step{Number: number, LearningRate: 1e-3, Objective: kernels.CrossEntropy, Batches: batches}, nil
	}, func(r *kernels.StepResult) error {
		results = append(results, r)
		return nil
	})
	if err != io.EOF { //nolint:errorlint // Train gives next's error as it is
		t.Fatal(err)
	}
	fell := before - free()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return results, e, fell
}

// TestMemoryIsAsPlanned: what is computed again or moved changes no bit, and the memory
// that a run takes is what the plan says.
func TestMemoryIsAsPlanned(t *testing.T) {
	gpu := openGPU(t)
	g := llama(t, shape{8, 2048, 16, 4, 128, 8192, 32000})
	all := of(gpu)
	all.Recompute = RecomputeNone
	want, whole, _ := trainSome(t, gpu, g, all, 1024, 3)
	tests := map[string]Options{
		"everything kept":   {Recompute: RecomputeNone},
		"layers":            {Recompute: RecomputeLayers},
		"some again":        {Recompute: RecomputeAuto, MemoryBytes: whole.totalBytes() * 7 / 10, MicroBatch: 4096},
		"most again":        {Recompute: RecomputeAuto, MemoryBytes: whole.totalBytes() * 53 / 100, MicroBatch: 4096},
		"some moved":        {Recompute: RecomputeAuto, Offload: true, MemoryBytes: whole.totalBytes() * 6 / 10, MicroBatch: 4096},
		"as much as can be": {Recompute: RecomputeAuto, Offload: true, MemoryBytes: whole.totalBytes() * 53 / 100, MicroBatch: 4096},
	}
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			o.Arch, o.Processors, o.SharedBytes = all.Arch, all.Processors, all.SharedBytes // other kernels give other bits
			got, e, fell := trainSome(t, gpu, g, o, 1024, 3)
			for i := range want {
				if got[i].Loss != want[i].Loss || got[i].GradNorm != want[i].GradNorm {
					t.Errorf("step %d: loss %v and norm %v, want %v and %v", i+1, got[i].Loss, got[i].GradNorm, want[i].Loss, want[i].GradNorm)
				}
			}
			planned := e.totalBytes()
			t.Logf("%d measures, planned %s, taken %s, on the host %s, %.1f ms a step by estimate, %.1f", len(e.layout.measures), bytesText(planned), bytesText(fell),
				bytesText(e.hostBytes()), 1e3*e.layout.seconds*4096, 1e3*got[len(got)-1].Seconds)
			if off := float64(fell-planned) / float64(planned); off > 0.03 || off < -0.03 {
				t.Errorf("the memory taken is off by %.1f %%", 100*off)
			}
		})
	}
}

// TestRecordings: a small model's micro-batches are recorded, and what a recording does
// is to the bit what the launches do.
func TestRecordings(t *testing.T) {
	gpu := openGPU(t)
	g := llama(t, shape{4, 128, 4, 2, 32, 256, 500})
	o := of(gpu)
	o.Recompute = RecomputeNone
	got, e, _ := trainSome(t, gpu, g, o, 256, 12)
	o.Eager = true
	want, _, _ := trainSome(t, gpu, g, o, 256, 12)
	if e.recordings.seen == nil {
		t.Error("nothing was recorded")
	}
	for i := range want {
		if got[i].Loss != want[i].Loss || got[i].GradNorm != want[i].GradNorm || got[i].BatchLosses[0] != want[i].BatchLosses[0] {
			t.Errorf("step %d: loss %v and norm %v, want %v and %v", i+1, got[i].Loss, got[i].GradNorm, want[i].Loss, want[i].GradNorm)
		}
	}
	t.Logf("a step takes %.2f ms, launched one by one %.2f", 1e3*got[11].Seconds, 1e3*want[11].Seconds)
}

// of is options with what a GPU has.
func of(gpu *device.GPU) Options {
	return Options{ContextBytes: gpu.ContextBytes, SharedBytes: gpu.Info.SharedPerBlock, Arch: gpu.Arch(), Processors: gpu.Info.SMs}
}

// TestOwnProducts: large products of linears, with and without dropout in their adapters
// and with magnitudes, give what cuBLASLt's give, and all of Hopper's kernels what those of
// every GPU do.
func TestOwnProducts(t *testing.T) {
	gpu := openGPU(t)
	for adapters, l := range map[string]adapt.LoRA{"LoRA": {}, "dropout": {Dropout: 0.1}, "DoRA": {DoRA: true}, "DoRA, dropout": {DoRA: true, Dropout: 0.1}} {
		l.Rank, l.Alpha, l.Targets = 16, 32, []string{"auto"}
		g := llamaWith(t, shape{2, 1024, 8, 2, 128, 2816, 3000}, l)
		o := of(gpu)
		o.Recompute = RecomputeNone
		got, e, _ := trainSome(t, gpu, g, o, 2048, 3)
		own := 0
		for _, n := range e.nodes {
			if l, ok := n.(*linearNode); ok && l.forth != nil && l.back != nil && l.forth.Wins(e.layout.tokens, l.out) {
				own++
			}
		}
		if gpu.Arch() == device.HopperArch && own == 0 {
			t.Error("no linear has a kernel of its own")
		}
		library, plain := o, o
		library.Library, plain.Arch = true, ""
		for name, other := range map[string]Options{"cuBLASLt": library, "kernels of every GPU": plain} {
			want, _, _ := trainSome(t, gpu, g, other, 2048, 3)
			for i := range want {
				if d := math.Abs(got[i].Loss/want[i].Loss - 1); !(d < 1e-3) {
					t.Errorf("%s, step %d: loss %v, by %s %v", adapters, i+1, got[i].Loss, name, want[i].Loss)
				}
				if d := math.Abs(got[i].GradNorm/want[i].GradNorm - 1); !(d < 0.02) {
					t.Errorf("%s, step %d: norm %v, by %s %v", adapters, i+1, got[i].GradNorm, name, want[i].GradNorm)
				}
			}
		}
	}
}

// BenchmarkLlama trains on random weights of real shapes, four documents of 2048 tokens
// a step.
func BenchmarkLlama(b *testing.B) {
	gpu := openGPU(b)
	for _, test := range []struct {
		name  string
		shape shape
		gib   float64
	}{
		{"135M", shape{30, 576, 9, 3, 64, 1536, 49152}, 0}, {"1B", shape{16, 2048, 32, 8, 64, 8192, 128256}, 0}, {"8B", llama8B, 0}, {"8B in 40 GiB", llama8B, 40}, {"8B in 17.7 GiB", llama8B, 17.7},
	} {
		b.Run(test.name, func(b *testing.B) {
			const warm, timed = 3, 8
			o := of(gpu)
			o.Recompute, o.Offload, o.MemoryBytes = RecomputeAuto, true, int64(test.gib*(1<<30))
			results, e, fell := trainSome(b, gpu, llama(b, test.shape), o, 2048, warm+timed)
			tokens, seconds := 0.0, 0.0
			for _, r := range results[warm:] {
				tokens += float64(r.Tokens)
				seconds += r.Seconds
			}
			o.Profile = true
			profiled, _, _ := trainSome(b, gpu, llama(b, test.shape), o, 2048, warm+1)
			last := results[len(results)-1]
			for family, seconds := range profiled[warm].Metrics {
				if name, ok := strings.CutPrefix(family, "time/"); ok {
					b.Logf("%6.1f ms, %4.1f %%: %s", 1e3*seconds, 100*seconds/profiled[warm].Seconds, name)
				}
			}
			b.ReportMetric(tokens/seconds, "tok/s")
			b.ReportMetric(tokens*facts.FLOPsPerToken(e.g, e.phases, e.settings.MaxLength)/seconds/1e12, "TFLOP/s")
			b.ReportMetric(float64(fell)/(1<<30), "GiB")
			b.Logf("first loss %.4f, norm %.4g; last %.4f, %.4g; planned %s, by estimate %.0f tok/s", results[0].Loss/results[0].Weight, results[0].GradNorm,
				last.Loss/last.Weight, last.GradNorm, bytesText(e.totalBytes()), 1/e.layout.seconds)
		})
	}
}
