package kernels_test

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/internal/filled"
	"github.com/honeml/hone/sdk/internal/loopback"
	"github.com/honeml/hone/sdk/kernels"
)

// recorder is a backend that keeps what it is asked and answers what it is told.
type recorder struct {
	kernels.Backend // nil: calls that a test does not expect panic

	asked any // the last request
	err   error

	description *kernels.Description
	plan        *kernels.Plan
	restored    *kernels.Restored
	files       []string
	numbers     [][]float32
	shape       []int
	tokens      []kernels.Token
	progress    [][2]int64
	train       func(ctx context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error
}

func (r *recorder) Describe(context.Context) (*kernels.Description, error) {
	return r.description, r.err
}

func (r *recorder) Estimate(_ context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	r.asked = req
	return r.plan, r.err
}

func (r *recorder) Bind(_ context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	r.asked = req
	return r.plan, r.err
}

func (r *recorder) Load(_ context.Context, req *kernels.LoadRequest, progress func(done, total int64)) error {
	r.asked = req
	for _, p := range r.progress {
		progress(p[0], p[1])
	}
	return r.err
}

func (r *recorder) Restore(_ context.Context, directory string) (*kernels.Restored, error) {
	r.asked = directory
	return r.restored, r.err
}

func (r *recorder) Train(ctx context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
	return r.train(ctx, next, report)
}

func (r *recorder) Score(_ context.Context, req *kernels.ScoreRequest, emit func([]float32) error) error {
	r.asked = req
	for _, n := range r.numbers {
		if err := emit(n); err != nil {
			return err
		}
	}
	return r.err
}

func (r *recorder) Generate(_ context.Context, req *kernels.GenerateRequest, emit func(kernels.Token) error) error {
	r.asked = req
	for _, token := range r.tokens {
		if err := emit(token); err != nil {
			return err
		}
	}
	return r.err
}

func (r *recorder) Save(_ context.Context, req *kernels.SaveRequest) ([]string, error) {
	r.asked = req
	return r.files, r.err
}

func (r *recorder) ReadTensor(_ context.Context, req *kernels.ReadTensorRequest, emit func([]float32) error) ([]int, error) {
	r.asked = req
	for _, n := range r.numbers {
		if err := emit(n); err != nil {
			return nil, err
		}
	}
	return r.shape, r.err
}

func (r *recorder) Close(context.Context) error { return r.err }

// dial serves r in memory.
func dial(t *testing.T, r *recorder) kernels.Backend {
	t.Helper()
	service, stop, err := loopback.Dial(t.Context(), kernels.NewPlugin(r))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return service.(kernels.Backend)
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got  %+v\nwant %+v", what, got, want)
	}
}

