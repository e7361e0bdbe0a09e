//go:build unix

package e2e

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// A run takes little more than a second. On a busy machine it may come to its end
// before a test does to it what it is there for; it is then begun again, at most
// this often.
const mostTries = 8

// again calls try until it reports that it met its moment, each time without the
// folder run that the last one left.
func (w *workspace) again(t testing.TB, run string, try func() bool) {
	t.Helper()
	for range mostTries {
		if try() {
			return
		}
		must(t, os.RemoveAll(w.path(run)))
	}
	t.Fatalf("%d runs came to their end before the moment that the test is about", mostTries)
}

// stopped has a run stopped by a signal once its host has said after, and gives
// the host, which has ended.
func (w *workspace) stopped(t testing.TB, run string, s syscall.Signal, after string, args ...string) (h *host) {
	t.Helper()
	w.again(t, run, func() bool {
		h = w.start(t, args...)
		h.awaitText(t, after)
		h.signal(t, s)
		h.join(t)
		return h.code() != 0
	})
	h.wait(t, interrupted)
	return h
}

// hung has a plugin of a run hang once its host has said after, while there are
// steps to be done. It gives the host and the plugin's process.
func (k *killing) hung(t testing.TB, plugin, after string) (h *host, id int) {
	t.Helper()
	k.again(t, k.dir, func() bool {
		h = k.start(t, "run", k.file)
		h.awaitText(t, after)
		if id = k.find(t, "hone-plugin-"+plugin); id != 0 && syscall.Kill(id, syscall.SIGSTOP) == nil {
			if !strings.Contains(h.err.String(), "step 23/") { // there are 24
				return true
			}
			_ = syscall.Kill(id, syscall.SIGCONT) // it may have ended
		}
		h.join(t)
		return false
	})
	// What hangs does not notice that its host is gone.
	t.Cleanup(func() { _ = syscall.Kill(id, syscall.SIGCONT) })
	return h, id
}
