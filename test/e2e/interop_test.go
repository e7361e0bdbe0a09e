//go:build unix

package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pythonEnv names a Python with the packages that testdata/read_run.py needs.
const pythonEnv = "HONE_TEST_PYTHON"

// TestInterop: a run's adapter, its merged model and its loggers' files are read by
// PEFT, transformers, TensorBoard and W&B, and say there what they say in hone.
// Package parity compares numbers; this is the way from a run file to there.
func TestInterop(t *testing.T) {
	python := os.Getenv(pythonEnv)
	if python == "" {
		t.Skipf("%s names no Python", pythonEnv)
	}
	t.Parallel()
	w := newWorkspace(t)
	s := usual()
	s.Exports = []string{"merged"}
	w.hone(t, 0, "run", w.write(t, "run.hone.hcl", s))
	run := w.path("runs", "usual")
	want := strings.TrimSpace(w.hone(t, 0, "generate", run, "-prompt", s.Prompt, "-max-tokens", "16").out.String())

	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "read_run.py"), run, s.Prompt, "16")
	out, err := cmd.Output()
	if exited := (*exec.ExitError)(nil); errors.As(err, &exited) {
		t.Fatalf("%v\n%s", err, exited.Stderr)
	}
	must(t, err)
	var got struct {
		Adapted, Merged string
		Difference      float64 // of the logits, by their norm
		TensorBoard     [][2]float64
		WandB           []float64
	}
	must(t, json.Unmarshal(out, &got))
	if got.Adapted != want || got.Merged != want {
		t.Errorf("the adapter answers %q, the merged model %q, in hone %q", got.Adapted, got.Merged, want)
	}
	if got.Difference > 1e-2 { // the merged model is in bfloat16
		t.Errorf("logits of adapter and merged model differ by %v of their norm", got.Difference)
	}
	step := 0
	for _, r := range records(t, run) {
		loss, ok := r.Scalars["train/loss"]
		if !ok {
			continue
		}
		if step >= len(got.TensorBoard) || got.TensorBoard[step] != [2]float64{float64(r.Step), float64(float32(loss))} {
			t.Errorf("step %d has loss %v; TensorBoard has %v", r.Step, loss, got.TensorBoard)
			break
		}
		if step >= len(got.WandB) || got.WandB[step] != loss {
			t.Errorf("step %d has loss %v; W&B has %v", r.Step, loss, got.WandB)
			break
		}
		step++
	}
	if step != s.Steps || len(got.TensorBoard) != step || len(got.WandB) != step {
		t.Errorf("%d steps, TensorBoard has %d, W&B %d", step, len(got.TensorBoard), len(got.WandB))
	}
}
