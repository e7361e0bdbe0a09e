package train

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/honeml/hone/host/data"
	"github.com/honeml/hone/host/metrics"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/ui"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
)

// errDied stands for the end of a plugin's process.
var errDied = errors.New("the process ended")

// A fake is a backend without mathematics: its state is how many steps it has
// done, and a step's loss follows from its number and its documents.
type fake struct {
	steps int64
	// fail is asked before each step that it does: an error ends Train.
	fail      func(step int64) error
	notFinite int64         // the step whose loss is not finite
	after     func()        // called after each step is reported
	work      time.Duration // that a step takes
	aux       bool          // steps report balancing losses
}

// Describe says what a host may ask for.
func (f *fake) Describe(context.Context) (*kernels.Description, error) {
	return &kernels.Description{Name: "fake", Version: "1.0.0", Ops: []string{"embed", "linear"}}, nil
}

// Estimate is Bind.
func (f *fake) Estimate(ctx context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	return f.Bind(ctx, req)
}

// Bind has room for two documents of the greatest length.
func (f *fake) Bind(_ context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	return &kernels.Plan{MicroBatchTokens: 2 * req.Settings.MaxLength, Bound: []byte("plan"), SameAsPrevious: string(req.Previous) == "plan"}, nil
}

// Load reads nothing.
func (f *fake) Load(context.Context, *kernels.LoadRequest, func(done, total int64)) error { return nil }

const stateFile = "steps"

// Restore reads how many steps were done.
func (f *fake) Restore(_ context.Context, directory string) (*kernels.Restored, error) {
	text, err := os.ReadFile(filepath.Join(directory, stateFile))
	if err != nil {
		return nil, err
	}
	f.steps, err = strconv.ParseInt(string(text), 10, 64)
	return &kernels.Restored{Exact: true}, err
}

// Save writes how many steps were done.
func (f *fake) Save(_ context.Context, req *kernels.SaveRequest) ([]string, error) {
	return []string{stateFile}, os.WriteFile(filepath.Join(req.Directory, stateFile), []byte(strconv.FormatInt(f.steps, 10)), 0o644)
}

// waited names the seconds that a step was waited for.
const waited = "test/waited"

// Train does steps, and says how long it waited for each.
func (f *fake) Train(_ context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
	for {
		begun := time.Now()
		step, err := next()
		wait := time.Since(begun)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if f.fail != nil {
			if err := f.fail(step.Number); err != nil {
				return err
			}
		}
		if f.work > 0 {
			time.Sleep(f.work)
		}
		result := f.result(step)
		if f.work > 0 {
			result.Metrics = map[string]float64{waited: wait.Seconds()}
		}
		if err := report(result); err != nil {
			return err
		}
		f.steps = step.Number
		if f.after != nil {
			f.after()
		}
	}
}

func (f *fake) result(step *kernels.Step) *kernels.StepResult {
	r := &kernels.StepResult{Number: step.Number, GradNorm: 1, Seconds: 0.5}
	for _, b := range step.Batches {
		r.Tokens += int64(b.Tokens())
		r.Weight += b.TotalWeight()
		for i, id := range b.ID {
			r.Loss += float64(b.Weight[i]) * float64(id) / float64(step.Number)
		}
	}
	if f.aux {
		r.Metrics = map[string]float64{kernels.AuxLoss: 0.25 * float64(step.Number)}
	}
	if step.Number == f.notFinite {
		r.Loss, r.NotFinite = math.NaN(), true
	}
	return r
}

// Score finds every token as probable.
func (f *fake) Score(_ context.Context, req *kernels.ScoreRequest, emit func([]float32) error) error {
	for _, b := range req.Batches {
		logProbs := make([]float32, b.Tokens())
		for i := range logProbs {
			logProbs[i] = -2
		}
		if err := emit(logProbs); err != nil {
			return err
		}
	}
	return nil
}

// Generate answers with the number of steps that were done.
func (f *fake) Generate(_ context.Context, req *kernels.GenerateRequest, emit func(kernels.Token) error) error {
	for i := range req.Prompts {
		if err := emit(kernels.Token{Sequence: i, ID: int32(f.steps), Finish: kernels.FinishLength}); err != nil {
			return err
		}
	}
	return nil
}

// ReadTensor has nothing to read.
func (f *fake) ReadTensor(context.Context, *kernels.ReadTensorRequest, func([]float32) error) ([]int, error) {
	return nil, errors.New("no tensors")
}

