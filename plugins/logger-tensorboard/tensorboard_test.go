package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/honeml/hone/plugins/logger-tensorboard/events"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/logger"
)

var began = time.Unix(1_700_000_000, 0)

// open opens a new life of the logger, with a clock that stands still.
func open(t *testing.T, run logger.Run) (*tensorboard, *logger.Opened) {
	t.Helper()
	tb := newTensorboard()
	tb.now = func() time.Time { return began }
	if run.Attempt == 0 {
		run.Attempt = 1
	}
	run.Name, run.Start = "support", began
	opened, err := tb.Open(t.Context(), &run)
	if err != nil {
		t.Fatal(err)
	}
	return tb, opened
}

// record has one scalar; its time follows from its seq.
func record(attempt, seq, step int64) logger.Record {
	return logger.Record{
		Attempt: attempt, Seq: seq, Step: step, Time: began.Add(time.Duration(seq) * time.Second),
		Scalars: map[string]float64{"train/loss": float64(100*attempt + step)},
	}
}

func log(t *testing.T, tb *tensorboard, records ...logger.Record) {
	t.Helper()
	if err := tb.Log(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func end(t *testing.T, tb *tensorboard, state string) {
	t.Helper()
	if err := tb.Close(t.Context(), logger.Status{State: state}); err != nil {
		t.Fatal(err)
	}
}

// heads are all events of a folder in the order in which TensorBoard reads them.
func heads(t *testing.T, dir string) []events.Head {
	t.Helper()
	var all []events.Head
	for _, path := range files(t, dir) {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		frames := events.NewFrameReader(bufio.NewReader(file))
		for {
			payload, err := frames.Next()
			if errors.Is(err, io.EOF) || errors.Is(err, events.ErrTorn) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			head, err := events.ParseHead(payload)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, head)
		}
		file.Close()
	}
	return all
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*tfevents*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// seen is what TensorBoard keeps: the marks of records, without those that a
// restart mark behind the first purges, as attempt/seq; and the number of marks that purge any.
func seen(heads []events.Head) (records string, purges int) {
	var marks []events.Mark
	steps := map[events.Mark]int64{}
	started := false
	for _, h := range heads {
		if h.Restart && started {
			kept := slices.DeleteFunc(slices.Clone(marks), func(m events.Mark) bool { return steps[m] >= h.Step })
			if len(kept) < len(marks) {
				purges++
			}
			marks = kept
		}
		started = started || h.Restart
		if h.Mark != (events.Mark{}) {
			marks = append(marks, h.Mark)
			steps[h.Mark] = h.Step
		}
	}
	names := make([]string, len(marks))
	for i, m := range marks {
		names[i] = fmt.Sprintf("%d/%d", m.Attempt, m.Seq)
	}
	return strings.Join(names, " "), purges
}

func TestLives(t *testing.T) {
	type life struct {
		records []logger.Record
		state   string // empty: killed
	}
	all := func(attempt, seq int64, steps ...int64) []logger.Record {
		var records []logger.Record
		for i, step := range steps {
			records = append(records, record(attempt, seq+int64(i), step))
		}
		return records
	}
	tests := []struct {
		name   string
		lives  []life
		want   string
		purges int
	}{
		{"one", []life{{all(1, 1, 1, 2, 3), "finished"}}, "1/1 1/2 1/3", 0},
		{"none", []life{{nil, "failed"}}, "", 0},
		{"killed, and all records come again",
			[]life{{all(1, 1, 1, 2), ""}, {all(1, 1, 1, 2, 3), "finished"}},
			"1/1 1/2 1/3", 0},
		{"killed before the first record",
			[]life{{nil, ""}, {nil, ""}, {all(1, 1, 1), "finished"}}, "1/1", 0},
		{"two records of one step, killed between",
			[]life{{all(1, 1, 1, 2), ""}, {all(1, 3, 2, 3), ""}}, "1/1 1/2 1/3 1/4", 0},
		{"goes on at an earlier step",
			[]life{{all(1, 1, 1, 2, 3, 4), ""}, {all(2, 5, 3, 4, 5), "finished"}},
			"1/1 1/2 2/5 2/6 2/7", 1},
		{"goes on from the start",
			[]life{{all(1, 1, 1, 2), ""}, {all(2, 3, 1, 2), ""}}, "2/3 2/4", 1},
		{"goes on behind the last step",
			[]life{{all(1, 1, 1, 2), "interrupted"}, {all(2, 3, 3), "finished"}},
			"1/1 1/2 2/3", 0},
		{"three attempts, the old one's records late",
			[]life{{all(1, 1, 1, 2), ""}, {append(all(1, 3, 3, 4), all(2, 5, 3)...), ""}, {all(3, 6, 3, 4), ""}},
			"1/1 1/2 3/6 3/7", 2},
		{"two attempts in one life",
			[]life{{append(all(1, 1, 1, 2), all(2, 3, 2, 3)...), "finished"}}, "1/1 2/3 2/4", 1},
		{"records twice in one call",
			[]life{{append(all(1, 1, 1, 2), all(1, 1, 1, 2)...), "finished"}}, "1/1 1/2", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			var last events.Mark
			for i, l := range test.lives {
				tb, opened := open(t, logger.Run{Directory: dir, Attempt: int64(i + 1)})
				if got := (events.Mark{Attempt: opened.Attempt, Seq: opened.Seq}); got != last {
					t.Errorf("life %d opens with %v, want %v", i, got, last)
				}
				log(t, tb, l.records...)
				if l.state != "" {
					end(t, tb, l.state)
				}
				if n := len(l.records); n > 0 {
					last = events.Mark{Attempt: l.records[n-1].Attempt, Seq: l.records[n-1].Seq}
				}
			}
			got, purges := seen(heads(t, filepath.Join(dir, "tensorboard")))
			if got != test.want || purges != test.purges {
				t.Errorf("%q and %d purges, want %q and %d", got, purges, test.want, test.purges)
			}
		})
	}
}

// TestTornAnywhere cuts the newest file all over, as a crash of the machine may,
// and goes on from what the logger then says that it has. (Package events' test
// cuts at every byte; here each cut costs syncs.)
func TestTornAnywhere(t *testing.T) {
	records := []logger.Record{record(1, 1, 1), record(1, 2, 2), record(1, 3, 3)}
	master := t.TempDir()
	tb, _ := open(t, logger.Run{Directory: master})
	log(t, tb, records...)
	paths := files(t, filepath.Join(master, "tensorboard"))
	if len(paths) != 1 {
		t.Fatal(paths)
	}
	whole, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(whole); cut += 5 {
		dir := t.TempDir()
		path := filepath.Join(dir, "tensorboard", filepath.Base(paths[0]))
		if err := os.Mkdir(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, whole[:cut], 0o666); err != nil {
			t.Fatal(err)
		}
		tb, opened := open(t, logger.Run{Directory: dir})
		log(t, tb, records[opened.Seq:]...)
		end(t, tb, "finished")
		got, purges := seen(heads(t, filepath.Dir(path)))
		if got != "1/1 1/2 1/3" {
			t.Fatalf("cut at %d: %q after %d purges", cut, got, purges)
		}
	}
}

func TestEndOfARunThatGoesOn(t *testing.T) {
	dir := t.TempDir()
	ends := func() int {
		return len(slices.DeleteFunc(files(t, filepath.Join(dir, "tensorboard")),
			func(path string) bool { return !strings.HasSuffix(path, endSuffix) }))
	}
	for i, test := range []struct {
		state string
		want  int
	}{{"failed", 1}, {"interrupted", 0}, {"failed", 1}, {"finished", 1}} {
		tb, _ := open(t, logger.Run{Directory: dir, Attempt: int64(i + 1)})
		if got := ends(); got != 0 {
			t.Errorf("attempt %d begins with %d ends", i+1, got)
		}
		log(t, tb, record(int64(i+1), int64(i+1), int64(i+1)))
		end(t, tb, test.state)
		if got := ends(); got != test.want {
			t.Errorf("%s: %d ends, want %d", test.state, got, test.want)
		}
	}
	if err := (&tensorboard{}).Close(t.Context(), logger.Status{State: "failed"}); err != nil {
		t.Errorf("closing what was never opened: %v", err)
	}
}

func TestOrderOfCalls(t *testing.T) {
	tb, _ := open(t, logger.Run{Directory: t.TempDir()})
	if _, err := tb.Open(t.Context(), &logger.Run{Directory: t.TempDir()}); !errors.Is(err, fault.OutOfOrder) {
		t.Errorf("open twice: %v", err)
	}
	end(t, tb, "finished")
	if err := tb.Log(t.Context(), nil); !errors.Is(err, fault.OutOfOrder) {
		t.Errorf("log after close: %v", err)
	}
	end(t, tb, "finished")
	if err := newTensorboard().Log(t.Context(), nil); !errors.Is(err, fault.OutOfOrder) {
		t.Errorf("log before open: %v", err)
	}
	tb, _ = open(t, logger.Run{Directory: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tb.Log(ctx, []logger.Record{record(1, 1, 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("log when nobody waits: %v", err)
	}
}

func TestDescribe(t *testing.T) {
	d, err := newTensorboard().Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Schema.Validate(); err != nil {
		t.Error(err)
	}
	if d.Name != "tensorboard" || d.Rewind != logger.Purge {
		t.Errorf("%+v", d)
	}
}

func TestConfiguration(t *testing.T) {
	for name, bad := range map[string]map[string]any{
		"unknown attribute": {"logdir": "x"},
		"wrong type":        {"log_dir": 3.0},
	} {
		_, err := newTensorboard().Open(t.Context(), &logger.Run{Directory: t.TempDir(), Config: bad})
		var fe *fault.Error
		if !errors.As(err, &fe) || fe.Code != fault.InvalidConfig || len(fe.Diagnostics) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLogDir(t *testing.T) {
	base, logDir := t.TempDir(), t.TempDir()
	run := func(parent string, attempt int64, config map[string]any) *logger.Opened {
		t.Helper()
		dir := filepath.Join(base, parent, "support")
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		tb, opened := open(t, logger.Run{Directory: dir, Attempt: attempt, Config: config})
		log(t, tb, record(attempt, attempt, attempt))
		end(t, tb, "finished")
		return opened
	}
	shared := map[string]any{"log_dir": logDir}
	if opened := run("a", 1, shared); opened.Seq != 0 || opened.Notes[0] != "tensorboard --logdir "+logDir {
		t.Errorf("the first run: %+v", opened)
	}
	if opened := run("b", 1, shared); opened.Seq != 0 {
		t.Errorf("another run of the same name takes the first one's records for its own: %+v", opened)
	}
	if opened := run("a", 2, shared); opened.Seq != 1 {
		t.Errorf("the first run, gone on with: %+v", opened)
	}
	if opened := run("a", 3, nil); opened.Seq != 0 {
		t.Errorf("the first run, gone on with elsewhere: %+v", opened)
	}
	for folder, want := range map[string]string{
		filepath.Join(logDir, "support"):                   "1/1 2/2",
		filepath.Join(logDir, "support-2"):                 "1/1",
		filepath.Join(base, "a", "support", "tensorboard"): "3/3",
	} {
		if got, _ := seen(heads(t, folder)); got != want {
			t.Errorf("%s: records %q, want %q", folder, got, want)
		}
	}
	if err := os.WriteFile(filepath.Join(base, "a", "support", stateFile), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := newTensorboard().Open(t.Context(), &logger.Run{Directory: filepath.Join(base, "a", "support"), Config: shared})
	if !errors.Is(err, fault.Storage) {
		t.Errorf("a damaged note of the folder: %v", err)
	}
}

// TestLeftOut logs values that TensorBoard cannot hold beside one that it can.
func TestLeftOut(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.png"), []byte("no image"), 0o666); err != nil {
		t.Fatal(err)
	}
	tb, _ := open(t, logger.Run{Directory: dir})
	r := record(1, 1, 1)
	r.Images = map[string]string{"gone": filepath.Join(dir, "gone.png"), "broken": "x.png"}
	r.Tables = map[string]logger.Table{"ragged": {Columns: []string{"a"}, Rows: [][]string{{"1", "2"}}}}
	r.Histograms = map[string]logger.Histogram{"short": {Edges: []float64{1}, Counts: []float64{1}}}
	if got := tb.values(&r); len(got) != 1 {
		t.Errorf("%d values, want the scalar alone", len(got))
	}
	log(t, tb, r)
	if got, _ := seen(heads(t, filepath.Join(dir, "tensorboard"))); got != "1/1" {
		t.Errorf("records %q", got)
	}
}
