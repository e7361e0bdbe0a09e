//go:build unix

package e2e

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An undisturbed run, for others to be held to.
type undisturbed struct {
	dir  string // the run's folder
	took time.Duration
}

// reference does one undisturbed run of usual for all tests.
var reference = sync.OnceValue(func() func(testing.TB) undisturbed {
	var once sync.Once
	var u undisturbed
	return func(t testing.TB) undisturbed {
		once.Do(func() { u = makeReference(t) })
		if u.dir == "" {
			t.Fatal("there is no undisturbed run to compare with")
		}
		return u
	}
})()

// makeReference does the undisturbed run twice: the second has what hone keeps
// between runs, as those have that are killed, so that its time is theirs.
func makeReference(t testing.TB) undisturbed {
	w := newWorkspace(t)
	file := w.write(t, "run.hone.hcl", usual())
	w.hone(t, 0, "run", file, "-run-dir", "runs/first")
	h := w.hone(t, 0, "run", file, "-run-dir", "runs/second")
	sameHistory(t, w.path("runs/first"), w.path("runs/second"))
	// The workspace goes with the test that made it.
	must(t, os.CopyFS(kept, os.DirFS(w.path("runs", "second"))))
	return undisturbed{kept, h.took}
}

// soak is how often each kind of kill is tried: HONE_SOAK, or 3.
func soak(t testing.TB) int {
	t.Helper()
	text := os.Getenv("HONE_SOAK")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("HONE_SOAK is %q, want a number", text)
	}
	return n
}

// chance is a source of moments. Its seed is printed, and HONE_SEED sets it.
func chance(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("HONE_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		must(t, err)
	}
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// killing is a run that a test kills things of.
type killing struct {
	*workspace
	reference undisturbed
	random    *rand.Rand
	file, dir string // the run file, and the run's folder in the workspace
}

// newKilling prepares runs that are to be killed: with hone's cache filled, so that
// no plugin is started to be asked what it is.
func newKilling(t *testing.T) *killing {
	t.Parallel()
	k := &killing{workspace: newWorkspace(t), reference: reference(t), random: chance(t)}
	k.file = k.write(t, "run.hone.hcl", usual())
	k.hone(t, 0, "plugins", "list")
	return k
}

// each disturbs n runs, one after the other.
func (k *killing) each(t *testing.T, n int, disturb func(t *testing.T)) {
	for i := range n {
		k.once(t, strconv.Itoa(i+1), disturb)
	}
}

// once disturbs a run, brings it to its end and holds it to the undisturbed one.
func (k *killing) once(t *testing.T, name string, disturb func(t *testing.T)) {
	k.dir = "runs/" + name
	t.Run(name, func(t *testing.T) {
		disturb(t)
		k.undisturbed(t)
	})
}

// undisturbed holds a run that has come to its end to the undisturbed one.
func (k *killing) undisturbed(t testing.TB) {
	t.Helper()
	run := k.path(k.dir)
	sameHistory(t, k.reference.dir, run)
	sameResult(t, k.reference.dir, run)
	everyRecordLogged(t, run)
	tidy(t, run)
	k.noProcesses(t)
}

// begin starts the run, or goes on with it where it left enough for that.
func (k *killing) begin(t testing.TB) *host {
	t.Helper()
	if _, err := os.Stat(k.path(k.dir, "run.json")); err == nil {
		return k.start(t, "run", "-resume", k.dir)
	}
	return k.start(t, "run", k.file, "-run-dir", k.dir)
}

// finish goes on with the run until it has come to its end.
func (k *killing) finish(t testing.TB) {
	t.Helper()
	for range 5 {
		h := k.begin(t)
		h.join(t)
		if h.code() == 0 {
			return
		}
		t.Logf("exit code %d\n%s", h.code(), h)
	}
	t.Fatal("the run does not come to its end")
}

// moment is a random one of the time that a run takes.
func (k *killing) moment() time.Duration {
	return time.Duration(k.random.Float64() * float64(k.reference.took))
}

// pause waits, but not longer than the host runs.
func pause(h *host, d time.Duration) {
	select {
	case <-h.ended:
	case <-time.After(d):
	}
}

// shoot kills the plugin of that name of a running host, as soon as there is one
// after the moment. It reports whether there was.
func (k *killing) shoot(t testing.TB, h *host, plugin string, after time.Duration) bool {
	t.Helper()
	pause(h, after)
	for !h.hasEnded() {
		if id := k.find(t, "hone-plugin-"+plugin); id != 0 {
			at := time.Since(h.begun)
			if syscall.Kill(id, syscall.SIGKILL) == nil {
				t.Logf("killed %s %d ms after the start", plugin, at.Milliseconds())
				return true
			}
		}
	}
	return false
}

// killPlugin has the plugin of a run killed at a random moment; the run has to
// come to its end by itself.
func (k *killing) killPlugin(t *testing.T, plugin string) {
	t.Helper()
	for range 20 {
		h := k.begin(t)
		killed := k.shoot(t, h, plugin, k.moment())
		h.wait(t, 0)
		if killed {
			return
		}
		must(t, os.RemoveAll(k.path(k.dir)))
	}
	t.Fatal("no run was killed in 20")
}

// TestKillKernels: the kernels plugin dies, the host starts it again, and the run
// ends as if nothing had happened.
func TestKillKernels(t *testing.T) {
	k := newKilling(t)
	k.each(t, soak(t), func(t *testing.T) { k.killPlugin(t, kernelsPlugin) })
}

// TestKillLogger: a logger dies; it gets every record, and no step is repeated.
func TestKillLogger(t *testing.T) {
	k := newKilling(t)
	names := []string{"logger-tensorboard", "logger-wandb"}
	i := 0
	k.each(t, soak(t), func(t *testing.T) {
		k.killPlugin(t, names[i%2])
		i++
		if all := records(t, k.path(k.dir)); all[len(all)-1].Attempt != 1 {
			t.Error("steps were repeated because a logger died")
		}
	})
}

// TestKillHost: the host dies, perhaps several times, its plugins with it, and
// -resume brings the run to its end.
func TestKillHost(t *testing.T) {
	k := newKilling(t)
	k.each(t, soak(t), func(t *testing.T) {
		for range 1 + k.random.IntN(3) {
			h := k.begin(t)
			pause(h, k.moment())
			h.kill()
			<-h.ended
			t.Logf("killed the host after %d ms, exit code %d", h.took.Milliseconds(), h.code())
		}
		k.finish(t)
	})
}

// TestKillAll: plugins and hosts die in any order.
func TestKillAll(t *testing.T) {
	k := newKilling(t)
	victims := []string{kernelsPlugin, "logger-tensorboard", "logger-wandb", "model-llama", ""}
	k.each(t, soak(t), func(t *testing.T) {
		for range 3 {
			h := k.begin(t)
			for range 2 {
				victim := victims[k.random.IntN(len(victims))]
				after := k.moment() / 2
				if victim != "" {
					k.shoot(t, h, victim, after)
					continue
				}
				pause(h, after)
				h.kill()
				t.Logf("killed the host %d ms after its start", time.Since(h.begun).Milliseconds())
			}
			h.join(t)
		}
		k.finish(t)
	})
}
