package metrics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/honeml/hone/sdk/logger"
)

func scalar(step int64, v float64) *logger.Record {
	return &logger.Record{Step: step, Time: time.Unix(1000+step, 0), Scalars: map[string]float64{"train/loss": v}}
}

func TestRecordRoundTrip(t *testing.T) {
	in := &logger.Record{
		Attempt: 2, Seq: 41, Step: 12, Time: time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC),
		Scalars:    map[string]float64{"a": 1.5, "inf": math.Inf(1), "ninf": math.Inf(-1)},
		Texts:      map[string]string{"t": "x\n\"y\""},
		Histograms: map[string]logger.Histogram{"h": {Edges: []float64{0, 1}, Counts: []float64{3}, Sum: 2, SumSquares: 4}},
		Images:     map[string]string{"i": "a.png"},
		Tables:     map[string]logger.Table{"tab": {Columns: []string{"c"}, Rows: [][]string{{"v"}}}},
	}
	data, err := Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(in, out) {
		t.Errorf("got %+v, want %+v", out, in)
	}
	nan := scalar(1, math.NaN())
	nan.Attempt, nan.Seq = 1, 1
	data, _ = Encode(nan)
	if !strings.Contains(string(data), `"NaN"`) {
		t.Errorf("NaN is written as %s", data)
	}
	if out, err := Decode(data); err != nil || !math.IsNaN(out.Scalars["train/loss"]) {
		t.Errorf("NaN came back as %v, %v", out, err)
	}
}

func TestJournalSurvivesATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	j, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	for step := range int64(3) {
		j.Append(scalar(step+1, 1))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"attempt":1,"seq":4,"st`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	j, err = OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	j.Append(scalar(3, 2))
	j.NextAttempt()
	j.Append(scalar(3, 3))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	err = Read(path, func(r *logger.Record) error {
		got = append(got, fmt.Sprintf("%d/%d:%d=%g", r.Attempt, r.Seq, r.Step, r.Scalars["train/loss"]))
		return nil
	})
	want := "1/1:1=1 1/2:2=1 1/3:3=1 2/4:3=2 3/5:3=3"
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
	latest, err := Latest(path)
	if err != nil || len(latest) != 3 || latest[2].Scalars["train/loss"] != 3 {
		t.Errorf("latest: %v, %v", latest, err)
	}
}

// TestJournalHasNoGaps: after a record that could not be written, none is, even where
// it could be.
func TestJournalHasNoGaps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	j, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	j.Append(scalar(1, 1))
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
	file := j.file
	full, err := os.Open(path) // to be read only
	if err != nil {
		t.Fatal(err)
	}
	j.file = full
	j.Append(scalar(2, 1))
	if err := j.Sync(); err == nil {
		t.Error("a record that could not be written is on the disk")
	}
	j.file = file
	j.Append(scalar(3, 1))
	if err := j.Close(); err == nil {
		t.Error("the journal has forgotten that a record could not be written")
	}
	full.Close()
	var steps []int64
	if err := Read(path, func(r *logger.Record) error { steps = append(steps, r.Step); return nil }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(steps) != "[1]" {
		t.Errorf("the file has the steps %v, want [1]", steps)
	}
}

func TestJournalRefusesWhatIsNotARecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	if err := os.WriteFile(path, []byte("{\"attempt\":1,\"seq\":1}\nnonsense\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(path); err == nil || !strings.Contains(err.Error(), "byte 22") {
		t.Errorf("got %v, want the byte of the broken line", err)
	}
}

// fakeLogger keeps what it is given, as a file would, across its lives.
type fakeLogger struct {
	mu     sync.Mutex
	have   []logger.Record
	opens  int
	dies   func(life, call int) bool // before it takes a batch
	after  bool                      // it dies after taking the batch instead
	calls  int
	closed []logger.Status
	block  chan struct{} // Log waits for it
}

type fakeLife struct {
	f    *fakeLogger
	life int
}

func (f *fakeLogger) start() *fakeLife {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opens++
	return &fakeLife{f: f, life: f.opens}
}

func (l *fakeLife) Describe(context.Context) (*logger.Description, error) {
	return nil, errors.New("not asked")
}

func (l *fakeLife) Open(context.Context, *logger.Run) (*logger.Opened, error) {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	o := &logger.Opened{}
	if n := len(l.f.have); n > 0 {
		o.Attempt, o.Seq = l.f.have[n-1].Attempt, l.f.have[n-1].Seq
	}
	return o, nil
}

