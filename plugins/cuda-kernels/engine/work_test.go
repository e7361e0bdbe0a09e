package engine

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
)

// working is a model of one attention, 8 wide, with adapters of rank 2 on three of its
// linears, bound in bf16.
func working(t *testing.T) *Engine {
	t.Helper()
	b := graph.New("Test")
	x := b.Linear(b.Embed("embed", 10, 8), "up", 8, graph.RoleMLPUp)
	h := b.Norm(x, "norm", graph.NormSpec{Epsilon: 1e-5})
	q, k, v := b.Linear(h, "q", 8, graph.RoleAttnQ), b.Linear(h, "k", 8, graph.RoleAttnK), b.Linear(h, "v", 8, graph.RoleAttnV)
	a := b.Attention(q, k, v, "attention", graph.AttentionSpec{Heads: 2, KVHeads: 2, Scale: 1, Window: 3})
	b.Logits(b.Linear(b.Add(x, a, "add"), "head", 10, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = adapt.Apply(g, adapt.LoRA{Rank: 2, Alpha: 2, Targets: []string{"up", "q", "k"}}); err != nil {
		t.Fatal(err)
	}
	e, err := planOf(t, g, Options{MicroBatch: 2048, Ceilings: true})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// workingStep has documents of four and two tokens.
func workingStep() *kernels.Step {
	b := &graph.Batch{}
	b.Append(0, []int32{1, 2, 3, 4}, []float32{1, 1, 1, 1})
	b.Append(1, []int32{5, 6}, []float32{1, 1})
	return &kernels.Step{Batches: []*graph.Batch{b}}
}

func TestTasks(t *testing.T) {
	e := working(t)
	for range 3 {
		e.tally.add(workingStep())
	}
	tasks, err := e.tasks(e.tally)
	if err != nil {
		t.Fatal(err)
	}
	type sum struct{ flops, bytes float64 }
	got := map[string]sum{}
	products := map[string]int{}
	for _, task := range tasks {
		s := got[task.family]
		got[task.family] = sum{s.flops + task.flops, s.bytes + task.bytes}
		if task.product != (product{}) {
			products[task.product.String()]++
		}
	}
	// There are 6 tokens of 16 bytes in each value, 96 together, and 4 predictions of 20
	// bytes of logits. With a window of 3 queries see 1+2+3+3 and 1+2 keys.
	want := map[string]sum{
		"embed":               {0, 96 + 96},
		"linear":              {4 * 2 * 6 * 8 * 8, 0},
		"linear, backward":    {3 * 2 * 6 * 8 * 8, 0}, // nothing is trained below the first
		"adapter":             {0, 2 * 96},            // q and k read the same
		"adapter, backward":   {0, 3 * 96},
		"norm":                {0, 2 * 96},
		"norm, backward":      {0, 4 * 96}, // x, dy, and dx, to which it adds
		"attention":           {2 * 12 * 2 * (4 + 4), 0},
		"attention, backward": {2.5 * 2 * 12 * 2 * (4 + 4), 0},
		"map":                 {0, 3 * 96},
		"map, backward":       {0, 3 * 96},
		"head and loss":       {2 * 2 * 4 * 8 * 10, 2 * 4 * 20},
		"update":              {0, 3 * 32 * (28 + 2)},
	}
	for _, family := range slices.Sorted(maps.Keys(want)) {
		if got[family] != want[family] {
			t.Errorf("%s: %v, want %v", family, got[family], want[family])
		}
		delete(got, family)
	}
	if len(got) > 0 {
		t.Errorf("there are others: %v", got)
	}
	if want := map[string]int{
		"forward 2048x8x8": 4, "backward 2048x8x8": 3, "forward 2048x10x8": 1, "backward 2048x8x10": 1,
	}; !maps.Equal(products, want) {
		t.Errorf("the products %v, want %v", products, want)
	}
}

// TestTasksOfTrainedWeights: a trained weight has one more product.
func TestTasksOfTrainedWeights(t *testing.T) {
	g := adapt.Full(working(t).g)
	e, err := planOf(t, g, Options{MicroBatch: 2048, Ceilings: true})
	if err != nil {
		t.Fatal(err)
	}
	e.tally.add(workingStep())
	tasks, err := e.tasks(e.tally)
	if err != nil {
		t.Fatal(err)
	}
	weights := 0
	for _, task := range tasks {
		if task.product.pass == passWeight {
			weights++
			if task.family != familyHead && task.product.String() != "weight 8x8x2048" {
				t.Errorf("the product %s", task.product)
			}
		}
	}
	if weights != 5 {
		t.Errorf("%d gradients of weights, want 5", weights)
	}
}

func TestReach(t *testing.T) {
	for r, want := range map[reach][]int{
		{}:           {1, 2, 3, 4, 5, 6},
		{window: 3}:  {1, 2, 3, 3, 3, 3},
		{chunk: 4}:   {1, 2, 3, 4, 1, 2},
		{2, 4}:       {1, 2, 2, 2, 1, 2},
		{window: 50}: {1, 2, 3, 4, 5, 6},
	} {
		for position, n := range want {
			if got := r.keys(position); got != n {
				t.Errorf("%+v at %d: %d, want %d", r, position, got, n)
			}
		}
	}
	var none *tally
	none.add(workingStep())
}

// TestCeilingsOfTasks: a product goes by its own ceiling, what has none by that of the
// largest, bytes by copies.
func TestCeilingsOfTasks(t *testing.T) {
	small, large := product{pass: passForward, rows: 10, in: 4, out: 4}, product{pass: passBackward, rows: 10, in: 8, out: 4}
	c := &ceilings{products: map[product]float64{small: 100, large: 50}, copies: 10}
	got := c.metrics([]task{
		{family: "linear", product: small, flops: 300},
		{family: "linear", product: large, flops: 100},
		{family: "attention", flops: 200},
		{family: "norm", bytes: 5},
	})
	want := map[string]float64{
		"ceiling/flops/forward 10x4x4": 100, "ceiling/flops/backward 10x8x4": 50, "ceiling/bytes": 10,
		"ceiling/time/linear": 5, "ceiling/time/attention": 4, "ceiling/time/norm": 0.5,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestFastest: the fastest way is measured for long enough, and warmed up before.
func TestFastest(t *testing.T) {
	var current, times int
	ways := make([]way, 3)
	for i := range ways {
		ways[i] = func(*device.Queue) { current = i }
	}
	calls := make([]int, len(ways))
	seconds, err := fastest(ways, func(w way, n int) (float64, error) {
		w(nil)
		times = n
		if calls[current]++; calls[current] == 1 {
			return 100, nil // the first time is no measure
		}
		return float64(n) * []float64{2e-3, 1e-3, 3e-3}[current], nil
	})
	if err != nil || math.Abs(seconds-1e-3) > 1e-12 || current != 1 || times != 100 {
		t.Errorf("%v s of way %d in %d times, %v", seconds, current, times, err)
	}
	gone := errors.New("gone")
	if _, err := fastest(ways, func(way, int) (float64, error) { return 0, gone }); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

// TestAchieved: no step is faster than the ceilings that are measured after it, and
// each part of it has its share.
func TestAchieved(t *testing.T) {
	gpu := openGPU(t)
	for name, change := range map[string]func(g *graph.Graph, o *Options){
		"adapters": func(*graph.Graph, *Options) {},
		"profiled": func(_ *graph.Graph, o *Options) { o.Profile = true },
		"weights": func(g *graph.Graph, _ *Options) {
			for _, p := range g.Params {
				p.Trainable = p.Trainable || strings.Contains(p.Name, "mlp")
			}
		},
		"layers again": func(_ *graph.Graph, o *Options) { o.Recompute = RecomputeLayers },
	} {
		t.Run(name, func(t *testing.T) {
			g := llama(t, shape{4, 2048, 16, 4, 128, 8192, 32000})
			o := of(gpu)
			o.Recompute, o.Ceilings = RecomputeNone, true
			change(g, &o)
			results, e, _ := trainSome(t, gpu, g, o, 2048, 6)
			for _, r := range results[:5] {
				for metric := range r.Metrics {
					if strings.HasPrefix(metric, "ceiling/") {
						t.Fatalf("step %d has the metric %s", r.Number, metric)
					}
				}
			}
			last := results[5]
			total, taken := 0.0, results[4].Seconds
			for _, metric := range slices.Sorted(maps.Keys(last.Metrics)) {
				v := last.Metrics[metric]
				if family, ok := strings.CutPrefix(metric, "ceiling/time/"); ok {
					total += v
					note := ""
					if took, ok := last.Metrics["time/"+family]; ok {
						note = fmt.Sprintf(", took %.2f", 1e3*took)
					}
					t.Logf("%s: %.2f ms%s", family, 1e3*v, note)
				} else if strings.HasPrefix(metric, "ceiling/") {
					t.Logf("%s: %.4g", metric, v)
				}
				if strings.HasPrefix(metric, "ceiling/") && !(v > 0) {
					t.Errorf("%s is %v", metric, v)
				}
			}
			t.Logf("achieved %.1f %% of a step of %.2f ms", 100*total/taken, 1e3*taken)
			if achieved := total / taken; !(achieved > 0 && achieved <= 1.05) {
				t.Errorf("a step of %v s would take %v s at the ceilings", taken, total)
			}
			if name == "weights" && e.stepped {
				t.Error("gradients that were overwritten count as a step's")
			}
		})
	}
}