// TestEveryFieldTravels fills each request and answer and holds what arrives to it.
func TestEveryFieldTravels(t *testing.T) {
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(1, 2))
	r := &recorder{}
	c := dial(t, r)

	d := filled.New[kernels.Description](rng)
	d.Schema = config.Schema{Attributes: []config.Attribute{{Name: "threads", Type: config.Of(config.Int), Doc: "How many.", Default: 4.0}}}
	r.description = &d
	gotDescription, err := c.Describe(ctx)
	equal(t, "Describe", []any{gotDescription, err}, []any{&d, nil})

	plan := filled.New[kernels.Plan](rng)
	r.plan = &plan
	for name, call := range map[string]func(context.Context, *kernels.BindRequest) (*kernels.Plan, error){"Bind": c.Bind, "Estimate": c.Estimate} {
		req := filled.New[kernels.BindRequest](rng)
		req.Graph = smallGraph(t)
		r.asked = nil
		got, err := call(ctx, &req)
		equal(t, name, []any{got, err}, []any{&plan, nil})
		asked := r.asked.(*kernels.BindRequest)
		equal(t, name+"'s graph", asked.Graph.Text(), req.Graph.Text())
		asked.Graph = req.Graph
		equal(t, name+"'s request", asked, &req)
	}

	load := filled.New[kernels.LoadRequest](rng)
	r.progress = [][2]int64{{0, 5}, {5, 5}}
	var progress [][2]int64
	err = c.Load(ctx, &load, func(done, total int64) { progress = append(progress, [2]int64{done, total}) })
	equal(t, "Load", []any{r.asked, progress, err}, []any{&load, r.progress, nil})
	if err := c.Load(ctx, &load, nil); err != nil {
		t.Errorf("Load without progress: %v", err)
	}

	restored := filled.New[kernels.Restored](rng)
	r.restored = &restored
	gotRestored, err := c.Restore(ctx, "/a")
	equal(t, "Restore", []any{r.asked, gotRestored, err}, []any{"/a", &restored, nil})

	save := filled.New[kernels.SaveRequest](rng)
	r.files = []string{"a", "b"}
	files, err := c.Save(ctx, &save)
	equal(t, "Save", []any{r.asked, files, err}, []any{&save, r.files, nil})

	score := filled.New[kernels.ScoreRequest](rng)
	r.numbers = [][]float32{{1, float32(math.Inf(-1))}, {2}}
	var numbers [][]float32
	collect := func(n []float32) error { numbers = append(numbers, n); return nil }
	err = c.Score(ctx, &score, collect)
	equal(t, "Score", []any{r.asked, numbers, err}, []any{&score, r.numbers, nil})

	generate := filled.New[kernels.GenerateRequest](rng)
	r.tokens = filled.New[[]kernels.Token](rng)
	var tokens []kernels.Token
	err = c.Generate(ctx, &generate, func(token kernels.Token) error { tokens = append(tokens, token); return nil })
	equal(t, "Generate", []any{r.asked, tokens, err}, []any{&generate, r.tokens, nil})

	read := filled.New[kernels.ReadTensorRequest](rng)
	r.numbers, r.shape = [][]float32{make([]float32, 3<<20), {7}}, []int{3, 5}
	r.numbers[0][2<<20] = 8
	numbers = nil
	shape, err := c.ReadTensor(ctx, &read, collect)
	var flat []float32
	for _, n := range numbers {
		flat = append(flat, n...)
	}
	equal(t, "ReadTensor", []any{r.asked, shape, err, len(flat), flat[2<<20], flat[3<<20]}, []any{&read, r.shape, nil, 3<<20 + 1, float32(8), float32(7)})

	if err := c.Close(ctx); err != nil {
		t.Error(err)
	}
}

// TestErrorsTravel has each call fail.
func TestErrorsTravel(t *testing.T) {
	ctx := t.Context()
	r := &recorder{err: fault.New(fault.DeviceLost, "gone"), description: &kernels.Description{}, plan: &kernels.Plan{}}
	r.train = func(context.Context, func() (*kernels.Step, error), func(*kernels.StepResult) error) error {
		return r.err
	}
	c := dial(t, r)
	req := &kernels.BindRequest{Graph: smallGraph(t)}
	calls := map[string]func() error{
		"Describe": func() error { _, err := c.Describe(ctx); return err },
		"Estimate": func() error { _, err := c.Estimate(ctx, req); return err },
		"Bind":     func() error { _, err := c.Bind(ctx, req); return err },
		"Load":     func() error { return c.Load(ctx, &kernels.LoadRequest{}, nil) },
		"Restore":  func() error { _, err := c.Restore(ctx, ""); return err },
		"Train": func() error {
			return c.Train(ctx, func() (*kernels.Step, error) { return nil, io.EOF }, nil)
		},
		"Score":      func() error { return c.Score(ctx, &kernels.ScoreRequest{}, nil) },
		"Generate":   func() error { return c.Generate(ctx, &kernels.GenerateRequest{}, nil) },
		"Save":       func() error { _, err := c.Save(ctx, &kernels.SaveRequest{}); return err },
		"ReadTensor": func() error { _, err := c.ReadTensor(ctx, &kernels.ReadTensorRequest{}, nil); return err },
		"Close":      func() error { return c.Close(ctx) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, fault.DeviceLost) || err.Error() != "gone" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func smallGraph(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.New("SmallForCausalLM")
	b.Logits(b.Linear(b.Embed("embed", 6, 4), "lm_head", 6, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestSchemaThatIsRefused(t *testing.T) {
	c := dial(t, &recorder{description: &kernels.Description{Schema: config.Schema{Attributes: []config.Attribute{{Name: "Bad Name"}}}}})
	if _, err := c.Describe(t.Context()); err == nil || !strings.Contains(err.Error(), "Bad Name") {
		t.Errorf("got %v", err)
	}
}
