package main

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/logger"
)

// python is a Python with the wandb package.
func python(t *testing.T) string {
	path := os.Getenv("HONE_TEST_PYTHON")
	if path == "" {
		t.Skip("HONE_TEST_PYTHON names no Python with the package wandb")
	}
	return path
}

// readBack is what testdata/read_wandb.py prints.
type readBack struct {
	Kinds   []string
	Run     map[string]any
	Config  map[string]any
	History []map[string]any
	UUIDs   []string
	Summary map[string]any
	Metrics map[string]string
	Files   map[string]string
	Output  string
	Exit    *struct{ Code, Runtime int }
}

func readWithWandb(t *testing.T, folder string) readBack {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), python(t), "testdata/read_wandb.py", folder).Output()
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

// threeLives writes a run that was killed in the middle of a record, took its
// records again and failed, and then went on from an earlier step. It returns the
// run's offline folder.
func threeLives(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	picture, err := os.ReadFile("offline/testdata/dot.png")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dot.png"), picture, 0o666); err != nil {
		t.Fatal(err)
	}
	rich := record(1, 3, 3)
	rich.Scalars["eval/loss"] = math.NaN()
	rich.Scalars["train/grad_norm"] = math.Inf(1)
	rich.Texts = map[string]string{"eval/sample": "¿Qué?\n<b>日本語</b> <|im_end|>" + strings.Repeat(" long", 20_000)}
	rich.Tables = map[string]logger.Table{"eval/answers": {Columns: []string{"prompt", "answer"}, Rows: [][]string{{"1+1", "2"}, {"", "x"}}}}
	rich.Histograms = map[string]logger.Histogram{"weights/b": {Edges: make([]float64, 5001), Counts: make([]float64, 5000)}}
	rich.Images = map[string]string{"plot": "dot.png"}
	run := logger.Run{
		Directory: dir,
		Hyperparameters: map[string]any{
			"adapter.rank": 16.0, "model.source": "hf://a/b: \"ü\"\n", "data.packing": true, "train.learning_rate": 1e-5,
		},
		Config: map[string]any{
			"project": "support-r16", "entity": "team", "group": "g", "job_type": "train", "tags": []any{"a", "ü"}, "notes": "n",
		},
	}
	w, _ := open(t, run)
	log(t, w, record(1, 1, 1), record(1, 2, 2), rich, record(1, 4, 4))
	logs, err := filepath.Glob(filepath.Join(dir, "wandb", "*", "*.wandb"))
	if err != nil || len(logs) < 1 {
		t.Fatal(logs, err)
	}
	if size, err := os.Stat(logs[0]); err != nil || os.Truncate(logs[0], size.Size()-3) != nil {
		t.Fatal(err) // the last record is torn
	}
	w, opened := open(t, run)
	if opened.Seq != 3 {
		t.Fatalf("the last whole record is %d", opened.Seq)
	}
	log(t, w, rich, record(1, 4, 4), record(1, 5, 5))
	end(t, w, logger.Status{State: "failed", Reason: "the loss is not finite"})
	run.Attempt = 2
	run.Hyperparameters["train.learning_rate"] = 2e-5
	w, _ = open(t, run)
	log(t, w, record(2, 6, 4), record(2, 7, 5), record(2, 8, 6))
	end(t, w, logger.Status{State: "finished"})
	return folders(t, dir)[0]
}

// TestWandbReads has wandb's own package read the run.
func TestWandbReads(t *testing.T) {
	python(t)
	folder := threeLives(t)
	got := readWithWandb(t, folder)
	check(t, "run", got.Run, map[string]any{
		"id": folder[len(folder)-8:], "entity": "team", "project": "support-r16", "group": "g", "job_type": "train",
		"name": "support", "notes": "n", "tags": []any{"a", "ü"}, "start": 1_700_000_000.0,
	})
	check(t, "config", got.Config, map[string]any{
		"adapter": map[string]any{"rank": 16.0}, "model": map[string]any{"source": "hf://a/b: \"ü\"\n"},
		"data": map[string]any{"packing": true}, "train": map[string]any{"learning_rate": 2e-5},
	})
	check(t, "marks", got.UUIDs, []string{"hone/1/1", "hone/1/2", "hone/1/3", "hone/1/4", "hone/1/5", "hone/2/6", "hone/2/7", "hone/2/8"})
	var steps [][4]any
	for _, row := range got.History {
		steps = append(steps, [4]any{row["_step"], row["train/global_step"], row["train/attempt"], row["train/loss"]})
	}
	check(t, "history", steps, [][4]any{
		{1.0, 1.0, 1.0, 101.0}, {2.0, 2.0, 1.0, 102.0}, {3.0, 3.0, 1.0, 103.0}, {4.0, 4.0, 1.0, 104.0}, {5.0, 5.0, 1.0, 105.0},
		{6.0, 4.0, 2.0, 204.0}, {7.0, 5.0, 2.0, 205.0}, {8.0, 6.0, 2.0, 206.0},
	})
	rich := got.History[2]
	check(t, "numbers", []any{rich["eval/loss"], rich["train/grad_norm"], rich["_timestamp"], rich["_runtime"]}, []any{"nan", "inf", 1_700_000_003.0, 3.0})
	for name, kind := range map[string]string{
		"eval/sample": "html-file", "eval/answers": "table-file", "weights/b": "histogram", "plot": "image-file",
	} {
		value, _ := rich[name].(map[string]any)
		check(t, name, value["_type"], any(kind))
		if path, ok := value["path"].(string); ok {
			check(t, name+"'s file", any(got.Files[path]), value["sha256"])
		}
		check(t, name+" in the summary", got.Summary[name], rich[name])
	}
	check(t, "files", len(got.Files), 3)
	for name, axis := range got.Metrics {
		if name != "train/global_step" && axis != "train/global_step" {
			t.Errorf("%s is drawn over %q", name, axis)
		}
	}
	check(t, "metrics", len(got.Metrics), 9)
	check(t, "latest loss", got.Summary["train/loss"], any(206.0))
	check(t, "console", got.Output, "hone: the run starts\nhone: the run failed: the loss is not finite\n"+
		"hone: the run goes on, attempt 2\nhone: the run finished\n")
	if got.Exit == nil || got.Exit.Code != 0 || slices.Index(got.Kinds, "exit") != len(got.Kinds)-1 {
		t.Errorf("the exit: %+v", got.Exit)
	}
}

func check[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}
