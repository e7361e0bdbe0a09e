package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugin"
	"github.com/honeml/hone/sdk/plugintest/refbackend"
)

// KernelsOptions say how a kernels plugin is tested.
type KernelsOptions struct {
	// Config is the plugin's block, as a run file would give it.
	Config map[string]any
	// Precision is what activations are computed in; "" takes fp32 where the plugin
	// offers it, else the first that it offers.
	Precision string
	// Graphs is how many random graphs are compared; 0: 20.
	Graphs int
	// Skip lists rules that are left out, by their ids; Only, if not empty, those that
	// are not.
	Skip, Only []string
}

// CheckKernels runs the rules of kernels plugins.
func CheckKernels(ctx context.Context, begin Start[kernels.Backend], o KernelsOptions) *Report {
	report := &Report{Kind: plugin.Kernels}
	k, err := openKernelsKit(ctx, begin, o)
	if err != nil {
		report.Results = hopeless(kernelsRules(), err)
		return report
	}
	defer k.remove()
	report.Name, report.Version = k.description.Name, k.description.Version
	report.Results = runRules(ctx, kernelsRules(), k, selection{o.Skip, o.Only})
	return report
}

// hopeless are the results of a plugin that does not say what it is: the first rule,
// about its description, is broken, and no other can be tried.
func hopeless[K any](rules []rule[K], err error) []Result {
	out := make([]Result, len(rules))
	for i, r := range rules {
		out[i] = Result{Rule: Rule{r.id, r.sentence}, Outcome: Skipped, Detail: "the plugin does not say what it is"}
	}
	out[0].Outcome, out[0].Detail = Failed, err.Error()
	return out
}

// kernelsRules are the rules in the order in which they are run: what comes earlier is
// what the others stand on.
func kernelsRules() []rule[*kernelsKit] {
	return slices.Concat(kernelsPlanRules(), kernelsLoadRules(), kernelsScoreRules(), kernelsStepRules(), kernelsBalanceRules(), kernelsOptimizerRules(),
		kernelsStateRules(), kernelsGenerateRules(), kernelsConductRules())
}

// A kernelsKit is what the rules share.
type kernelsKit struct {
	start       Start[kernels.Backend]
	options     KernelsOptions
	description *kernels.Description
	precision   string
	close       closeness
	dir         string
	remove      func()

	lora, dropout, full *fixture
	dora, pissa         *fixture // nil unless the plugin trains it
}

func openKernelsKit(ctx context.Context, begin Start[kernels.Backend], o KernelsOptions) (*kernelsKit, error) {
	if o.Graphs == 0 {
		o.Graphs = 20
	}
	dir, err := os.MkdirTemp("", "plugintest-")
	if err != nil {
		return nil, err
	}
	k := &kernelsKit{start: begin, options: o, dir: dir, remove: func() { os.RemoveAll(dir) }}
	if err := k.prepare(ctx); err != nil {
		k.remove()
		return nil, err
	}
	return k, nil
}

// closeness says how near a plugin's numbers have to be to those of float64.
type closeness struct {
	logProb  float64 // of one token, absolute
	loss     float64 // relative
	gradient float64 // norm of the difference by the norm
	update   float64 // likewise, of the change of the parameters
	// order is how much two ways of adding the same numbers may differ: packed
	// together or apart, in one micro-batch or several. Relative.
	order float64
}

// closenessOf is what a precision allows.
func closenessOf(precision string) closeness {
	switch precision {
	case "bf16":
		return closeness{logProb: 0.1, loss: 2e-2, gradient: 6e-2, update: 0.15, order: 2e-2}
	case "fp16":
		return closeness{logProb: 0.02, loss: 4e-3, gradient: 1.5e-2, update: 0.05, order: 4e-3}
	}
	return closeness{logProb: 1e-3, loss: 1e-4, gradient: 1e-3, update: 1e-2, order: 1e-4}
}

// prepare asks the plugin what it is and writes the models.
func (k *kernelsKit) prepare(ctx context.Context) error {
	instance, err := k.start(ctx)
	if err != nil {
		return err
	}
	defer instance.Close()
	if k.description, err = instance.Service.Describe(ctx); err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	if k.description == nil {
		return errors.New("describe: neither a description nor an error")
	}
	k.precision = k.options.Precision
	if k.precision == "" && len(k.description.Precisions) > 0 {
		k.precision = k.description.Precisions[0]
		if slices.Contains(k.description.Precisions, "fp32") {
			k.precision = "fp32"
		}
	}
	k.close = closenessOf(k.precision)
	fixtures := map[**fixture]trained{&k.lora: {}, &k.dropout: {dropout: 0.3}, &k.full: {full: true}}
	if slices.Contains(k.description.Adapters, "dora") {
		fixtures[&k.dora] = trained{dropout: 0.3, dora: true}
	}
	if slices.Contains(k.description.Adapters, "pissa") {
		fixtures[&k.pissa] = trained{dropout: 0.3, pissa: true}
	}
	for into, what := range fixtures {
		if *into, err = newFixture(k.dir, what); err != nil {
			return err
		}
	}
	return nil
}

