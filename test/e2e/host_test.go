//go:build unix

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A host is a hone process.
type host struct {
	cmd    *exec.Cmd
	out    output        // standard output
	err    output        // standard error
	begun  time.Time     // when it was started
	ended  chan struct{} // closed when it has ended and its output is read
	took   time.Duration // set before ended is closed
	status error
}

// start starts hone in the workspace.
func (w *workspace) start(t testing.TB, args ...string) *host {
	t.Helper()
	h := &host{ended: make(chan struct{})}
	// Not the test's context: some tests end hosts in their own way, and all wait
	// for them.
	h.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), w.path("bin", "hone"), args...)
	h.cmd.Dir, h.cmd.Env = w.dir, w.env
	h.cmd.Stdout, h.cmd.Stderr = &h.out, &h.err
	// Plugins that a killed host left are not to keep the test waiting: they may
	// hold its standard error.
	h.cmd.WaitDelay = 10 * time.Second
	h.begun = time.Now()
	must(t, h.cmd.Start())
	go func() {
		h.status = h.cmd.Wait()
		h.took = time.Since(h.begun)
		close(h.ended)
	}()
	t.Cleanup(func() { h.kill(); <-h.ended })
	return h
}

// hone runs hone to its end, which has to come with that exit code.
func (w *workspace) hone(t testing.TB, code int, args ...string) *host {
	t.Helper()
	h := w.start(t, args...)
	h.wait(t, code)
	return h
}

// patience is how long a host may take for what a test waits for. It is far above
// what it takes, since machines of CI are busy.
const patience = 2 * time.Minute

// wait waits until the host has ended, with that exit code.
func (h *host) wait(t testing.TB, code int) {
	t.Helper()
	h.join(t)
	if h.code() != code {
		t.Fatalf("exit code %d, want %d\n%s", h.code(), code, h)
	}
}

// join waits until the host has ended.
func (h *host) join(t testing.TB) {
	t.Helper()
	select {
	case <-h.ended:
	case <-time.After(patience):
		t.Fatalf("still runs after %s\n%s", patience, h)
	}
}

// hasEnded reports whether the host has.
func (h *host) hasEnded() bool {
	select {
	case <-h.ended:
		return true
	default:
		return false
	}
}

// code is the exit code of a host that has ended; -1: a signal ended it.
func (h *host) code() int { return h.cmd.ProcessState.ExitCode() }

// kill ends the host as a power cut would.
func (h *host) kill() { _ = h.cmd.Process.Kill() }

// signal sends the host a signal, which one that has ended does not mind.
func (h *host) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := h.cmd.Process.Signal(s); !errors.Is(err, os.ErrProcessDone) {
		must(t, err)
	}
}

// awaitText waits until the host has written text to its standard error.
func (h *host) awaitText(t testing.TB, text string) {
	t.Helper()
	h.await(t, fmt.Sprintf("it says %q", text), func() bool { return strings.Contains(h.err.String(), text) })
}

// await waits until what a test needs of a running host is there.
func (h *host) await(t testing.TB, what string, there func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !there(); time.Sleep(time.Millisecond) {
		if h.hasEnded() && !there() {
			t.Fatalf("ended before %s\n%s", what, h)
		}
		if time.Now().After(deadline) {
			t.Fatalf("no end to the wait until %s\n%s", what, h)
		}
	}
}

// String is what the host was asked and what it wrote.
func (h *host) String() string {
	return fmt.Sprintf("$ hone %s\n%s%s", strings.Join(h.cmd.Args[1:], " "), h.out.String(), h.err.String())
}

// An output is a stream that can be read while it is written.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write keeps p.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String is what was written so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

var _ io.Writer = (*output)(nil)
