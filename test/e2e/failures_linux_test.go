package e2e

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/honeml/hone/host/pluginhost"
)

// noRoom lets a process write no file longer than size, as on a full disk. It
// reports whether there is such a process.
func noRoom(id int, size uint64) bool {
	return id != 0 && unix.Prlimit(id, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: size}, nil) == nil
}

// TestDiskFull: a run that cannot write ends with what could not be written; what
// is there stays whole, and with room again the run goes on.
func TestDiskFull(t *testing.T) {
	tests := []struct {
		name  string
		full  func(t *testing.T, k *killing, h *host) bool
		says  string
		steps int64 // that the run has at least lost nothing of
	}{
		{"for checkpoints", func(t *testing.T, k *killing, _ *host) bool {
			return noRoom(k.find(t, pluginhost.Prefix+kernelsPlugin), 20_000)
		}, "checkpoint of step", 4},
		{"for records", func(_ *testing.T, _ *killing, h *host) bool {
			return noRoom(h.cmd.Process.Pid, 6_000)
		}, "metrics.jsonl", 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newKilling(t)
			k.dir = "runs/usual"
			var h *host
			k.again(t, k.dir, func() bool {
				h = k.start(t, "run", k.file)
				h.awaitText(t, "step 4  checkpoint")
				full := test.full(t, k, h)
				h.join(t)
				return full && h.code() != 0
			})
			h.wait(t, 1)
			expect(t, "the host", h.err.String(), "hone: ", test.says, "file too large", "-resume runs/usual")
			if step := stepOf(t, lastCheckpoint(t, k.path(k.dir))); step < test.steps {
				t.Errorf("the last checkpoint is of step %d", step)
			}
			k.noProcesses(t)
			k.finish(t)
			k.undisturbed(t)
		})
	}
}
