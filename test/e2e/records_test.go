//go:build unix

package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/metrics"
	"github.com/honeml/hone/plugins/logger-tensorboard/events"
	"github.com/honeml/hone/plugins/logger-wandb/datastore"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
)

// records are the lines of a run's metrics.jsonl. Each (attempt, seq) has to stand
// there once: seq counts up, one by one, and attempt never falls.
func records(t testing.TB, run string) []*logger.Record {
	t.Helper()
	var all []*logger.Record
	must(t, metrics.Read(filepath.Join(run, "metrics.jsonl"), func(r *logger.Record) error {
		all = append(all, r)
		return nil
	}))
	attempt := int64(1)
	for i, r := range all {
		if r.Seq != int64(i+1) || r.Attempt < attempt {
			t.Fatalf("metrics.jsonl: line %d is attempt %d, seq %d, after attempt %d", i+1, r.Attempt, r.Seq, attempt)
		}
		attempt = r.Attempt
	}
	return all
}

// measured begins the names of scalars that no two runs have in common.
var measured = []string{"perf/", "memory/"}

// history is what a run's records say of the training, a line each: of every step
// the records of its highest attempt, numbers to the bit.
func history(t testing.TB, run string) []string {
	t.Helper()
	records(t, run)
	latest, err := metrics.Latest(filepath.Join(run, "metrics.jsonl"))
	must(t, err)
	var out []string
	for _, r := range latest {
		line := fmt.Sprintf("step %d", r.Step)
		for _, name := range slices.Sorted(maps.Keys(r.Scalars)) {
			if !slices.ContainsFunc(measured, func(p string) bool { return strings.HasPrefix(name, p) }) {
				line += fmt.Sprintf(" %s=%v(%x)", name, r.Scalars[name], math.Float64bits(r.Scalars[name]))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(r.Texts)) {
			line += fmt.Sprintf(" %s=%q", name, r.Texts[name])
		}
		out = append(out, line)
	}
	return out
}

// sameHistory fails the test where two runs' histories differ.
func sameHistory(t testing.TB, want, got string) {
	t.Helper()
	a, b := history(t, want), history(t, got)
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Errorf("record %d differs from that of an undisturbed run:\n%s\nundisturbed:\n%s", i+1, b[i], a[i])
			return
		}
	}
	if len(a) != len(b) {
		t.Errorf("%d records, an undisturbed run has %d", len(b), len(a))
	}
}

// sameResult fails the test where the weights of two runs' results and last
// checkpoints are not the same, byte for byte.
func sameResult(t testing.TB, want, got string) {
	t.Helper()
	last := filepath.Join("checkpoints", filepath.Base(lastCheckpoint(t, want)))
	files := []string{filepath.Join("adapter", kernels.AdapterFile), filepath.Join(last, kernels.AdapterFile)}
	states, err := filepath.Glob(filepath.Join(want, last, "*.safetensors"))
	must(t, err)
	for _, path := range states {
		files = append(files, filepath.Join(last, filepath.Base(path)))
	}
	for _, name := range files {
		a, err := os.ReadFile(filepath.Join(want, name))
		must(t, err)
		b, err := os.ReadFile(filepath.Join(got, name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(a, b) {
			t.Errorf("%s is not that of an undisturbed run", name)
		}
	}
}

// lastCheckpoint is the folder of a run's newest checkpoint.
func lastCheckpoint(t testing.TB, run string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(run, "checkpoints", "step-*"))
	must(t, err)
	if len(found) == 0 {
		t.Fatalf("%s has no checkpoint", run)
	}
	return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(stepOf(t, a), stepOf(t, b)) })
}

// stepOf is the step of a checkpoint's folder.
func stepOf(t testing.TB, folder string) (step int64) {
	t.Helper()
	_, err := fmt.Sscanf(filepath.Base(folder), "step-%d", &step)
	must(t, err)
	return step
}

// tidy fails the test where a run's folder holds what is only there while
// something is being written.
func tidy(t testing.TB, run string) {
	t.Helper()
	must(t, filepath.WalkDir(run, func(path string, e os.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s is left", path)
		}
		return err
	}))
}

// A mark names a record of hone's.
type mark struct{ attempt, seq int64 }

// everyRecordLogged fails the test unless TensorBoard's and W&B's files hold each
// record of metrics.jsonl once, in order.
func everyRecordLogged(t testing.TB, run string) {
	t.Helper()
	var want []mark
	for _, r := range records(t, run) {
		want = append(want, mark{r.Attempt, r.Seq})
	}
	for name, got := range map[string][]mark{"TensorBoard": tensorboardMarks(t, run), "W&B": wandbMarks(t, run)} {
		if !slices.Equal(want, got) {
			t.Errorf("%s's files hold %d records, metrics.jsonl %d:\n%v\n%v", name, len(got), len(want), got, want)
		}
	}
}

// tensorboardMarks are the marks of a run's event files, in the order in which
// TensorBoard reads them.
func tensorboardMarks(t testing.TB, run string) (marks []mark) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(run, "tensorboard", "events.out.tfevents.*"))
	must(t, err)
	if len(files) == 0 {
		t.Errorf("%s has no event file", run)
	}
	for _, path := range files { // Glob sorts
		file, err := os.Open(path)
		must(t, err)
		frames := events.NewFrameReader(bufio.NewReader(file))
		for {
			payload, err := frames.Next()
			if err != nil { // the end, or what a killed writer left of a frame
				break
			}
			head, err := events.ParseHead(payload)
			must(t, err)
			if head.Mark != (events.Mark{}) {
				marks = append(marks, mark{head.Mark.Attempt, head.Mark.Seq})
			}
		}
		must(t, file.Close())
	}
	return marks
}

// wandbMarks are the marks of the rows in a run's W&B log, of which there is one.
func wandbMarks(t testing.TB, run string) (marks []mark) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(run, "wandb", "offline-run-*", "run-*.wandb"))
	must(t, err)
	if len(logs) != 1 {
		t.Errorf("%s has %d W&B logs: %v", run, len(logs), logs)
		return nil
	}
	file, err := os.Open(logs[0])
	must(t, err)
	defer file.Close()
	reader, err := datastore.NewReader(bufio.NewReader(file))
	must(t, err)
	for {
		data, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return marks
		}
		must(t, err)
		record, err := datastore.Parse(data)
		must(t, err)
		if record.History != nil {
			marks = append(marks, mark{record.Mark.Attempt, record.Mark.Seq})
		}
	}
}
