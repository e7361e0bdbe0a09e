package plugintest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugintest"
	"github.com/honeml/hone/sdk/plugintest/refbackend"
)

// A broken is the reference backend with one thing wrong. Functions that are nil are
// the reference's.
type broken struct {
	*refbackend.Backend

	describe func(*kernels.Description)
	request  func(*kernels.BindRequest)                        // changes what is bound
	plan     func(*kernels.Plan, error) (*kernels.Plan, error) // changes what Bind and Estimate answer
	bind     func(*kernels.BindRequest) (*kernels.Plan, error) // instead of Bind
	load     func(*kernels.LoadRequest) *kernels.LoadRequest   // changes what is loaded
	mute     bool                                              // of progress
	loadErr  func(error) error                                 // changes what Load answers
	step     func(*kernels.Step)                               // changes each step
	result   func(*kernels.StepResult)                         // changes each report
	train    func(next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error
	score    func(*kernels.ScoreRequest) *kernels.ScoreRequest
	scores   func(*graph.Batch, []float32)
	generate func(*kernels.GenerateRequest) *kernels.GenerateRequest
	token    func(*kernels.Token)
	gradient func([]float32)
	save     func(*kernels.SaveRequest) *kernels.SaveRequest
	files    func(dir string, files []string) []string
	restore  func(*refbackend.Backend, string) (*kernels.Restored, error)
	context  func(context.Context) context.Context
}

func (b *broken) Describe(ctx context.Context) (*kernels.Description, error) {
	d, err := b.Backend.Describe(ctx)
	if b.describe != nil {
		b.describe(d)
	}
	return d, err
}

func (b *broken) changed(req *kernels.BindRequest) *kernels.BindRequest {
	if b.request == nil {
		return req
	}
	c := *req
	b.request(&c)
	return &c
}

func (b *broken) Estimate(ctx context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	p, err := b.Backend.Estimate(ctx, b.changed(req))
	if b.plan != nil {
		return b.plan(p, err)
	}
	return p, err
}

func (b *broken) Bind(ctx context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	if b.bind != nil {
		return b.bind(req)
	}
	p, err := b.Backend.Bind(ctx, b.changed(req))
	if b.plan != nil {
		return b.plan(p, err)
	}
	return p, err
}

func (b *broken) Load(ctx context.Context, req *kernels.LoadRequest, progress func(done, total int64)) error {
	if b.load != nil {
		req = b.load(req)
	}
	if b.mute {
		progress = nil
	}
	err := b.Backend.Load(ctx, req, progress)
	if b.loadErr != nil {
		err = b.loadErr(err)
	}
	return err
}

func (b *broken) Train(ctx context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
	if b.context != nil {
		ctx = b.context(ctx)
	}
	if b.train != nil {
		return b.train(next, report)
	}
	return b.Backend.Train(ctx, func() (*kernels.Step, error) {
		s, err := next()
		if err == nil && b.step != nil {
			c := *s
			c.Batches = nil
			for _, batch := range s.Batches {
				copied := *batch
				c.Batches = append(c.Batches, &copied)
			}
			b.step(&c)
			s = &c
		}
		return s, err
	}, func(r *kernels.StepResult) error {
		if b.result != nil {
			b.result(r)
		}
		return report(r)
	})
}

func (b *broken) Score(ctx context.Context, req *kernels.ScoreRequest, emit func([]float32) error) error {
	if b.score != nil {
		req = b.score(req)
	}
	i := 0
	return b.Backend.Score(ctx, req, func(p []float32) error {
		if b.scores != nil {
			b.scores(req.Batches[i], p)
		}
		i++
		return emit(p)
	})
}

func (b *broken) Generate(ctx context.Context, req *kernels.GenerateRequest, emit func(kernels.Token) error) error {
	if b.context != nil {
		ctx = b.context(ctx)
	}
	if b.generate != nil {
		req = b.generate(req)
	}
	return b.Backend.Generate(ctx, req, func(t kernels.Token) error {
		if b.token != nil {
			b.token(&t)
		}
		return emit(t)
	})
}

func (b *broken) ReadTensor(ctx context.Context, req *kernels.ReadTensorRequest, emit func([]float32) error) ([]int, error) {
	return b.Backend.ReadTensor(ctx, req, func(part []float32) error {
		if b.gradient != nil && req.Kind == kernels.TensorGradient {
			b.gradient(part)
		}
		return emit(part)
	})
}

func (b *broken) Save(ctx context.Context, req *kernels.SaveRequest) ([]string, error) {
	if b.save != nil {
		req = b.save(req)
	}
	files, err := b.Backend.Save(ctx, req)
	if b.files != nil && err == nil {
		files = b.files(req.Directory, files)
	}
	return files, err
}

func (b *broken) Restore(ctx context.Context, directory string) (*kernels.Restored, error) {
	if b.restore != nil {
		return b.restore(b.Backend, directory)
	}
	return b.Backend.Restore(ctx, directory)
}

// balanced is g with other coefficients of its balancing losses.
func balanced(g *graph.Graph, change func(float64) float64) *graph.Graph {
	c := g.Clone()
	for _, n := range c.Nodes {
		if r, ok := n.Op.(*graph.Route); ok {
			r.Balance = change(r.Balance)
		}
	}
	return c
}

// merged lays all documents of a micro-batch out as one.
func merged(b *graph.Batch) *graph.Batch {
	c := *b
	n := int32(b.Tokens())
	c.Position, c.DocStart, c.DocEnd, c.Sample = make([]int32, n), make([]int32, n), make([]int32, n), make([]int32, n)
	for t := range n {
		c.Position[t], c.DocEnd[t] = t, n
	}
	return &c
}

// brokenBackends are backends that each break a rule, by the rule.
func brokenBackends() map[string]func() *broken {
	forget := func(context.Context) context.Context { return context.Background() }
	return map[string]func() *broken{
		"kernels/describe": func() *broken {
			return &broken{describe: func(d *kernels.Description) { d.Version = "newest" }}
		},
		"kernels/schema-valid": func() *broken {
			return &broken{describe: func(d *kernels.Description) { d.Schema.Attributes[0].Doc = "" }}
		},
		"kernels/plan-before-weights": func() *broken {
			return &broken{plan: func(p *kernels.Plan, err error) (*kernels.Plan, error) {
				if p != nil {
					p.MicroBatchTokens = 8
				}
				return p, err
			}}
		},
		"kernels/unknown-setting-refused": func() *broken {
			return &broken{request: func(r *kernels.BindRequest) { r.Settings.Config = nil }}
		},
		"kernels/unsupported-op-named": func() *broken {
			return &broken{
				describe: func(d *kernels.Description) { d.Ops = []string{"embed", "linear", "norm", "rope", "attention", "map"} },
				plan: func(*kernels.Plan, error) (*kernels.Plan, error) {
					return nil, fault.New(fault.Unsupported, "this graph is not supported")
				},
			}
		},
		"kernels/limit-too-small": func() *broken {
			return &broken{plan: func(p *kernels.Plan, err error) (*kernels.Plan, error) {
				var f *fault.Error
				if errors.As(err, &f) && f.Code == fault.LimitTooSmall {
					f.NeedBytes /= 2
				}
				return p, err
			}}
		},
		"kernels/out-of-order-refused": func() *broken {
			b := &broken{}
			b.bind = func(r *kernels.BindRequest) (*kernels.Plan, error) { // takes a second Bind
				b.Backend = refbackend.New()
				return b.Backend.Bind(context.Background(), r)
			}
			return b
		},
		"kernels/estimate-anytime": func() *broken {
			return &broken{loadErr: func(err error) error { return err }, plan: func() func(*kernels.Plan, error) (*kernels.Plan, error) {
				bound := false
				return func(p *kernels.Plan, err error) (*kernels.Plan, error) {
					if bound {
						return nil, fault.New(fault.OutOfOrder, "busy")
					}
					bound = true
					return p, err
				}
			}()}
		},
		"kernels/load-progress": func() *broken { return &broken{mute: true} },
		"kernels/bad-adapter-named": func() *broken { // takes what it finds
			return &broken{load: func(r *kernels.LoadRequest) *kernels.LoadRequest {
				return &kernels.LoadRequest{Checkpoint: r.Checkpoint}
			}}
		},
		"kernels/random-weights": func() *broken { // deaf to the seed
			return &broken{load: func(r *kernels.LoadRequest) *kernels.LoadRequest {
				c := *r
				if r.Random != nil {
					c.Random = &kernels.RandomWeights{Seed: 5, StdDev: r.Random.StdDev}
				}
				return &c
			}}
		},
		"kernels/packing-invariant": func() *broken { // positions go on from one document to the next
			return &broken{scores: func(b *graph.Batch, p []float32) {
				for t := range p {
					p[t] -= 0.01 * float32(b.DocStart[t])
				}
			}}
		},
		"kernels/frozen-stays": func() *broken { // the adapter is merged for good
			b := &broken{}
			b.result = func(*kernels.StepResult) {
				b.score = func(r *kernels.ScoreRequest) *kernels.ScoreRequest {
					return &kernels.ScoreRequest{Adapter: "default", Batches: r.Batches}
				}
			}
			return b
		},
		"kernels/bad-weights-named": func() *broken {
			return &broken{loadErr: func(err error) error {
				if err != nil {
					err = fault.New(fault.BadWeights, "a tensor is wrong")
				}
				return err
			}}
		},
		"kernels/fresh-adapter": func() *broken {
			return &broken{request: func(r *kernels.BindRequest) { r.Settings.Seed = 1 }} // deaf to the seed
		},
		"kernels/fresh-dora": func() *broken { // magnitudes begin at zero
			return &broken{request: func(r *kernels.BindRequest) {
				r.Graph = r.Graph.Clone()
				for _, p := range r.Graph.Params {
					if p.Init == graph.InitRowNorms {
						p.Init = graph.InitZeros
					}
				}
			}}
		},
		"kernels/fresh-pissa": func() *broken { // begins as LoRA does
			return &broken{request: func(r *kernels.BindRequest) {
				r.Graph = r.Graph.Clone()
				for _, p := range r.Graph.Params {
					if p.Init == graph.InitPrincipal {
						p.Init = graph.InitZeros
					}
				}
			}}
		},
		"kernels/saved-pissa": func() *broken { // forgets the adapter
			return &broken{load: func(r *kernels.LoadRequest) *kernels.LoadRequest {
				return &kernels.LoadRequest{Checkpoint: r.Checkpoint}
			}}
		},
		"kernels/read-tensor": func() *broken {
			return &broken{load: func(r *kernels.LoadRequest) *kernels.LoadRequest { // forgets the adapter
				return &kernels.LoadRequest{Checkpoint: r.Checkpoint}
			}}
		},
		"kernels/logprobs-match-interpreter": func() *broken {
			return &broken{scores: func(_ *graph.Batch, p []float32) { // of the next token, not of this one
				copy(p, p[1:])
			}}
		},
		"kernels/adapter-off": func() *broken {
			b := &broken{}
			b.score = func(r *kernels.ScoreRequest) *kernels.ScoreRequest {
				return &kernels.ScoreRequest{Adapter: "default", Batches: r.Batches}
			}
			return b
		},
		"kernels/documents-are-separate": func() *broken {
			return &broken{score: func(r *kernels.ScoreRequest) *kernels.ScoreRequest {
				c := &kernels.ScoreRequest{Adapter: r.Adapter}
				for _, batch := range r.Batches {
					c.Batches = append(c.Batches, merged(batch))
				}
				return c
			}}
		},
		"kernels/bad-batch-refused": func() *broken {
			return &broken{score: func(r *kernels.ScoreRequest) *kernels.ScoreRequest {
				for _, batch := range r.Batches {
					for t, id := range batch.ID {
						batch.ID[t] = min(max(id, 0), 79) // quietly
					}
				}
				return r
			}}
		},
		"kernels/loss-is-a-sum": func() *broken {
			return &broken{result: func(r *kernels.StepResult) {
				if r.Weight > 0 {
					r.Loss /= r.Weight
				}
			}}
		},
		"kernels/gradients-match-interpreter": func() *broken {
			return &broken{gradient: func(g []float32) {
				for i := range g {
					g[i] = -g[i]
				}
			}}
		},
		"kernels/ops-match-interpreter": func() *broken { // a wrong derivative in one operation alone
			return &broken{request: func(r *kernels.BindRequest) {
				g := r.Graph.Clone()
				for _, n := range g.Nodes {
					if a, ok := n.Op.(*graph.Attention); ok && a.Cap != 0 {
						changed := *a
						changed.Cap *= 1.5
						n.Op = &changed
					}
				}
				r.Graph = g
			}}
		},
		"kernels/accumulation-exact": func() *broken { // a mean of means
			return &broken{step: func(s *kernels.Step) {
				for _, batch := range s.Batches {
					total := float32(batch.TotalWeight())
					batch.Weight = slices.Clone(batch.Weight)
					for t := range batch.Weight {
						batch.Weight[t] /= total
					}
				}
			}}
		},
		"kernels/dropout-by-sample": func() *broken { // by the place in the micro-batch
			return &broken{step: func(s *kernels.Step) {
				for _, batch := range s.Batches {
					batch.Sample = slices.Clone(batch.DocStart)
				}
			}}
		},
		"kernels/objective-refused": func() *broken {
			return &broken{step: func(s *kernels.Step) { s.Objective = kernels.CrossEntropy }}
		},
		"kernels/balance-matches-interpreter": func() *broken { // the gradients of twice the losses, which it reports
			b := &broken{}
			b.request = func(r *kernels.BindRequest) { r.Graph = balanced(r.Graph, func(v float64) float64 { return 2 * v }) }
			b.result = func(r *kernels.StepResult) { r.Metrics[kernels.AuxLoss] /= 2 }
			return b
		},
		"kernels/balance-by-document": func() *broken { // a mean over micro-batches
			var batches int
			return &broken{
				step:   func(s *kernels.Step) { batches = len(s.Batches) },
				result: func(r *kernels.StepResult) { r.Metrics[kernels.AuxLoss] /= float64(batches) },
			}
		},
		"kernels/balance-refused": func() *broken { // does not know them, and says nothing
			return &broken{describe: func(d *kernels.Description) { d.Capabilities = nil }}
		},
		"kernels/optimizer": func() *broken {
			return &broken{request: func(r *kernels.BindRequest) { r.Settings.Optimizer.WeightDecay = 0 }}
		},
		"kernels/clipping": func() *broken {
			return &broken{request: func(r *kernels.BindRequest) { r.Settings.Optimizer.MaxGradNorm = 0 }}
		},
		"kernels/not-finite-leaves-parameters": func() *broken {
			return &broken{result: func(r *kernels.StepResult) { r.NotFinite = false }}
		},
		"kernels/deterministic": func() *broken {
			b := &broken{}
			b.result = func(r *kernels.StepResult) { r.Loss += 1e-9 * float64(noise.Add(1)) }
			return b
		},
		"kernels/save-files": func() *broken {
			return &broken{files: func(dir string, files []string) []string {
				return files[:1]
			}}
		},
		"kernels/save-weights-only": func() *broken {
			return &broken{save: func(r *kernels.SaveRequest) *kernels.SaveRequest {
				return &kernels.SaveRequest{Directory: r.Directory}
			}}
		},
		"kernels/save-restore-exact": func() *broken { // the optimizer starts anew
			return &broken{restore: func(b *refbackend.Backend, directory string) (*kernels.Restored, error) {
				path := filepath.Join(directory, "state.json")
				data, err := os.ReadFile(path)
				if err != nil {
					return nil, fault.New(fault.Storage, "%w", err)
				}
				data = []byte(strings.Replace(string(data), `"updates":2`, `"updates":0`, 1))
				if err := os.WriteFile(path, data, 0o644); err != nil {
					return nil, err
				}
				return b.Restore(context.Background(), directory)
			}}
		},
		"kernels/restore-of-nothing": func() *broken {
			return &broken{restore: func(b *refbackend.Backend, directory string) (*kernels.Restored, error) {
				r, err := b.Restore(context.Background(), directory)
				if err != nil {
					return &kernels.Restored{}, nil //nolint:nilerr // that is what is wrong with it
				}
				return r, nil
			}}
		},
		"kernels/generate-greedy": func() *broken {
			return &broken{generate: func(r *kernels.GenerateRequest) *kernels.GenerateRequest {
				c := *r
				c.Temperature = 2
				return &c
			}}
		},
		"kernels/generate-stop": func() *broken {
			return &broken{token: func(t *kernels.Token) { t.Finish = "" }}
		},
		"kernels/generate-seeded": func() *broken {
			return &broken{generate: func(r *kernels.GenerateRequest) *kernels.GenerateRequest {
				c := *r
				c.Seed = 0
				return &c
			}}
		},
		"kernels/generate-bounds": func() *broken {
			return &broken{generate: func(r *kernels.GenerateRequest) *kernels.GenerateRequest {
				c := *r
				c.Temperature = max(0, r.Temperature)
				return &c
			}}
		},
		"kernels/errors-of-the-host": func() *broken {
			b := &broken{}
			b.train = func(next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
				if err := b.Backend.Train(context.Background(), next, report); err != nil {
					return errors.New("training failed")
				}
				return nil
			}
			return b
		},
		"kernels/steps-in-order": func() *broken {
			return &broken{result: func(r *kernels.StepResult) { r.Number = 1 }}
		},
		"kernels/cancel": func() *broken { return &broken{context: forget} },
	}
}

func TestBrokenBackends(t *testing.T) {
	for id, create := range brokenBackends() {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			report := plugintest.CheckKernels(t.Context(), plugintest.InProcess(func() kernels.Backend {
				b := create()
				b.Backend = refbackend.New()
				return b
			}), plugintest.KernelsOptions{Graphs: 40, Only: []string{id}})
			mustRefuse(t, report, id)
		})
	}
}

