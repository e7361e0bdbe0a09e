//go:build unix

package pluginhost

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the process into a group of its own: Ctrl-C on the terminal then
// reaches the host alone, which finishes its step first.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends the process and all that it has started. The process must not
// have been waited for: its id could be another's by then.
func killGroup(cmd *exec.Cmd) error {
	err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if err == syscall.ESRCH {
		return nil
	}
	return err
}
