package parity

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugin"
	"github.com/honeml/hone/test/binaries"
)

// open opens a checkpoint, or a GGUF file, with the model plugin that answers for it.
func open(t *testing.T, source string, maxLength int) *basemodel.Model {
	t.Helper()
	return openRequest(t, basemodel.Request{Source: source, MaxLength: maxLength})
}

func openRequest(t *testing.T, req basemodel.Request) *basemodel.Model {
	t.Helper()
	m, err := basemodel.Open(t.Context(), req, plugins{t})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// openCase opens the case's model, marks what it trains and says what the adapter
// is called, "" for none.
func openCase(t *testing.T, g *golden) (m *basemodel.Model, marked *graph.Graph, adapter string) {
	t.Helper()
	m = open(t, g.checkpoint(t, "config.json"), g.MaxLength)
	marked, adapter, err := g.Mark(m.Graph)
	if err != nil {
		t.Fatal(err)
	}
	return m, marked, adapter
}

// A session is a kernels plugin with a bound and loaded plan.
type session struct {
	t       *testing.T
	backend kernels.Backend
	graph   *graph.Graph
	adapter string
}

// A setup is what a session is bound and loaded with.
type setup struct {
	model     *basemodel.Model
	graph     *graph.Graph
	adapter   string // its name
	start     string // the folder of an adapter to start from
	maxLength int
	optimizer kernels.Optimizer
	precision string         // "": fp32
	config    map[string]any // the plugin's own block
	train     bool
}

// backend starts the kernels plugin that is tested.
func backend(t *testing.T) kernels.Backend {
	t.Helper()
	found, err := catalog().Find(plugin.Kernels, binaries.Kernels())
	if err != nil {
		t.Fatal(err)
	}
	return start(t, found).Kernels()
}

// precisions are those that the kernels plugin can compute in.
func precisions(t *testing.T) []string {
	t.Helper()
	d, err := backend(t).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d.Precisions
}

// lacks reports whether the kernels plugin does not train what a case does.
func lacks(t *testing.T, g *golden) bool {
	t.Helper()
	need := ""
	switch {
	case g.Adapter == nil:
	case g.Adapter.DoRA:
		need = "dora"
	case g.Adapter.Init == adapt.InitPiSSA:
		need = "pissa"
	}
	if need == "" {
		return false
	}
	d, err := backend(t).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return !slices.Contains(d.Adapters, need)
}

// skipLacks skips a test of a case that the kernels plugin does not train.
func skipLacks(t *testing.T, g *golden) {
	t.Helper()
	if lacks(t, g) {
		t.Skip("the kernels plugin does not train it")
	}
}

// bind starts the kernels plugin and loads s.
func bind(t *testing.T, s setup) *session {
	t.Helper()
	b := backend(t)
	_, err := b.Bind(t.Context(), &kernels.BindRequest{
		Graph: s.graph,
		Settings: kernels.Settings{
			Adapter: s.adapter, Seed: 1, Precision: cmp.Or(s.precision, "fp32"), WeightType: "auto", StoredType: s.model.StoredType,
			MaxLength: s.maxLength, Optimizer: s.optimizer, Config: s.config,
		},
		Phases: kernels.Phases{Train: s.train, Score: true, GenerateSequences: 3, GenerateLength: s.maxLength},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Load(t.Context(), &kernels.LoadRequest{Checkpoint: s.model.Files, Adapter: s.start}, nil); err != nil {
		t.Fatal(err)
	}
	return &session{t: t, backend: b, graph: s.graph, adapter: s.adapter}
}

// train does steps and returns their results.
func (s *session) train(steps ...*kernels.Step) []*kernels.StepResult {
	s.t.Helper()
	var out []*kernels.StepResult
	next := func() (*kernels.Step, error) {
		if len(steps) == 0 {
			return nil, io.EOF
		}
		step := steps[0]
		steps = steps[1:]
		return step, nil
	}
	report := func(r *kernels.StepResult) error {
		if r.NotFinite || r.Skipped {
			return fmt.Errorf("step %d was not done", r.Number)
		}
		out = append(out, r)
		return nil
	}
	if err := s.backend.Train(s.t.Context(), next, report); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// score is the log-probabilities of the tokens of batches, one after the other.
func (s *session) score(adapter string, batches ...*graph.Batch) []float32 {
	s.t.Helper()
	var out []float32
	err := s.backend.Score(s.t.Context(), &kernels.ScoreRequest{Adapter: adapter, Batches: batches}, func(l []float32) error {
		out = append(out, l...)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// generate continues prompts with the most probable tokens.
func (s *session) generate(adapter string, prompts [][]int32, tokens int) [][]int32 {
	s.t.Helper()
	out := make([][]int32, len(prompts))
	req := &kernels.GenerateRequest{Adapter: adapter, Prompts: prompts, MaxTokens: tokens}
	err := s.backend.Generate(s.t.Context(), req, func(token kernels.Token) error {
		out[token.Sequence] = append(out[token.Sequence], token.ID)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// tensor reads a trainable parameter or its gradient.
func (s *session) tensor(name string, kind kernels.TensorKind) []float32 {
	s.t.Helper()
	var out []float32
	_, err := s.backend.ReadTensor(s.t.Context(), &kernels.ReadTensorRequest{Name: name, Kind: kind}, func(part []float32) error {
		out = append(out, part...)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// save writes what was trained into a new folder.
func (s *session) save() string {
	s.t.Helper()
	dir := s.t.TempDir()
	if _, err := s.backend.Save(context.WithoutCancel(s.t.Context()), &kernels.SaveRequest{Directory: dir, WeightsOnly: true}); err != nil {
		s.t.Fatal(err)
	}
	return dir
}
