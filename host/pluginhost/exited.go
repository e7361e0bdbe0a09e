package pluginhost

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/plugin"
)

// An ExitedError says that a plugin's process has ended. Each call that was under
// way returns it, and each that follows.
type ExitedError struct {
	Plugin string // such as cpu-kernels
	Path   string
	PID    int
	Code   int            // exit status; -1 where a signal ended the process
	Signal syscall.Signal // 0: none
	Closed bool           // the host ended it itself
	// Cause is the line that most likely says why: where a panic began, else the
	// last error that was logged, else the last line. "": the process wrote nothing.
	Cause string
	// Stderr are the last lines that the process wrote, and the first ones of a
	// panic, without control characters.
	Stderr []string
}

// Error is one line: which plugin, how it ended, why.
func (e *ExitedError) Error() string {
	text := fmt.Sprintf("plugin %s: process %d %s", e.Plugin, e.PID, e.Status())
	if e.Cause != "" {
		text += ": " + e.Cause
	}
	return text
}

// Status is how the process ended: "exited with status 1", "was killed by signal 9
// (killed)".
func (e *ExitedError) Status() string {
	switch {
	case e.Closed:
		return "was ended by hone"
	case e.Signal == syscall.SIGKILL:
		return "was killed by signal 9 (by hand, or the system ran out of memory)"
	case e.Signal != 0:
		return fmt.Sprintf("was killed by signal %d (%s)", int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("exited with status %d", e.Code)
}

// Detail is the error with all lines that are known, for a log.
func (e *ExitedError) Detail() string {
	if len(e.Stderr) == 0 {
		return e.Error()
	}
	return e.Error() + "\n  " + strings.Join(e.Stderr, "\n  ")
}

func newExitedError(p Plugin, pid int, state *os.ProcessState, said *tail) *ExitedError {
	e := &ExitedError{Plugin: p.String(), Path: p.Path, PID: pid, Code: -1, Cause: said.cause(), Stderr: said.all()}
	if state == nil {
		return e
	}
	e.Code = state.ExitCode()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal = ws.Signal()
	}
	return e
}

// A ProtocolError says that host and plugin speak different versions.
type ProtocolError struct {
	Plugin string
	Path   string
	Theirs string // the version that the plugin speaks
}

// Error names both versions and says which side is the older.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("plugin %s speaks version %s of hone's protocol, this hone speaks %d: %s", e.Plugin, e.Theirs,
		plugin.ProtocolVersion, e.Path)
}

// A ChecksumError says that a binary is not the one that it has to be.
type ChecksumError struct {
	Plugin    string
	Path      string
	Want      []byte // SHA-256
	Authority string // who says so; "": it is what was found earlier
}

// newChecksumError is the error for a plugin whose binary has another checksum.
func newChecksumError(p Plugin) error {
	err := &ChecksumError{Plugin: p.String(), Path: p.Path, Want: p.Checksum, Authority: p.Authority}
	if p.Authority == "" {
		return err
	}
	return fault.New(fault.BadInput, "%w", err).
		WithHint("it was changed after it was installed; hone init, or hone plugins install, installs it again")
}

// Error names the file and the checksum that it should have.
func (e *ChecksumError) Error() string {
	if e.Authority == "" {
		return fmt.Sprintf("plugin %s: %s is not the file that hone knows, whose SHA-256 is %x", e.Plugin, e.Path, e.Want)
	}
	return fmt.Sprintf("plugin %s: %s is not the binary that %s names, whose SHA-256 is %x", e.Plugin, e.Path, e.Authority, e.Want)
}