func (l *fakeLife) Log(ctx context.Context, records []logger.Record) error {
	if l.f.block != nil {
		select {
		case <-l.f.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	l.f.calls++
	dies := l.f.dies != nil && l.f.dies(l.life, l.f.calls)
	if dies && !l.f.after {
		return errors.New("the plugin died")
	}
	l.f.have = append(l.f.have, records...)
	if dies {
		return errors.New("the plugin died")
	}
	return nil
}

func (l *fakeLife) Close(_ context.Context, s logger.Status) error {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	l.f.closed = append(l.f.closed, s)
	return nil
}

// connection is the process of a fakeLife.
type connection struct{ life *fakeLife }

func (c connection) Logger() logger.Logger       { return c.life }
func (c connection) Close(context.Context) error { return nil }

func (f *fakeLogger) sink(name string) Sink {
	return Sink{Name: name, Start: func(context.Context) (Connection, error) { return connection{f.start()}, nil }}
}

func TestFanoutBringsEachRecordOnce(t *testing.T) {
	tests := []struct {
		name string
		fake *fakeLogger
	}{
		{"undisturbed", &fakeLogger{}},
		{"dies before it takes", &fakeLogger{dies: func(life, _ int) bool { return life <= 2 }}},
		{"dies after it took", &fakeLogger{after: true, dies: func(life, _ int) bool { return life <= 3 }}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j, err := OpenJournal(filepath.Join(t.TempDir(), "metrics.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			f, err := NewFanout(t.Context(), j, hclog.NewNullLogger(), []Sink{test.fake.sink("x")})
			if err != nil {
				t.Fatal(err)
			}
			const n = 700
			for step := range int64(n) {
				j.Append(scalar(step, float64(step)))
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(t.Context(), logger.Status{State: "finished"}); err != nil {
				t.Fatal(err)
			}
			if len(test.fake.have) != n {
				t.Fatalf("%d records arrived, want %d", len(test.fake.have), n)
			}
			for i, r := range test.fake.have {
				if r.Seq != int64(i)+1 {
					t.Fatalf("record %d has seq %d", i, r.Seq)
				}
			}
			if len(test.fake.closed) != 1 || test.fake.closed[0].State != "finished" {
				t.Errorf("closed with %v", test.fake.closed)
			}
		})
	}
}

func TestFanoutNeverHoldsUpARun(t *testing.T) {
	j, err := OpenJournal(filepath.Join(t.TempDir(), "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	stuck, free := &fakeLogger{block: make(chan struct{})}, &fakeLogger{}
	f, err := NewFanout(t.Context(), j, hclog.NewNullLogger(), []Sink{stuck.sink("stuck"), free.sink("free")})
	if err != nil {
		t.Fatal(err)
	}
	for step := range int64(5000) {
		j.Append(scalar(step, 1))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = f.Close(ctx, logger.Status{})
	if err == nil || !strings.Contains(err.Error(), `"stuck" did not take all records`) {
		t.Errorf("got %v", err)
	}
	if len(free.have) != 5000 {
		t.Errorf("the other logger has %d records", len(free.have))
	}
}

func TestFanoutEndsARunThatBeginsWrong(t *testing.T) {
	j, err := OpenJournal(filepath.Join(t.TempDir(), "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	wrong := errors.New("no such project")
	bad := Sink{Name: "bad", Start: func(context.Context) (Connection, error) { return nil, wrong }}
	if _, err := NewFanout(t.Context(), j, hclog.NewNullLogger(), []Sink{(&fakeLogger{}).sink("good"), bad}); !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
}

func TestFanoutStartsALoggerThatDiesAsItBegins(t *testing.T) {
	died := errors.New("the plugin died")
	tests := []struct {
		name   string
		deaths int
		cause  error
		starts int
		opens  bool
	}{
		{"dies twice", 2, died, 3, true},
		{"always dies", 100, died, firstStarts, false},
		{"refuses its block", 100, errors.New("no such project"), 1, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j, err := OpenJournal(filepath.Join(t.TempDir(), "metrics.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			fake, starts := &fakeLogger{}, 0
			sink := Sink{Name: "x", Died: func(err error) bool { return errors.Is(err, died) }}
			sink.Start = func(context.Context) (Connection, error) {
				if starts++; starts <= test.deaths {
					return nil, test.cause
				}
				return connection{fake.start()}, nil
			}
			f, err := NewFanout(t.Context(), j, hclog.NewNullLogger(), []Sink{sink})
			if starts != test.starts || (err == nil) != test.opens {
				t.Errorf("%d starts and %v, want %d", starts, err, test.starts)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if f != nil {
				if err := f.Close(t.Context(), logger.Status{}); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	j, err := OpenJournal(filepath.Join(b.TempDir(), "metrics.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	for b.Loop() {
		j.Append(scalar(1, 2.5))
	}
}
