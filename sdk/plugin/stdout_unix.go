//go:build unix

package plugin

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// divertStdout points file descriptor 1 at standard error and returns the
// original, on which go-plugin writes its handshake. A library that prints to
// descriptor 1 would otherwise fill a pipe that nobody empties, and block.
func divertStdout() (*os.File, error) {
	fd, err := unix.Dup(1)
	if err != nil {
		return nil, fmt.Errorf("dup: %w", err)
	}
	unix.CloseOnExec(fd)
	if err := dup2(2, 1); err != nil {
		return nil, fmt.Errorf("dup2: %w", err)
	}
	return os.NewFile(uintptr(fd), "stdout"), nil
}
