//go:build unix

package plugin

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	goplugin "github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"
)

// watchLifeline ends the process, and those that it has started, when the host's
// end of the lifeline closes.
func watchLifeline() {
	fd, err := strconv.Atoi(os.Getenv(LifelineEnv))
	if err != nil || fd < 3 {
		return
	}
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFIFO {
		return // the variable was inherited, the descriptor was not
	}
	unix.CloseOnExec(fd)
	pipe := os.NewFile(uintptr(fd), "lifeline")
	go func() {
		_, _ = io.Copy(io.Discard, pipe) // returns when the host is gone
		removeSocket(os.Getenv(goplugin.EnvUnixSocketDir))
		if unix.Getpgrp() == unix.Getpid() {
			_ = unix.Kill(0, unix.SIGKILL) // the whole group, this process with it
		}
		os.Exit(0)
	}()
}

// removeSocket removes what a dead host can no longer remove: the sockets in
// folder, and the folders that the host made for them.
func removeSocket(folder string) {
	if folder == "" {
		return
	}
	sockets, _ := filepath.Glob(filepath.Join(folder, "plugin*"))
	for _, path := range sockets {
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() == os.ModeSocket {
			os.Remove(path)
		}
	}
	for range 2 { // go-plugin makes a folder of its own in the host's
		os.Remove(filepath.Join(folder, SocketLock))
		os.Remove(folder)
		folder = filepath.Dir(folder)
		if !strings.HasPrefix(filepath.Base(folder), SocketFolderPrefix) {
			return
		}
	}
}
