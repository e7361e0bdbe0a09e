package main

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/honeml/hone/sdk/logger"
)

// python is a Python with the tensorboard package.
func python(t *testing.T) string {
	path := os.Getenv("HONE_TEST_PYTHON")
	if path == "" {
		t.Skip("HONE_TEST_PYTHON names no Python with the package tensorboard")
	}
	return path
}

// readBack is what testdata/read_events.py prints.
type readBack struct {
	Scalars    map[string][][]any
	Texts      map[string][][]any
	Histograms map[string][][]any
	Images     map[string][][]any
	HParams    struct {
		Experiment struct {
			Name    string
			HParams map[string]int
			Metrics []string
		}
		Start struct {
			Time   float64
			Values map[string]any
		}
		Status int
	}
}

func readWithTensorBoard(t *testing.T, dir string) readBack {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), python(t), "testdata/read_events.py", dir).Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Output returns it bare
			t.Fatalf("%v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var got readBack
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestTensorBoardReads has TensorBoard's own package read a run of three lives:
// one killed in the middle of a frame, one that took its records again, and one
// that went on from an earlier step.
func TestTensorBoardReads(t *testing.T) {
	python(t)
	dir := t.TempDir()
	picture, err := os.ReadFile("events/testdata/dot.png")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dot.png"), picture, 0o666); err != nil {
		t.Fatal(err)
	}
	rich := record(1, 3, 3)
	rich.Scalars["eval/loss"] = math.NaN()
	rich.Scalars["train/grad_norm"] = math.Inf(1)
	rich.Texts = map[string]string{"eval/sample": "¿Qué?\n\n- 日本語 <|im_end|>"}
	rich.Tables = map[string]logger.Table{"eval/answers": {Columns: []string{"prompt", "answer"}, Rows: [][]string{{"1+1", "2"}, {"", "x"}}}}
	rich.Histograms = map[string]logger.Histogram{"weights/b": {
		Edges: []float64{-2, -1, 0, 2, 4}, Counts: []float64{0, 4, 2, 0}, Sum: 3.5, SumSquares: 9.25,
	}}
	rich.Images = map[string]string{"plot": "dot.png"}
	run := logger.Run{Directory: dir, Hyperparameters: map[string]any{
		"adapter.rank": 16.0, "model.source": "hf://a/b", "data.packing": true, "train.warmup": 0.03,
	}}

	tb, _ := open(t, run)
	log(t, tb, record(1, 1, 1), record(1, 2, 2), rich, record(1, 4, 4))
	if size, err := os.Stat(tb.file.Path()); err != nil || os.Truncate(tb.file.Path(), size.Size()-3) != nil {
		t.Fatal(err) // the last record is torn
	}
	tb, opened := open(t, run)
	if opened.Seq != 3 {
		t.Fatalf("the last whole record is %d", opened.Seq)
	}
	log(t, tb, rich, record(1, 4, 4), record(1, 5, 5), record(1, 6, 6))
	end(t, tb, "failed")
	run.Attempt = 2
	tb, _ = open(t, run)
	log(t, tb, record(2, 7, 5), record(2, 8, 6))
	end(t, tb, "finished")

	got := readWithTensorBoard(t, filepath.Join(dir, "tensorboard"))
	second := func(seq float64) float64 { return 1_700_000_000 + seq }
	check(t, "scalars", got.Scalars, map[string][][]any{
		"train/loss": {
			{1.0, second(1), 101.0}, {2.0, second(2), 102.0}, {3.0, second(3), 103.0}, {4.0, second(4), 104.0},
			{5.0, second(7), 205.0}, {6.0, second(8), 206.0},
		},
		"eval/loss":       {{3.0, second(3), "nan"}},
		"train/grad_norm": {{3.0, second(3), "inf"}},
	})
	check(t, "texts", got.Texts, map[string][][]any{
		"eval/sample":  {{3.0, "¿Qué?\n\n- 日本語 <|im_end|>"}},
		"eval/answers": {{3.0, []any{[]any{"prompt", "answer"}, []any{"1+1", "2"}, []any{"", "x"}}}},
	})
	check(t, "histograms", got.Histograms, map[string][][]any{
		"weights/b": {{3.0, []any{[]any{-1.0, 0.0, 4.0}, []any{0.0, 2.0, 2.0}}}},
	})
	check(t, "images", got.Images, map[string][][]any{"plot": {{3.0, 3.0, 2.0, hex.EncodeToString(picture)}}})
	check(t, "hyperparameters", got.HParams.Start.Values, run.Hyperparameters)
	check(t, "start", got.HParams.Start.Time, second(0))
	check(t, "experiment", got.HParams.Experiment.Name, "support")
	check(t, "types", got.HParams.Experiment.HParams, map[string]int{
		"adapter.rank": 3, "model.source": 1, "data.packing": 2, "train.warmup": 3,
	})
	check(t, "metrics", got.HParams.Experiment.Metrics, []string{"train/loss", "eval/loss"})
	check(t, "status", got.HParams.Status, 1) // success, although an earlier life failed
}

func check[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}
