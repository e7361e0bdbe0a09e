package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/graph/interp"
	"github.com/honeml/hone/sdk/kernels/trained"
)

// openGPU gives a test the first GPU, or skips it.
func openGPU(t testing.TB) *device.GPU {
	t.Helper()
	gpu, err := device.Open(device.Options{})
	if err != nil && os.Getenv("HONE_TEST_GPU") == "" {
		t.Skipf("no GPU: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := gpu.Close(); err != nil {
			t.Error(err)
		}
	})
	return gpu
}

func narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

// bindCase binds and loads a random case.
func bindCase(t *testing.T, gpu *device.GPU, c *graphtest.Case, precision string, o Options) *Engine {
	t.Helper()
	e := loadCase(t, gpu, c, precision, o)
	for _, p := range c.Graph.Params {
		if p.Source != nil {
			continue
		}
		if err := (store{e}).Write(p, trained.Value, 0, narrow(c.Values[p.ID])); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.do(func() error { e.copyParameters(); return nil }); err != nil {
		t.Fatal(err)
	}
	return e
}

var roundings = map[string]func(float64) float64{"fp32": interp.Float32, "bf16": interp.BFloat16, "fp16": interp.Float16}

// rounded is the values of a case's parameters as the GPU holds them.
func rounded(c *graphtest.Case, precision string) interp.Params {
	matrices := matricesOf(c.Graph)
	return func(id graph.ParamID) []float64 {
		if !matrices[id] {
			return c.Values[id]
		}
		out := make([]float64, len(c.Values[id]))
		for i, v := range c.Values[id] {
			out[i] = roundings[precision](v)
		}
		return out
	}
}

// off is how far got is from want, by the norm of want.
func off(got []float32, want []float64) float64 {
	var difference, size float64
	for i, w := range want {
		d := float64(got[i]) - w
		difference += d * d
		size += w * w
	}
	if size == 0 {
		return math.Sqrt(difference)
	}
	return math.Sqrt(difference / size)
}

// TestEveryValue compares what each node of random graphs gives with the interpreter.
func TestEveryValue(t *testing.T) {
	gpu := openGPU(t)
	limits := map[string]float64{"fp32": 1e-3, "bf16": 0.25, "fp16": 0.05}
	for precision, limit := range limits {
		for seed := range uint64(12) {
			t.Run(fmt.Sprint(precision, " ", seed), func(t *testing.T) {
				c := graphtest.Random(rand.New(rand.NewPCG(7, seed)), graphtest.Options{Dense: true})
				e := bindCase(t, gpu, c, precision, Options{Recompute: RecomputeNone})
				defer func() { _ = e.Close() }()
				run, err := interp.New(c.Graph, rounded(c, precision), c.Batch, interp.Options{Adapter: c.Adapter, Round: roundings[precision]})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := run.Forward(); err != nil {
					t.Skip(err)
				}
				e.watch = func(n node, call *call) { compareNode(t, e, run, c, n, call, limit) }
				if _, err := e.Score(t.Context(), c.Adapter, c.Batch); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// compareNode compares the outputs of one node.
func compareNode(t *testing.T, e *Engine, run *interp.Run, c *graphtest.Case, n node, call *call, limit float64) {
	t.Helper()
	if t.Failed() {
		return // what follows has its error
	}
	for _, g := range c.Graph.Nodes {
		if g.Name != n.name() {
			continue
		}
		for k, v := range g.Outputs {
			kind, count := e.typeOf(v), c.Batch.Tokens()*c.Graph.Values[v].Width*c.Graph.Values[v].Slots
			data := make([]byte, int64(count)*kind.Size())
			e.q.Download(data, call.out[k])
			got := kind.Decode(data)
			if c.Graph.Values[v].Type == graph.Index {
				for i, x := range got {
					got[i] = float32(int32(math.Float32bits(x)))
				}
			}
			if d := off(got, run.Value(v)); !(d <= limit) {
				t.Errorf("%s %s, output %d, is off by %.2g of its norm: %v, want %v\n%+v", g.Op.Name(), g.Name, k, d,
					got[:min(8, count)], run.Value(v)[:min(8, count)], g.Op)
			}
		}
	}
}
