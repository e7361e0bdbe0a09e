//go:build unix

package pluginhost

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/honeml/hone/sdk/plugin"
)

// startHelper runs this test's binary as a host that has the bad plugin do things,
// and gives its socket folder.
func startHelper(t *testing.T, w *watch, do string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PLUGINHOST_TEST_HELPER="+bad(t, "logger-good").Path, "PLUGINHOST_TEST_DO="+do,
		"PLUGINHOST_TEST_WATCH="+w.path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	folder, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if !ok {
		t.Fatalf("the helper says %q, %v", line, err)
	}
	return cmd, folder
}

// TestKilledHost kills a host by SIGKILL, which it cannot do anything about: its
// plugin ends, the plugin's child too, and the socket's folder goes with them.
func TestKilledHost(t *testing.T) {
	w := newWatch(t)
	host, folder := startHelper(t, w, "hold,child")
	first, second := w.held(t), w.held(t)
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, first)
	awaitEnd(t, second)
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", folder, err)
	}
}

// TestKilledHostInACall is the same with a plugin that is busy and never returns.
func TestKilledHostInACall(t *testing.T) {
	w := newWatch(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PLUGINHOST_TEST_HELPER="+bad(t, "logger-good").Path, "PLUGINHOST_TEST_DO=hang",
		"PLUGINHOST_TEST_WATCH="+w.path)
	cmd.Stdout = io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn := w.held(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	awaitEnd(t, conn)
}

// TestSweptFolders: what a host and its plugin leave that were killed together goes with
// the next start; what a living host holds stays.
func TestSweptFolders(t *testing.T) {
	base := t.TempDir()
	t.Setenv("TMPDIR", base)
	stale := filepath.Join(base, plugin.SocketFolderPrefix+"1", "plugin-dir2")
	unmarked := filepath.Join(base, plugin.SocketFolderPrefix+"3")
	for _, err := range []error{
		os.MkdirAll(stale, 0o700), os.Mkdir(unmarked, 0o700),
		os.WriteFile(filepath.Join(filepath.Dir(stale), plugin.SocketLock), nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	first := mustStart(t, bad(t, "logger-good"), Options{})
	if _, err := os.Stat(filepath.Dir(stale)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", stale, err)
	}
	mustStart(t, bad(t, "logger-good"), Options{})
	for _, kept := range []string{unmarked, first.folder} {
		if _, err := os.Stat(kept); err != nil {
			t.Errorf("%s was swept: %v", kept, err)
		}
	}
	if _, err := first.Logger().Describe(testContext(t)); err != nil {
		t.Error(err)
	}
}

// TestInterruptReachesTheHostAlone: what a terminal sends to the host's group does
// not reach the plugin, which is in a group of its own.
func TestInterruptReachesTheHostAlone(t *testing.T) {
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	group, err := unix.Getpgid(proc.PID())
	if err != nil || group != proc.PID() || group == unix.Getpgrp() {
		t.Errorf("process %d is in group %d, %v", proc.PID(), group, err)
	}
	// And one that is sent to it is ignored.
	if err := unix.Kill(proc.PID(), unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if _, err := proc.Logger().Describe(testContext(t)); err != nil {
		t.Error(err)
	}
}
