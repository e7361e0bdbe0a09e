package engine

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/graph/interp"
	"github.com/honeml/hone/sdk/kernels"
)

// mixture is a small model with one layer of experts.
type mixture struct {
	hidden, inner, vocabulary int
	route                     graph.Route
	weighs                    bool // weights multiply the input of the first linear
	weighsAgain               bool // and that of the second
	unused                    bool // nothing takes the weights
	biases                    bool
	lora                      *graph.Adapter // on both expert linears, without its parameters; nil: none
	full                      bool           // the model's own parameters are trained
}

// graph is the mixture's Graph.
func (m mixture) graph(t testing.TB) *graph.Graph {
	t.Helper()
	b := graph.New("MixtureForCausalLM")
	x := b.Embed("embed.weight", m.vocabulary, m.hidden)
	logits := b.Linear(x, "router", m.route.Experts, graph.RoleRouter, graph.Float32Out())
	r := m.route
	if r.Bias != graph.NoParam {
		r.Bias = b.Param("router.correction", []int{r.Experts}, graph.RoleRouter)
	}
	indices, weights := b.Route(logits, "route", r)
	linear := func(x graph.ValueID, name string, in, out int, weighs bool) graph.ValueID {
		op := graph.ExpertLinear{Experts: r.Experts, Bias: graph.NoParam}
		op.Weight = b.Param(name+".weight", []int{r.Experts, out, in}, graph.RoleExpertUp)
		if m.biases {
			op.Bias = b.Param(name+".bias", []int{r.Experts, out}, graph.RoleExpertUp)
		}
		if weighs {
			return b.WeighedExpertLinear(x, indices, weights, name, op)
		}
		return b.ExpertLinear(x, indices, name, op)
	}
	parts := b.Split(linear(x, "gate_up", m.hidden, 2*m.inner, m.weighs), "parts", 1, m.inner, m.inner)
	y := linear(b.Gated(parts[0], parts[1], "silu", "act"), "down", m.inner, m.hidden, m.weighsAgain)
	if m.weighs || m.weighsAgain || m.unused {
		y = b.CombinePlain(y, "combine")
	} else {
		y = b.Combine(y, weights, "combine")
	}
	b.Logits(b.Linear(b.Add(x, y, "add"), "head", m.vocabulary, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if m.full {
		g = adapt.Full(g)
	}
	if m.lora != nil {
		attach(g, *m.lora)
	}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	return g
}

// attach puts an adapter on all expert linears.
func attach(g *graph.Graph, like graph.Adapter) {
	param := func(name string, shape ...int) graph.ParamID {
		p := &graph.Param{
			ID: graph.ParamID(len(g.Params)), Name: name, Shape: shape, Role: graph.RoleLoRA,
			Init: graph.InitZeros, Adapter: like.Name, Trainable: true,
		}
		g.Params = append(g.Params, p)
		return p.ID
	}
	for _, n := range g.Nodes {
		if o, ok := n.Op.(*graph.ExpertLinear); ok {
			shape, a := g.Params[o.Weight].Shape, like
			a.A = param(o.Module+".lora_A.weight", a.Rank*o.Experts, shape[2])
			a.B = param(o.Module+".lora_B.weight", shape[1], a.Rank*o.Experts)
			o.Adapter = &a
		}
	}
}

// mixtures are by name what a mixture can have.
func mixtures() map[string]mixture {
	route := graph.Route{Experts: 6, TopK: 2, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1, Bias: graph.NoParam}
	plain := mixture{hidden: 24, inner: 16, vocabulary: 11, route: route}
	lora := func(rank int, dropout float64) *graph.Adapter {
		return &graph.Adapter{Name: adapt.DefaultName, Rank: rank, Alpha: 3, Dropout: dropout, Bias: graph.NoParam, Magnitude: graph.NoParam}
	}
	with := func(f func(m *mixture)) mixture {
		m := plain
		f(&m)
		return m
	}
	return map[string]mixture{
		"adapters":               with(func(m *mixture) { m.lora = lora(4, 0) }),
		"adapters, dropout":      with(func(m *mixture) { m.lora = lora(8, 0.4) }),
		"everything":             with(func(m *mixture) { m.full, m.biases = true, true }),
		"everything, adapters":   with(func(m *mixture) { m.full, m.biases, m.lora = true, true, lora(3, 0.2) }),
		"weights on the input":   with(func(m *mixture) { m.full, m.weighs, m.biases, m.lora = true, true, true, lora(8, 0) }),
		"weights on both inputs": with(func(m *mixture) { m.full, m.weighs, m.weighsAgain, m.lora = true, true, true, lora(2, 0.3) }),
		"one expert a token": with(func(m *mixture) {
			m.route.TopK, m.route.Sigmoid, m.weighs, m.full, m.lora = 1, true, true, true, lora(2, 0.3)
		}),
		"groups": with(func(m *mixture) {
			m.full, m.route = true, graph.Route{Experts: 6, TopK: 2, Sigmoid: true, Groups: 3, Keep: 2, GroupTop: 2, Bias: 0, Normalise: true, NormEpsilon: 0.1, Factor: 2.5}
		}),
		"balance, adapters": with(func(m *mixture) { m.route.Balance, m.lora = 0.7, lora(8, 0.4) }),
		"balance, everything": with(func(m *mixture) {
			m.route.Balance, m.route.Normalise, m.full, m.biases = 0.7, true, true, true
		}),
		"balance, scores after the choice": with(func(m *mixture) { m.route.Balance, m.route.After, m.full = 0.7, true, true }),
		"balance, weights unused":          with(func(m *mixture) { m.route.Balance, m.unused, m.full = 2, true, true }),
		"balance, groups": with(func(m *mixture) {
			m.full, m.route = true, graph.Route{Experts: 6, TopK: 2, Sigmoid: true, Groups: 3, Keep: 2, GroupTop: 2, Bias: 0, Normalise: true, NormEpsilon: 0.1, Factor: 2.5, Balance: 0.7}
		}),
		"odd widths": with(func(m *mixture) { m.hidden, m.inner, m.full, m.route.TopK, m.lora = 9, 7, true, 3, lora(5, 0) }),
	}
}

// expertCase draws the parameters and the tokens of a mixture.
func (m mixture) expertCase(t testing.TB) *graphtest.Case {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 9))
	c := &graphtest.Case{Graph: m.graph(t), Batch: &graph.Batch{}, Seed: 5, Step: 1}
	if m.lora != nil {
		c.Adapter = m.lora.Name
	}
	for _, p := range c.Graph.Params {
		values := make([]float64, p.Elements())
		for i := range values {
			values[i] = float64(float32(0.4 * r.NormFloat64()))
		}
		c.Values = append(c.Values, values)
	}
	for sample, length := range []int{5, 8} {
		ids, weights := make([]int32, length), make([]float32, length)
		for i := range ids {
			ids[i], weights[i] = int32(r.IntN(m.vocabulary)), 1
		}
		c.Batch.Append(int32(sample), ids, weights)
	}
	return c
}

