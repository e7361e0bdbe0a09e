//go:build unix

package e2e

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestNotFinite: a loss that is not finite stops the run and names the documents of
// the step; the weights before it are kept.
func TestNotFinite(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	s := usual()
	s.LearningRate, s.Alpha, s.CheckpointEvery = "1", "1e25", 1
	file := w.write(t, "run.hone.hcl", s)
	h := w.hone(t, 1, "run", file)
	text := h.err.String()
	if !regexp.MustCompile(`hone: step \d+: loss (NaN|.?Inf|\S+), gradient norm \S+: not finite; its documents are \S*lessons.jsonl:\d+, `).MatchString(text) {
		t.Errorf("the step and its documents are not named:\n%s", text)
	}
	expect(t, "the host", text, "to go on from it: hone run -resume runs/usual")
	// The step stands in the records, with numbers that JSON has no numbers for.
	all := records(t, w.path("runs/usual"))
	last := all[len(all)-1]
	if !strings.Contains(w.read(t, "runs/usual/metrics.jsonl"), `"NaN"`) && !strings.Contains(w.read(t, "runs/usual/metrics.jsonl"), `Infinity"`) {
		t.Errorf("metrics.jsonl has no number that is not finite; its last record is %+v", last)
	}
	if step := stepOf(t, lastCheckpoint(t, w.path("runs/usual"))); step != last.Step-1 {
		t.Errorf("the last checkpoint is of step %d, the step that failed is %d", step, last.Step)
	}
	if _, err := os.Stat(w.path("runs/usual/adapter")); err == nil {
		t.Error("a run that failed left a result")
	}
	everyRecordLogged(t, w.path("runs/usual"))
	w.noProcesses(t)
}

// TestKernelsAlwaysDie: a kernels plugin that dies at the same place each time
// ends the run, which says why and can be gone on with.
func TestKernelsAlwaysDie(t *testing.T) {
	k := newKilling(t)
	k.dir = "runs/usual"
	h := k.start(t, "run", k.file)
	deaths := 0
	for k.shoot(t, h, "cpu-kernels", 0) {
		deaths++
	}
	h.wait(t, 1)
	if deaths != 3 {
		t.Errorf("it was started %d times, want 3", deaths)
	}
	expect(t, "the host", h.err.String(), "the kernels plugin died 3 times at the same place", "signal 9")
	k.finish(t)
	k.undisturbed(t)
}

// TestLoggerHangs: a logger that does nothing any more costs the run no step. It
// ends without it, and says so; what it did not take, it gets later.
func TestLoggerHangs(t *testing.T) {
	k := newKilling(t)
	k.dir = "runs/usual"
	h := k.start(t, "run", k.file)
	h.awaitText(t, "step 3/")
	id := k.find(t, "hone-plugin-logger-wandb")
	must(t, syscall.Kill(id, syscall.SIGSTOP))
	h.awaitText(t, "step 24  checkpoint") // all the training
	must(t, syscall.Kill(id, syscall.SIGCONT))
	h.wait(t, 0)
	k.undisturbed(t)
}
