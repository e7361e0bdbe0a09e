//go:build unix

package e2e

import (
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
		{"at the end", syscall.SIGINT, "step 24/"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newKilling(t)
			k.dir = "runs/usual"
			h := k.start(t, "run", k.file) // in the folder that hone chooses
			h.awaitText(t, test.after)
			h.signal(t, test.signal)
			h.join(t)
			if test.after != "step 24/" || h.code() != 0 { // the end may have come first
				h.wait(t, interrupted)
				expect(t, "the host", h.err.String(), "stopped; to go on: hone run -resume "+k.dir)
			}
			all := records(t, k.path(k.dir))
			last := stepOf(t, lastCheckpoint(t, k.path(k.dir)))
			if steps := all[len(all)-1].Step; len(all) > 0 && steps != last {
				t.Errorf("the last checkpoint is of step %d, the last record of step %d", last, steps)
			}
			k.noProcesses(t)
			tidy(t, k.path(k.dir))
			k.hone(t, 0, "run", "-resume", k.dir)
			k.undisturbed(t)
		})
	}
}

// TestInterruptTwice: a second Ctrl-C does not wait for the step, nor for a plugin
// that does nothing any more; nothing is lost but the steps since the last
// checkpoint.
func TestInterruptTwice(t *testing.T) {
	k := newKilling(t)
	k.dir = "runs/usual"
	h := k.start(t, "run", k.file)
	h.awaitText(t, "step 6/")
	id := k.find(t, "hone-plugin-cpu-kernels")
	if id == 0 {
		t.Fatalf("no kernels plugin trains\n%s", h)
	}
	must(t, syscall.Kill(id, syscall.SIGSTOP)) // it hangs
	h.signal(t, syscall.SIGINT)
	select {
	case <-h.ended:
		t.Fatalf("ended in the middle of a step\n%s", h)
	case <-time.After(300 * time.Millisecond):
	}
	asked := time.Now()
	h.signal(t, syscall.SIGINT)
	h.wait(t, interrupted)
	if took := time.Since(asked); took > 8*time.Second {
		t.Errorf("it took %s to end", took)
	}
	expect(t, "the host", h.err.String(), "to go on from it: hone run -resume "+k.dir, "step 4")
	k.noProcesses(t)
	k.hone(t, 0, "run", "-resume", k.dir)
	k.undisturbed(t)
}

// TestSecondHost: a run belongs to one host at a time.
func TestSecondHost(t *testing.T) {
	k := newKilling(t)
	k.dir = "runs/usual"
	first := k.start(t, "run", k.file)
	first.awaitText(t, "step 1/")
	id := k.find(t, "hone-plugin-cpu-kernels")
	must(t, syscall.Kill(id, syscall.SIGSTOP)) // it waits for the second host
	second := k.hone(t, 1, "run", "-resume", k.dir)
	expect(t, "the second host", second.err.String(), "another hone process works on this run", filepath.Join("runs", "usual"))
	again := k.hone(t, 1, "run", k.file, "-run-dir", k.dir)
	expect(t, "a host with the run's folder", again.err.String(), "already holds a run", "-resume "+k.dir)
	must(t, syscall.Kill(id, syscall.SIGCONT))
	first.wait(t, 0)
	k.undisturbed(t)
}