// TestExperts compares the values and the gradients of mixtures with the interpreter.
func TestExperts(t *testing.T) {
	gpu := openGPU(t)
	limits := map[string]float64{"fp32": 1e-4, "bf16": 0.08, "fp16": 0.02}
	for name, m := range mixtures() {
		for precision, limit := range limits {
			t.Run(name+", "+precision, func(t *testing.T) { tryCase(t, gpu, m.expertCase(t), precision, limit) })
		}
	}
}

// tryCase compares what each node of a case gives, and the gradients of its parameters,
// with the interpreter, on kernels that run on every GPU.
func tryCase(t *testing.T, gpu *device.GPU, c *graphtest.Case, precision string, limit float64) {
	t.Helper()
	tryWith(t, gpu, c, precision, limit, Options{})
}

// tryWith is tryCase with other options.
func tryWith(t *testing.T, gpu *device.GPU, c *graphtest.Case, precision string, limit float64, o Options) {
	t.Helper()
	o.Recompute = RecomputeNone
	e := bindCase(t, gpu, c, precision, o)
	defer func() { _ = e.Close() }()
	options := interp.Options{Adapter: c.Adapter, Round: roundings[precision]}
	run, err := interp.New(c.Graph, rounded(c, precision), c.Batch, options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Forward(); err != nil {
		t.Fatal(err)
	}
	e.watch = func(n node, call *call) { compareNode(t, e, run, c, n, call, limit) }
	if _, err := e.Score(t.Context(), c.Adapter, c.Batch); err != nil {
		t.Fatal(err)
	}
	e.watch = nil

	options.Training, options.Seed, options.Step = true, c.Seed, c.Step
	if run, err = interp.New(c.Graph, rounded(c, precision), c.Batch, options); err != nil {
		t.Fatal(err)
	}
	schedule, err := diff.Differentiate(c.Graph, diff.Options{Adapter: c.Adapter})
	if err != nil {
		t.Fatal(err)
	}
	loss, gradients, err := run.Step(schedule)
	if err != nil {
		t.Fatal(err)
	}
	// A gradient that overflows the loss scale is asked for again, with less of it.
	var result *kernels.StepResult
	for range 20 {
		pending, err := e.enqueue(t.Context(), &kernels.Step{Number: int64(c.Step), Objective: kernels.CrossEntropy, Batches: []*graph.Batch{c.Batch}})
		if err != nil {
			t.Fatal(err)
		}
		if result, err = e.finish(pending); err != nil {
			t.Fatal(err)
		}
		if !result.Skipped {
			break
		}
	}
	if d := off([]float32{float32(result.Loss)}, []float64{loss}); !(d <= limit) {
		t.Errorf("loss %v, want %v", result.Loss, loss)
	}
	weight := c.Batch.TotalWeight()
	balance, reported := result.Metrics[kernels.AuxLoss]
	if want := run.Balance() / weight; reported != c.Graph.Balanced() || !(math.Abs(balance-want) <= limit*want) {
		t.Errorf("%v and reported %v: balancing losses of %v, want %v", c.Graph.Balanced(), reported, balance, want)
	}
	for id, want := range gradients {
		got, _, err := e.ReadTensor(c.Graph.Params[id].Name, kernels.TensorGradient)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i] /= weight
		}
		if d := off(got, want); !(d <= limit) {
			t.Errorf("the gradient of %s is off by %.2g of its norm: %v, want %v", c.Graph.Params[id].Name, d, got[:min(8, len(got))], want[:min(8, len(want))])
		}
	}
}