// mustRefuse fails the test unless the rule of that id is broken.
func mustRefuse(t *testing.T, report *plugintest.Report, id string) {
	t.Helper()
	failures := report.Failures()
	if len(failures) != 1 || failures[0].ID != id || failures[0].Detail == "" || !strings.Contains(report.Err().Error(), id) {
		t.Fatalf("%s is not refused: %+v", id, report.Results)
	}
	t.Log(failures[0].Detail)
}

// TestNothingElseIsRefused has one backend with one mistake go through all rules.
func TestNothingElseIsRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("what is refused does not depend on goroutines")
	}
	for _, id := range []string{"kernels/save-weights-only"} {
		report := plugintest.CheckKernels(t.Context(), plugintest.InProcess(func() kernels.Backend {
			b := brokenBackends()[id]()
			b.Backend = refbackend.New()
			return b
		}), plugintest.KernelsOptions{Graphs: 2})
		mustRefuse(t, report, id)
	}
}

// TestHopelessBackends are such that nothing can be asked of them.
func TestHopelessBackends(t *testing.T) {
	tests := map[string]kernels.Backend{
		"an error of Describe": &hopeless{err: fault.New(fault.DeviceLost, "gone")},
		"nothing at all":       &hopeless{},
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			report := plugintest.CheckKernels(t.Context(), plugintest.InProcess(func() kernels.Backend { return b }), plugintest.KernelsOptions{})
			mustRefuse(t, report, "kernels/describe")
		})
	}
	report := plugintest.CheckKernels(t.Context(), plugintest.InProcess(func() kernels.Backend {
		return &broken{Backend: refbackend.New(), bind: func(*kernels.BindRequest) (*kernels.Plan, error) { panic("a bug") }}
	}), plugintest.KernelsOptions{Only: []string{"kernels/plan-before-weights"}})
	mustRefuse(t, report, "kernels/plan-before-weights")
	if !strings.Contains(report.Failures()[0].Detail, "a panic: a bug") {
		t.Errorf("got %s", report.Failures()[0].Detail)
	}
}

type hopeless struct {
	kernels.Backend
	err error
}

func (h *hopeless) Describe(context.Context) (*kernels.Description, error) { return nil, h.err }

// A schema over the wire has to be valid: the kit sees it when it asks.
func TestInvalidSchemaOverGRPC(t *testing.T) {
	report := plugintest.CheckKernels(t.Context(), plugintest.OverGRPC(func() kernels.Backend {
		return &broken{Backend: refbackend.New(), describe: func(d *kernels.Description) {
			d.Schema.Attributes = append(d.Schema.Attributes, config.Attribute{Name: "x y", Doc: "?", Type: config.Of(config.Int)})
		}}
	}), plugintest.KernelsOptions{})
	mustRefuse(t, report, "kernels/describe")
}
