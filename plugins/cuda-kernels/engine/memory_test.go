package engine

import (
	"io"
	"math/rand/v2"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
)

// trainSome binds a model with random weights, does steps and gives their results, the
// plan, and how far the GPU's free memory fell.
func trainSome(t *testing.T, gpu *device.GPU, g *graph.Graph, o Options, steps int) ([]*kernels.StepResult, *Engine, int64) {
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
			Adapter: adapt.DefaultName, Precision: "bf16", MaxLength: 1024, TokensPerStep: 4096, Seed: 5,
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
		b := &graph.Batch{}
		for sample := range 4 {
			ids, weights := make([]int32, 1024-37*sample), make([]float32, 1024-37*sample)
			for i := range ids {
				ids[i], weights[i] = int32(r.IntN(g.Vocabulary())), 1
			}
			b.Append(int32(sample), ids, weights)
		}
		return &kernels.Step{Number: number, LearningRate: 1e-3, Objective: kernels.CrossEntropy, Batches: []*graph.Batch{b}}, nil
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
	want, whole, _ := trainSome(t, gpu, g, Options{Recompute: RecomputeNone}, 3)
	tests := map[string]Options{
		"everything kept":   {Recompute: RecomputeNone},
		"layers":            {Recompute: RecomputeLayers},
		"some again":        {Recompute: RecomputeAuto, MemoryBytes: whole.totalBytes() * 7 / 10, MicroBatch: 4096},
		"most again":        {Recompute: RecomputeAuto, MemoryBytes: whole.totalBytes() * 45 / 100, MicroBatch: 4096},
		"some moved":        {Recompute: RecomputeAuto, Offload: true, MemoryBytes: whole.totalBytes() * 6 / 10, MicroBatch: 4096},
		"as much as can be": {Recompute: RecomputeAuto, Offload: true, MemoryBytes: whole.totalBytes() * 45 / 100, MicroBatch: 4096},
	}
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			got, e, fell := trainSome(t, gpu, g, o, 3)
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
