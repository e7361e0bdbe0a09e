package logger_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/internal/filled"
	"github.com/honeml/hone/sdk/internal/loopback"
	"github.com/honeml/hone/sdk/logger"
)

// recorder is a logger that keeps what it is given.
type recorder struct {
	description *logger.Description
	run         *logger.Run
	opened      *logger.Opened
	records     []logger.Record
	status      logger.Status
	err         error
}

func (r *recorder) Describe(context.Context) (*logger.Description, error) {
	return r.description, r.err
}

func (r *recorder) Open(_ context.Context, run *logger.Run) (*logger.Opened, error) {
	r.run = run
	return r.opened, r.err
}

func (r *recorder) Log(_ context.Context, records []logger.Record) error {
	r.records = records
	return r.err
}

func (r *recorder) Close(_ context.Context, status logger.Status) error {
	r.status = status
	return r.err
}

func dial(t *testing.T, r *recorder) logger.Logger {
	t.Helper()
	service, stop, err := loopback.Dial(t.Context(), logger.NewPlugin(r))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return service.(logger.Logger)
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got  %+v\nwant %+v", what, got, want)
	}
}

// TestEveryFieldTravels fills each request and answer and holds what arrives to it.
func TestEveryFieldTravels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	r := &recorder{}
	c := dial(t, r)

	d := filled.New[logger.Description](rng)
	d.Schema = config.Schema{Attributes: []config.Attribute{{Name: "log_dir", Type: config.Of(config.String), Doc: "Where."}}}
	r.description = &d
	gotDescription, err := c.Describe(t.Context())
	equal(t, "Describe", []any{gotDescription, err}, []any{&d, nil})

	run, opened := filled.New[logger.Run](rng), filled.New[logger.Opened](rng)
	r.opened = &opened
	gotOpened, err := c.Open(t.Context(), &run)
	equal(t, "Open", []any{gotOpened, err}, []any{&opened, nil})
	equal(t, "the run", r.run, &run)

	records := filled.New[[]logger.Record](rng)
	records[0].Scalars["infinite"], records[0].Scalars["minus"] = math.Inf(1), math.Inf(-1)
	if err := c.Log(t.Context(), records); err != nil {
		t.Error(err)
	}
	equal(t, "records", r.records, records)

	status := filled.New[logger.Status](rng)
	if err := c.Close(t.Context(), status); err != nil {
		t.Error(err)
	}
	equal(t, "status", r.status, status)
}

func TestWhatIsNotAnOrdinaryValue(t *testing.T) {
	r := &recorder{opened: &logger.Opened{}}
	c := dial(t, r)
	err := c.Log(t.Context(), []logger.Record{{
		Scalars: map[string]float64{"x": math.NaN(), "y\xff": 1}, Texts: map[string]string{"t": "a\xff"},
		Tables: map[string]logger.Table{"t": {Columns: []string{"\xff"}, Rows: [][]string{{"\xfe", "b"}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := r.records[0]
	if !math.IsNaN(got.Scalars["x"]) || got.Scalars["y\uFFFD"] != 1 || got.Texts["t"] != "a\uFFFD" || got.Tables["t"].Rows[0][0] != "\uFFFD" {
		t.Errorf("got %+v", got)
	}
	if err := c.Log(t.Context(), nil); err != nil || len(r.records) != 0 {
		t.Errorf("no records: got %v, %v", r.records, err)
	}
	if _, err := c.Open(t.Context(), &logger.Run{}); err != nil || r.run.Config == nil || !r.run.Start.IsZero() {
		t.Errorf("an empty run: got %+v, %v", r.run, err)
	}
	if _, err := c.Open(t.Context(), &logger.Run{Hyperparameters: map[string]any{"x": math.NaN()}}); err == nil {
		t.Error("a hyperparameter that is not a number is taken")
	}
}

func TestErrorsTravel(t *testing.T) {
	r := &recorder{err: fault.New(fault.Storage, "no room").WithHint("delete"), description: &logger.Description{}}
	c := dial(t, r)
	calls := map[string]func() error{
		"Describe": func() error { _, err := c.Describe(t.Context()); return err },
		"Open":     func() error { _, err := c.Open(t.Context(), &logger.Run{}); return err },
		"Log":      func() error { return c.Log(t.Context(), nil) },
		"Close":    func() error { return c.Close(t.Context(), logger.Status{}) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, fault.Storage) || fault.HintOf(err) != "delete" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