// folder makes a new, empty folder.
func (k *kernelsKit) folder(c *check) string {
	dir, err := os.MkdirTemp(k.dir, "saved-")
	c.must(err, "making a folder")
	return dir
}

// needAdapters skips the rule unless the plugin trains what the fixture does.
func (k *kernelsKit) needAdapters(c *check, names ...string) {
	for _, name := range names {
		if !slices.Contains(k.description.Adapters, name) {
			c.skip("the plugin does not train %s", name)
		}
	}
}

// request is a request to bind a fixture for all that a run does.
func (k *kernelsKit) request(f *fixture) *kernels.BindRequest {
	return &kernels.BindRequest{
		Graph: f.graph,
		Settings: kernels.Settings{
			Adapter: f.adapter, Seed: 7, Precision: k.precision, WeightType: "auto", StoredType: "float32", MaxLength: maxLength,
			TokensPerStep: 4 * maxLength, Config: k.options.Config,
			// A large epsilon: the update of an element whose gradient is almost 0 would
			// otherwise hang on its last bits.
			Optimizer: kernels.Optimizer{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-2, WeightDecay: 0.1, MaxGradNorm: 0},
		},
		Phases: kernels.Phases{Train: true, Score: true, GenerateSequences: 2, GenerateLength: maxLength},
	}
}

// A session is a backend that is bound and loaded.
type session struct {
	c       *check
	backend kernels.Backend
	plan    *kernels.Plan
	request *kernels.BindRequest
	train   string // the adapter that is trained
}

// open starts the plugin, binds a fixture as change says, and loads it.
func (k *kernelsKit) open(c *check, f *fixture, change func(*kernels.BindRequest)) *session {
	return k.load(c, start(c, k.start).Service, f, change)
}

// reference is the same with the backend that is right.
func (k *kernelsKit) reference(c *check, f *fixture, change func(*kernels.BindRequest)) *session {
	return k.loadReference(c, refbackend.New(), f, change)
}

// rounded is the same with one that is right but for the rounding of the run's
// precision. Numbers may be as far off as a few times its own.
func (k *kernelsKit) rounded(c *check, f *fixture, change func(*kernels.BindRequest)) *session {
	return k.loadReference(c, refbackend.NewRounded(), f, change)
}

// rounds reports whether the run's precision rounds more than limits leave room for.
func (k *kernelsKit) rounds() bool { return k.precision == "bf16" || k.precision == "fp16" }

// roundingAllowed is how many times the rounding of the reference a plugin may be off:
// it rounds in other places, and each rounding may go either way.
const roundingAllowed = 4

// allow is a limit, or a larger one where rounding alone puts numbers that far off.
func allow(limit, rounding float64) float64 { return max(limit, roundingAllowed*rounding) }

func (k *kernelsKit) loadReference(c *check, b kernels.Backend, f *fixture, change func(*kernels.BindRequest)) *session {
	return k.load(c, b, f, func(req *kernels.BindRequest) {
		if change != nil {
			change(req)
		}
		req.Settings.Config = nil
		req.Settings.WeightType = "auto"
	})
}

func (k *kernelsKit) load(c *check, b kernels.Backend, f *fixture, change func(*kernels.BindRequest)) *session {
	req := k.request(f)
	if change != nil {
		change(req)
	}
	s := &session{c: c, backend: b, request: req, train: f.adapter}
	var err error
	s.plan, err = b.Bind(c, req)
	c.must(err, "Bind")
	c.must(b.Load(c, f.loadRequest(), nil), "Load")
	return s
}

// step makes a step of micro-batches.
func step(number int64, batches ...*graph.Batch) *kernels.Step {
	return &kernels.Step{Number: number, LearningRate: 0.01, Objective: kernels.CrossEntropy, Batches: batches}
}

// steps makes n steps of two micro-batches each.
func steps(n int) []*kernels.Step {
	out := make([]*kernels.Step, n)
	for i := range out {
		d := newDocuments(uint64(i+1), 9, 5, 12, 7)
		out[i] = step(int64(i+1), pack(d[0], d[1]), pack(d[2], d[3]))
	}
	return out
}

// run trains the steps and gives what is reported.
func (s *session) run(steps ...*kernels.Step) []*kernels.StepResult {
	results, err := s.try(steps...)
	s.c.must(err, "Train")
	return results
}