// Close does nothing.
func (f *fake) Close(context.Context) error { return nil }

var _ kernels.Backend = (*fake)(nil)

// fakeProcess is a fake that runs.
type fakeProcess struct{ backend *fake }

// Backend is the fake.
func (p fakeProcess) Backend() kernels.Backend { return p.backend }

// Close does nothing.
func (p fakeProcess) Close(context.Context) error { return nil }

// events is a display that keeps what it is told.
type events struct {
	mu   sync.Mutex
	list []ui.Event
}

// Emit keeps e.
func (d *events) Emit(e ui.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, e)
}

// Close does nothing.
func (d *events) Close() {}

// messages are those of a kind.
func (d *events) messages(k ui.Kind) (out []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.list {
		if e.Kind == k {
			out = append(out, e.Message)
		}
	}
	return out
}

// documents are n documents of two to nine tokens.
func documents(n int) []*data.Document {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]*data.Document, n)
	for i := range out {
		d := &data.Document{Where: "data.jsonl:" + strconv.Itoa(i+1)}
		for range 2 + rng.IntN(8) {
			d.IDs = append(d.IDs, rng.Int32N(32))
			d.Supervised = append(d.Supervised, true)
		}
		out[i] = d
	}
	return out
}

// newTrainer is a run of 12 steps on the fakes that start gives, in the folder.
func newTrainer(t testing.TB, folder string, start func() *fake) (*Trainer, *events) {
	t.Helper()
	open := rundir.Open
	if _, err := os.Stat(folder); err != nil {
		open = rundir.CreateAt
	}
	dir, err := open(folder)
	must(t, err)
	journal, err := metrics.OpenJournal(dir.Join(rundir.MetricsFile))
	must(t, err)
	t.Cleanup(func() { must(t, journal.Close()); must(t, dir.Close()) })
	display := &events{}
	r := &Trainer{
		Dir: dir, Journal: journal, Display: display,
		Start: func(context.Context) (Process, error) { return fakeProcess{start()}, nil },
		Died:  func(err error) bool { return errors.Is(err, errDied) },
		Bind: kernels.BindRequest{
			Graph: adapt.Full(graphtest.Random(rand.New(rand.NewPCG(3, 4)), graphtest.Options{}).Graph), Settings: kernels.Settings{MaxLength: 9},
			Phases: kernels.Phases{Train: true, Score: true, GenerateSequences: 1, GenerateLength: 16},
		},
		Documents: documents(20), Fingerprint: "fingerprint", Packing: true,
		Order:    data.OrderSpec{Seed: 1, Shuffle: true, TokensPerStep: 16, Steps: 12},
		Schedule: Schedule{Kind: "cosine", Rate: 1}, Warmup: 0.25,
		Evaluation: documents(3), EvaluateAt: 5, Prompts: []Prompt{{Text: "How many?", IDs: []int32{1}}},
		Generate:    Generate{MaxTokens: 1, Decode: func(ids []int32) string { return strconv.Itoa(int(ids[0])) }},
		Checkpoint:  CheckpointSpec{Every: 4, Keep: 2},
		WriteResult: func(string) error { return nil },
		Stop:        make(chan struct{}),
	}
	return r, display
}

// history is what the run's records come to: the highest attempt of each step.
func history(t testing.TB, r *Trainer) []*logger.Record {
	t.Helper()
	must(t, r.Journal.Sync())
	latest, err := metrics.Latest(r.Dir.Join(rundir.MetricsFile))
	must(t, err)
	return latest
}

// lines are records as text, without what no two runs have in common.
func lines(t testing.TB, records []*logger.Record) (out []string) {
	t.Helper()
	for _, r := range records {
		scalars := maps.Clone(r.Scalars)
		maps.DeleteFunc(scalars, func(name string, v float64) bool { return math.IsNaN(v) })
		text, err := json.Marshal([]any{r.Step, scalars, r.Texts})
		must(t, err)
		out = append(out, string(text))
	}
	return out
}

// same fails the test where two runs have other records.
func same(t testing.TB, got, want []*logger.Record) {
	t.Helper()
	if a, b := lines(t, got), lines(t, want); !slices.Equal(a, b) {
		t.Errorf("records differ:\n%q\nwant\n%q", a, b)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