// TestExpertPlans: plans of a large mixture keep the limit they are given, and one whose
// weights are held in another type has room for them in the activations'.
func TestExpertPlans(t *testing.T) {
	m := mixture{hidden: 2048, inner: 768, vocabulary: 1000, lora: &graph.Adapter{Name: adapt.DefaultName, Rank: 16, Alpha: 16, Dropout: 0.1, Bias: graph.NoParam, Magnitude: graph.NoParam}}
	m.route = graph.Route{Experts: 128, TopK: 8, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1, Normalise: true, Bias: graph.NoParam}
	g := m.graph(t)
	whole, err := planOf(t, g, Options{Recompute: RecomputeAuto})
	if err != nil {
		t.Fatal(err)
	}
	weights := int64(128 * 3 * 2048 * 768 * 2)
	if n := whole.memory.items[0].Bytes; n < weights || n > weights+weights/8 {
		t.Errorf("%d bytes for weights, of which those of experts are %d", n, weights)
	}
	limit := whole.totalBytes() * 9 / 10
	less, err := planOf(t, g, Options{Recompute: RecomputeAuto, Offload: true, MemoryBytes: limit})
	if err != nil || less.totalBytes() > limit {
		t.Errorf("%d bytes, the limit is %d: %v", less.totalBytes(), limit, err)
	}
	if whole.layout.seconds <= 0 || less.layout.seconds < whole.layout.seconds {
		t.Errorf("%g s a token, and with less memory %g", whole.layout.seconds, less.layout.seconds)
	}
}
