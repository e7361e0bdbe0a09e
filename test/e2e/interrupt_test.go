//go:build unix

package e2e

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// interrupted is the exit code of a run that was stopped and can be gone on with.
const interrupted = 130

// TestInterrupt: Ctrl-C, or the signal by which services are stopped, finishes the
// step, writes a checkpoint and says how to go on; going on gives the run that
// would have been.
func TestInterrupt(t *testing.T) {
	tests := []struct {
		name   string
		signal syscall.Signal
		after  string // what the host has said before
	}{
		{"Ctrl-C", syscall.SIGINT, "step 9/"},
		{"stopped by a service manager", syscall.SIGTERM, "step 2/"},
		{"before the first step", syscall.SIGINT, "data: "},
		{"where an evaluation is due", syscall.SIGINT, "step 11/"}, // the one after it was sent already
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newKilling(t)
			k.dir = "runs/usual"
			h := k.stopped(t, k.dir, test.signal, test.after, "run", k.file) // in the folder that hone chooses
			expect(t, "the host", h.err.String(), "stopped; to go on: hone run -resume "+k.dir)
			k.goOn(t)
		})
	}
}

// goOn goes on with a run that was stopped: its records end with its last
// checkpoint, nothing is left half-written, and it comes to its end.
func (k *killing) goOn(t testing.TB) {
	t.Helper()
	last := stepOf(t, lastCheckpoint(t, k.path(k.dir)))
	if all := records(t, k.path(k.dir)); len(all) > 0 && all[len(all)-1].Step != last {
		t.Errorf("the last checkpoint is of step %d, the last record of step %d", last, all[len(all)-1].Step)
	}
	k.noProcesses(t)
	tidy(t, k.path(k.dir))
	k.hone(t, 0, "run", "-resume", k.dir)
	k.undisturbed(t)
}

// TestInterruptAtTheEnd: whether the last step or Ctrl-C was there first, the run
// has its result, at the latest when it is gone on with.
func TestInterruptAtTheEnd(t *testing.T) {
	k := newKilling(t)
	k.dir = "runs/usual"
	h := k.start(t, "run", k.file)
	h.awaitText(t, "step 24/")
	h.signal(t, syscall.SIGINT)
	h.join(t)
	if code := h.code(); code != 0 && code != interrupted {
		t.Fatalf("exit code %d\n%s", code, h)
	}
	k.goOn(t)
}

// TestInterruptTwice: a second Ctrl-C does not wait for the step, nor for a plugin
// that does nothing any more; nothing is lost but the steps since the last
// checkpoint.
func TestInterruptTwice(t *testing.T) {
	k := newKilling(t)
	k.dir = "runs/usual"
	h, _ := k.hung(t, kernelsPlugin, "step 6/")
	h.signal(t, syscall.SIGINT)
	select {
	case <-h.ended:
		t.Fatalf("ended in the middle of a step\n%s", h)
	case <-time.After(300 * time.Millisecond):
	}
	h.signal(t, syscall.SIGINT)
	h.wait(t, interrupted) // which is patient, but not as patient as what hangs
	last := stepOf(t, lastCheckpoint(t, k.path(k.dir)))
	expect(t, "the host", h.err.String(), fmt.Sprintf("stopped at once; its last checkpoint is of step %d, to go on from it: hone run -resume %s", last, k.dir))
	k.noProcesses(t)
	k.hone(t, 0, "run", "-resume", k.dir)
	k.undisturbed(t)
}

// TestSecondHost: a run belongs to one host at a time.
func TestSecondHost(t *testing.T) {
	k := newKilling(t)
	k.dir = "runs/usual"
	first, id := k.hung(t, kernelsPlugin, "step 1/") // it waits for the second host
	second := k.hone(t, 1, "run", "-resume", k.dir)
	expect(t, "the second host", second.err.String(), "another hone process works on it", filepath.Join("runs", "usual"))
	again := k.hone(t, 1, "run", k.file, "-run-dir", k.dir)
	expect(t, "a host with the run's folder", again.err.String(), "already holds a run", "-resume "+k.dir)
	must(t, syscall.Kill(id, syscall.SIGCONT))
	first.wait(t, 0)
	k.undisturbed(t)
}
