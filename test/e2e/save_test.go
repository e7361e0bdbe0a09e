//go:build unix

package e2e

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/host/rundir"
)

// saving are the folders of checkpoints that are being written, or were when their
// host died.
func (k *killing) saving(t testing.TB) []string {
	t.Helper()
	return k.glob(t, filepath.Join(k.dir, "checkpoints", ".step-*.new-*"))
}

// synced are those of saving that are complete but for the rename: the host writes
// checkpoint.json last.
func (k *killing) synced(t testing.TB) []string {
	t.Helper()
	return k.glob(t, filepath.Join(k.dir, "checkpoints", ".step-*.new-*", rundir.CheckpointFile))
}

// awaitSave waits until the host is in the given part of a save, which lasts
// milliseconds, and lets some saves pass before. It reports whether there was one.
func (k *killing) awaitSave(t testing.TB, h *host, part func(testing.TB) []string) bool {
	t.Helper()
	pass := k.random.IntN(3)
	for last := ""; !h.hasEnded(); time.Sleep(50 * time.Microsecond) {
		found := part(t)
		if len(found) == 0 || found[0] == last {
			continue
		}
		if last = found[0]; pass == 0 {
			return true
		}
		pass--
	}
	return false
}

// hits has runs disturbed until n were hit where they were to be. Those that were
// not have to come out right all the same. A machine that is too busy for such
// moments is given up on after one hit.
func (k *killing) hits(t *testing.T, n int, disturb func(t *testing.T) bool) {
	hit := 0
	for try := 1; hit < n && (try <= 2*n || hit == 0 && try <= 10*n+20) && !t.Failed(); try++ {
		k.once(t, strconv.Itoa(try), func(t *testing.T) {
			if disturb(t) {
				hit++
			}
		})
	}
	t.Logf("%d runs were hit", hit)
	if hit == 0 && !t.Failed() {
		t.Error("no run was hit where it was to be")
	}
}

// TestKillHostInSave: the host dies when a checkpoint is written and synced, and
// not yet renamed to its place. It is as if it had never been begun.
func TestKillHostInSave(t *testing.T) {
	k := newKilling(t)
	k.hits(t, soak(t), func(t *testing.T) bool {
		h := k.begin(t)
		seen := k.awaitSave(t, h, k.synced)
		h.kill()
		<-h.ended
		left := k.synced(t)
		if seen {
			t.Logf("killed the host %d ms after its start; it left %d checkpoint without its name", h.took.Milliseconds(), len(left))
		}
		k.finish(t)
		return len(left) > 0
	})
}

// TestKillKernelsInSave: the kernels plugin dies while it writes its part of a
// checkpoint.
func TestKillKernelsInSave(t *testing.T) {
	k := newKilling(t)
	k.hits(t, soak(t), func(t *testing.T) bool {
		h := k.begin(t)
		h.awaitText(t, "step 1/")
		id := k.find(t, pluginhost.Prefix+kernelsPlugin)
		if id == 0 {
			t.Fatalf("no kernels plugin trains\n%s", h)
		}
		if k.awaitSave(t, h, k.saving) {
			_ = syscall.Kill(id, syscall.SIGKILL) // it may have ended
		}
		h.wait(t, 0)
		return strings.Contains(h.err.String(), "warning: checkpoint of step")
	})
}

// TestKillHostInResult: the host dies while the result is written, beside one that
// is there already. Afterwards one of the two is there, whole.
func TestKillHostInResult(t *testing.T) {
	k := newKilling(t)
	k.dir = "runs/1"
	k.finish(t)
	var before []string
	for i := range soak(t) {
		h := k.begin(t) // it has nothing to do but to write the result again
		isNew := func(name string) bool { return !slices.Contains(before, name) }
		for !h.hasEnded() && !slices.ContainsFunc(k.unfinished(t), isNew) {
			time.Sleep(50 * time.Microsecond)
		}
		pause(h, time.Duration(k.random.IntN(int(4*time.Millisecond))))
		h.kill()
		<-h.ended
		before = k.unfinished(t)
		t.Logf("%d: killed %d ms after the start; left: %v", i+1, h.took.Milliseconds(), before)
	}
	k.finish(t)
	k.undisturbed(t)
}

// unfinished are the names under which a result is on its way in or out.
func (k *killing) unfinished(t testing.TB) (names []string) {
	t.Helper()
	for _, path := range k.glob(t, filepath.Join(k.dir, ".adapter.*")) {
		names = append(names, filepath.Base(path))
	}
	return names
}
