package pluginhost

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// ownGroup puts the process into a group of its own: Ctrl-C on the console then
// reaches the host alone, which finishes its step first.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// killGroup ends the process.
func killGroup(cmd *exec.Cmd) error {
	err := cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
