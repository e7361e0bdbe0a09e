//go:build unix

package e2e

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestNotFinite: a loss that is not finite stops the run and names the documents of
// the step; the weights before it are kept.
func TestNotFinite(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	w.makeStrange(t)
	const strange = 31 // lines of lessons before the strange one
	lines := strings.SplitAfter(w.read(t, "lessons.jsonl"), "\n")
	must(t, os.WriteFile(w.path("lessons.jsonl"), []byte(strings.Join(slices.Insert(lines, strange, strangeLine), "")), 0o644))
	s := usual()
	s.CheckpointEvery, s.EvalFraction = 1, 0
	h := w.hone(t, 1, "run", w.write(t, "run.hone.hcl", s))
	found := regexp.MustCompile(`hone: step (\d+): loss NaN, gradient norm NaN: not finite; its documents are (.*)`).FindStringSubmatch(h.err.String())
	if found == nil {
		t.Fatalf("the step and its documents are not named\n%s", h)
	}
	expect(t, "the step's documents", found[2]+",", fmt.Sprintf("lessons.jsonl:%d,", strange+1))

	// The step stands in the records, and the state before it in a checkpoint.
	all := records(t, w.path("runs/usual"))
	last := all[len(all)-1]
	if got := fmt.Sprint(last.Step); got != found[1] || !math.IsNaN(last.Scalars["train/loss"]) {
		t.Errorf("the last record is %+v, step %s failed", last, found[1])
	}
	if step := stepOf(t, lastCheckpoint(t, w.path("runs/usual"))); step != last.Step-1 {
		t.Errorf("the last checkpoint is of step %d, the step that failed is %d", step, last.Step)
	}
	expect(t, "the host", h.err.String(), fmt.Sprintf("its last checkpoint is of step %d, to go on from it: hone run -resume runs/usual", last.Step-1))
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
	for k.shoot(t, h, kernelsPlugin, 0) {
		deaths++
	}
	h.wait(t, 1)
	if deaths < 3 { // more, where some of them got further than the one before
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
	h, id := k.hung(t, "logger-wandb", "step 3/")
	h.awaitText(t, "step 24  checkpoint") // all the training
	must(t, syscall.Kill(id, syscall.SIGCONT))
	h.wait(t, 0)
	k.undisturbed(t)
}
