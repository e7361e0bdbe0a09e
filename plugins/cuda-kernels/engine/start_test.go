package engine

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/principal"
	"github.com/honeml/hone/sdk/plugintest"
)

// TestStart: adapters that take away what they began with, forward and backward.
func TestStart(t *testing.T) {
	gpu := openGPU(t)
	limits := map[string]float64{"fp32": 1e-4, "bf16": 0.08, "fp16": 0.02}
	for name, l := range map[string]adapt.LoRA{
		"plain": {Rank: 8, Targets: []string{"auto"}}, "dropout": {Rank: 8, Dropout: 0.3, Targets: []string{"auto"}},
		"head": {Rank: 3, RSLoRA: true, Targets: []string{"auto", "head"}}, "biases": {Rank: 5, LoRABias: true, Targets: []string{"auto"}},
	} {
		for _, hidden := range []int{16, 9} {
			for precision, limit := range limits {
				t.Run(fmt.Sprintf("%s, %d wide, %s", name, hidden, precision), func(t *testing.T) {
					l.Init = adapt.InitPiSSA
					tryCase(t, gpu, adaptedCase(t, l, hidden, false), precision, limit)
				})
			}
		}
	}
}

// TestPrincipalParts: what adapters begin with is what package principal finds by products
// of its own, whatever the weights are held in.
func TestPrincipalParts(t *testing.T) {
	gpu := openGPU(t)
	for _, precision := range []string{"fp32", "bf16"} {
		c := adaptedCase(t, adapt.LoRA{Rank: 4, Targets: []string{"auto"}, Init: adapt.InitPiSSA}, 72, false)
		e := loadCase(t, gpu, c, precision, Options{Recompute: RecomputeNone})
		for _, o := range principal.Linears(c.Graph) {
			shape := c.Graph.Params[o.Weight].Shape
			down, up := principal.Factors(o.Adapter, principal.Dense(narrow(rounded(c, precision)(o.Weight)), shape[0], shape[1]))
			want, got := rankProduct[float64](up, down, shape, o.Adapter.Rank), rankProduct[float32](tensor(t, e, o.Adapter.B), tensor(t, e, o.Adapter.A), shape, o.Adapter.Rank)
			if d := off(got, want); !(d < 1e-4) {
				t.Errorf("%s, %s: B·A is off by %.2g of its norm", precision, o.Module, d)
			}
			for _, pair := range [][2]graph.ParamID{{o.Adapter.A, o.Adapter.Start.A}, {o.Adapter.B, o.Adapter.Start.B}} {
				start := make([]float32, c.Graph.Params[pair[1]].Elements())
				if err := (store{e}).Read(c.Graph.Params[pair[1]], 0, 0, start); err != nil {
					t.Fatal(err)
				}
				for i, v := range tensor(t, e, pair[0]) {
					if want := roundings[precision](float64(v)); math.Abs(float64(start[i])-want) > 0 {
						t.Fatalf("%s, %s: its start [%d] is %v, want %v", precision, o.Module, i, start[i], want)
					}
				}
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// loadCase binds a case and loads the weights that a checkpoint has of it.
func loadCase(t *testing.T, gpu *device.GPU, c *graphtest.Case, precision string, o Options) *Engine {
	t.Helper()
	e, err := Bind(&kernels.BindRequest{
		Graph: c.Graph,
		Settings: kernels.Settings{
			Adapter: c.Adapter, Seed: c.Seed, Precision: precision, MaxLength: 16,
			Optimizer: kernels.Optimizer{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8},
		},
		Phases: kernels.Phases{Train: true, Score: true},
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := plugintest.WriteCheckpoint(path, c.Graph, c.Values); err != nil {
		t.Fatal(err)
	}
	if err := e.Load(t.Context(), &kernels.LoadRequest{Checkpoint: []string{path}}, gpu, nil); err != nil {
		t.Fatal(err)
	}
	return e
}

func tensor(t *testing.T, e *Engine, id graph.ParamID) []float32 {
	t.Helper()
	values, _, err := e.ReadTensor(e.g.Params[id].Name, kernels.TensorValue)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// rankProduct is up [out, rank] times down [rank, in].
func rankProduct[T float32 | float64](up, down []float32, shape []int, rank int) []T {
	out := make([]T, shape[0]*shape[1])
	for i := range shape[0] {
		for k := range rank {
			for j := range shape[1] {
				out[i*shape[1]+j] += T(up[i*rank+k]) * T(down[k*shape[1]+j])
			}
		}
	}
	return out
}