func (s *session) try(steps ...*kernels.Step) ([]*kernels.StepResult, error) {
	var results []*kernels.StepResult
	left := steps
	err := s.backend.Train(s.c, func() (*kernels.Step, error) {
		if len(left) == 0 {
			return nil, io.EOF
		}
		next := left[0]
		left = left[1:]
		return next, nil
	}, func(r *kernels.StepResult) error {
		results = append(results, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		if i >= len(steps) || r == nil || r.Number != steps[i].Number {
			return nil, fmt.Errorf("report %d is not of step %d", i+1, steps[min(i, len(steps)-1)].Number)
		}
	}
	if len(results) != len(steps) {
		return nil, fmt.Errorf("%d steps were given, %d are reported", len(steps), len(results))
	}
	return results, nil
}

// score gives the log-probabilities of each micro-batch.
func (s *session) score(adapter string, batches ...*graph.Batch) [][]float32 {
	var out [][]float32
	err := s.backend.Score(s.c, &kernels.ScoreRequest{Adapter: adapter, Batches: batches}, func(p []float32) error {
		out = append(out, slices.Clone(p))
		return nil
	})
	s.c.must(err, "Score")
	if len(out) != len(batches) {
		s.c.fail("Score of %d micro-batches gives %d results", len(batches), len(out))
	}
	for i, p := range out {
		if len(p) != batches[i].Tokens() {
			s.c.fail("Score of %d tokens gives %d numbers", batches[i].Tokens(), len(p))
		}
	}
	return out
}

// read gives a trainable parameter, or its gradient.
func (s *session) read(name string, kind kernels.TensorKind) ([]float32, []int) {
	var out []float32
	shape, err := s.backend.ReadTensor(s.c, &kernels.ReadTensorRequest{Name: name, Kind: kind}, func(part []float32) error {
		out = append(out, part...)
		return nil
	})
	s.c.must(err, "ReadTensor of the %s of %q", kind, name)
	return out, shape
}

// readAll gives all trainable parameters, or their gradients, by name.
func (s *session) readAll(kind kernels.TensorKind) map[string][]float32 {
	out := map[string][]float32{}
	for _, p := range s.request.Graph.Trainable() {
		values, shape := s.read(p.Name, kind)
		if !slices.Equal(shape, p.Shape) || len(values) != p.Elements() {
			s.c.fail("ReadTensor of the %s of %q: %d values and the shape %v, the graph has %v", kind, p.Name, len(values), shape, p.Shape)
		}
		out[p.Name] = values
	}
	return out
}

// norm is the length of a vector.
func norm(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}

// distance is the length of the difference by the length of want.
func distance(got, want []float32) float64 {
	a, b := make([]float64, len(want)), make([]float64, len(want))
	for i := range want {
		a[i], b[i] = float64(got[i])-float64(want[i]), float64(want[i])
	}
	size := norm(b)
	if size == 0 {
		return norm(a)
	}
	return norm(a) / size
}

// relative is how far got is from want, by want.
func relative(got, want float64) float64 {
	if want == 0 {
		return math.Abs(got)
	}
	return math.Abs(got-want) / math.Abs(want)
}

// near fails the rule unless got is within limit of want, relative; NaN is not.
func (c *check) near(got, want, limit float64, what string, args ...any) {
	if !(relative(got, want) <= limit) {
		c.fail("%s is %.8g, it has to be %.8g (within %.1g)", fmt.Sprintf(what, args...), got, want, limit)
	}
}

// vectorsNear fails the rule unless each vector is within limit of the one of its name.
func (c *check) vectorsNear(got, want map[string][]float32, limit float64, what string) {
	for name, w := range want {
		if d := distance(got[name], w); !(d <= limit) {
			c.fail("%s of %q is off by %.2g of its norm (at most %.1g)", what, name, d, limit)
		}
	}
}

// farthest is the largest difference.
func farthest(a, b []float32) float64 {
	most := 0.0
	for t := range a {
		most = max(most, math.Abs(float64(a[t])-float64(b[t])))
	}
	return most
}

// logProbsNear fails the rule unless each log-probability is within limit.
func (c *check) logProbsNear(got, want []float32, limit float64, what string) {
	for t := range want {
		if d := math.Abs(float64(got[t]) - float64(want[t])); !(d <= limit) {
			c.fail("%s of token %d is %v, it has to be %v (within %.1g)", what, t, got[t], want[t], limit)
		}
	}
}

// mustFault ends the rule unless err is a fault with one of codes.
func (c *check) mustFault(err error, what string, codes ...fault.Code) {
	if err == nil {
		c.fail("%s: no error", what)
	}
	if !slices.ContainsFunc(codes, func(code fault.Code) bool { return errors.Is(err, code) }) {
		c.fail("%s: the error %q is no fault %q", what, err, codes)
	}
}
