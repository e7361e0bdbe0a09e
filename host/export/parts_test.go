package export

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/interp"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugintest"
	"github.com/honeml/hone/sdk/weights"
	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/safetensors"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// mixture is a model of one layer of experts, held one by one and transposed, of which
// the linears have an adapter.
func mixture(t *testing.T) *graph.Graph {
	t.Helper()
	const experts, width, rank = 3, 6, 2
	b := graph.New("Mixture")
	x := b.Embed("embed.weight", 9, width)
	indices, w := b.Route(b.Linear(x, "router", experts, graph.RoleRouter), "route", graph.Route{
		Experts: experts, TopK: 2, Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1,
	})
	one := graph.StackSources(0, graph.FromTensor("e0.weight"), graph.FromTensor("e1.weight"), graph.FromTensor("e2.weight"))
	up := b.Param("up", []int{experts, 4, width}, graph.RoleExpertUp, graph.From(one))
	down := b.Param("down", []int{experts, width, 4}, graph.RoleExpertDown, graph.From(graph.FromTensor("down").Permute(0, 2, 1)))
	y := b.ExpertLinear(x, indices, "up", graph.ExpertLinear{Experts: experts, Weight: up, Bias: graph.NoParam})
	y = b.ExpertLinear(y, indices, "down", graph.ExpertLinear{Experts: experts, Weight: down, Bias: graph.NoParam})
	b.Logits(b.Linear(b.Combine(y, w, "combine"), "head", 9, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Nodes {
		o, ok := n.Op.(*graph.ExpertLinear)
		if !ok {
			continue
		}
		shape := g.Params[o.Weight].Shape
		param := func(which string, init graph.Init, shape ...int) graph.ParamID {
			id := graph.ParamID(len(g.Params))
			g.Params = append(g.Params, &graph.Param{
				ID: id, Name: "base_model.model." + o.Module + "." + which, Shape: shape, Role: graph.RoleLoRA, Module: o.Module,
				Init: init, Adapter: "default", Trainable: true,
			})
			return id
		}
		o.Adapter = &graph.Adapter{Name: "default", Rank: rank, Alpha: 3, Bias: graph.NoParam, Magnitude: graph.NoParam}
		o.Adapter.A = param("lora_A.weight", graph.InitKaiming, experts*rank, shape[2])
		o.Adapter.B = param("lora_B.weight", graph.InitZeros, shape[1], rank*experts)
	}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestMergeExperts: a merged mixture computes what the base and the adapter do, and is
// held as its base is.
func TestMergeExperts(t *testing.T) {
	g, dir := mixture(t), t.TempDir()
	rng := rand.New(rand.NewPCG(3, 4))
	values := make([][]float64, len(g.Params))
	for i, p := range g.Params {
		values[i] = make([]float64, p.Elements())
		for j := range values[i] {
			values[i][j] = float64(float32(rng.NormFloat64()))
		}
	}
	base, trained, merged := filepath.Join(dir, "model.safetensors"), filepath.Join(dir, kernels.AdapterFile), t.TempDir()
	if err := plugintest.WriteCheckpoint(base, g, values); err != nil {
		t.Fatal(err)
	}
	writeSaved(t, trained, g, values)
	checkpoint := openWeights(t, base)
	_, err := Merge(t.Context(), MergeSpec{Graph: g, Checkpoint: checkpoint, Trained: openWeights(t, trained), Folder: merged})
	if err != nil {
		t.Fatal(err)
	}
	out := openWeights(t, merged)
	if len(out.Names()) != len(checkpoint.Names()) {
		t.Errorf("merged are %q, the base has %q", out.Names(), checkpoint.Names())
	}
	own := make([][]float64, len(g.Params))
	for i, p := range g.Params {
		if p.Source == nil {
			continue
		}
		array, err := weights.Resolve(out, p.Source)
		if err != nil {
			t.Fatal(err)
		}
		narrow := make([]float32, p.Elements())
		if err := array.Float32(narrow, 0); err != nil {
			t.Fatal(err)
		}
		for _, v := range narrow {
			own[i] = append(own[i], float64(v))
		}
	}
	want, bare := logits(t, g, values, "default"), logits(t, g, values, "")
	got := logits(t, g, own, "")
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-4*max(1, math.Abs(want[i])) {
			t.Fatalf("logit %d is %v, with the adapter %v, without %v", i, got[i], want[i], bare[i])
		}
	}
}

func openWeights(t *testing.T, path string) *weights.Checkpoint {
	t.Helper()
	c, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// writeSaved writes what a run saves of the adapter.
func writeSaved(t *testing.T, path string, g *graph.Graph, values [][]float64) {
	t.Helper()
	var specs []tensorfile.Spec
	for _, s := range kernels.SavedTensors(g) {
		specs = append(specs, tensorfile.Spec{Name: s.Key, DType: dtype.F32, Shape: s.Param.Shape})
	}
	w, err := safetensors.Create(path, specs, safetensors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, s := range kernels.SavedTensors(g) {
		out, err := w.Tensor(s.Key)
		if err != nil {
			t.Fatal(err)
		}
		narrow := make([]float32, s.Param.Elements())
		for i, v := range values[s.Param.ID] {
			narrow[i] = float32(v)
		}
		if err := out.WriteFloat32(narrow); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func logits(t *testing.T, g *graph.Graph, values [][]float64, adapter string) []float64 {
	t.Helper()
	b := &graph.Batch{}
	b.Append(0, []int32{1, 5, 2, 8, 0, 3}, make([]float32, 6))
	run, err := interp.New(g, func(id graph.ParamID) []float64 { return values[id] }, b, interp.Options{Adapter: adapter})
	if err != nil {
		t.Fatal(err)
	}
	out, err := run.Forward()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMagnitudes: rows get the norms of DoRA, but for one of zeros, which has no direction.
func TestMagnitudes(t *testing.T) {
	w := []float32{3, 4, 0, 0, -6, 8}
	withMagnitudes(w, []float32{10, 2, 0})
	if want := []float32{6, 8, 0, 0, 0, 0}; !slices.Equal(w, want) {
		t.Errorf("%v, want %v", w, want)
	}
}
