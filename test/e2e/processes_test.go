//go:build unix

package e2e

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A process is one that runs a binary of the workspace.
type process struct {
	id     int
	binary string // the file's name
}

// processes lists what runs of the workspace's binaries. A process that has ended
// and waits for its parent to notice does not count.
func (w *workspace) processes(t testing.TB) []process {
	t.Helper()
	listed, err := exec.CommandContext(t.Context(), "ps", "-A", "-o", "pid=,stat=,args=").Output()
	must(t, err)
	var out []process
	for line := range strings.Lines(string(listed)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || strings.HasPrefix(fields[1], "Z") || filepath.Dir(fields[2]) != w.bin {
			continue
		}
		id, err := strconv.Atoi(fields[0])
		must(t, err)
		out = append(out, process{id, filepath.Base(fields[2])})
	}
	return out
}

// find gives the id of a running process of that binary; 0: none.
func (w *workspace) find(t testing.TB, binary string) int {
	t.Helper()
	for _, p := range w.processes(t) {
		if p.binary == binary {
			return p.id
		}
	}
	return 0
}

// noProcesses fails the test if any process of the workspace is left. Those whose
// host was killed get a moment to see it.
func (w *workspace) noProcesses(t testing.TB) {
	t.Helper()
	var left []process
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if left = w.processes(t); len(left) == 0 {
			return
		}
	}
	t.Errorf("processes are left: %v", left)
}
